// One image explained: the parts on it, and the waterfall from the average image's score to its own.

import { Message } from "./controls.js";
import { explanationOf, isUnexplained, rowsOf, without } from "./explanation.js";
import { number, signed, wholeBelow } from "./figures.js";
import { saveCsv, savePng } from "./image_files.js";
import { PartsMap } from "./parts_map.js";
import { TIMES, timesOf } from "./picture.js";
import { TrackMaps } from "./track_maps.js";
import { html, useEffect, useMemo, useState } from "./vendor/preact-htm.js";
import { Waterfall } from "./waterfall.js";

const SHOWN = 6;

function useExplanation(layer, scores, rather, n) {
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    let current = true;
    explanationOf(scores, rather, n, layer.filters).then(
      (found) => current && setLoaded({ found, scores, rather, n }),
      (error) => current && setLoaded({ error }),
    );
    return () => {
      current = false;
    };
  }, [layer, scores, rather, n]);
  const isOfThese = loaded.scores === scores && loaded.rather === rather && loaded.n === n;
  return loaded.error || isOfThese ? loaded : {};
}

/** The classes of an image whose scores are stored, and the one that the difference is to. */
function ClassChoice({ ranks, n, scores, rather, set }) {
  if (ranks.length < 2) return null;
  const others = ranks.filter((one) => one !== scores);
  return html`<p class="class-choice"><span role="group" aria-label="class that is explained">${ranks.map(
    ({ rank, classes, names, performer_scores }) => html`<button class="plain"
      aria-pressed=${classes[n] === scores.classes[n]} title="what speaks for and against this class"
      onClick=${() => set({ class: rank ? String(classes[n]) : "", rather: "", chosen: "" })}>
      ${names[classes[n]]} <small>${number(100 * performer_scores[n])} %</small></button>`,
  )}</span>
    <label class="control"><span>rather than</span><select aria-label="rather than" value=${rather ? String(rather.classes[n]) : ""}
      onChange=${(event) => set({ rather: event.target.value, chosen: "" })}>
      <option value="" selected=${!rather}>–</option>${others.map(
        ({ classes, names }) => html`<option value=${String(classes[n])} selected=${rather?.classes[n] === classes[n]}>
          ${names[classes[n]]}</option>`,
      )}</select></label></p>`;
}

/** The same image and class in the other run; note: what is missing there. */
function besideOf(other, id, name) {
  if (!other) return null;
  const n = other.snapshot?.images.ids.indexOf(id) ?? -1;
  const scores = n < 0 ? undefined : other.scores.ranks.find(({ classes, names }) => names[classes[n]] === name);
  const missing = n < 0 ? `${id} is not stored` : scores ? "" : `${name} is not stored of this image`;
  return { ...other, n, scores, note: other.note || missing };
}

const sums = (one, n, hasTracks) => [
  { key: "baseline", name: "average image", value: one.baseline[n], kind: "rest" },
  { key: "parts", name: "all parts", value: one.parts[n], kind: "all" },
  ...(hasTracks ? [{ key: "ordinary", name: "ordinary track", value: one.ordinary[n], kind: "rest" }] : []),
  { key: "gap", name: "gap", value: one.gap[n], kind: "rest" },
  { key: "score", name: "score", value: one.scores[n], kind: "sum", sum: true },
];

function Beside({ run, note, snapshot, layer, scores, n }) {
  if (note) return html`<div class="beside-run"><h3>${run}</h3><p class="muted">${note}.</p></div>`;
  const titles = snapshot.hasExplainer ? [`${run}: interpretable track`, "ordinary track"] : [run];
  return html`<div class="beside-run"><h3>${run} <small>the same image in the other run</small></h3>
    <${Waterfall} label=${`score in ${run}`} steps=${sums(scores, n, snapshot.hasExplainer)}/>
    <${TrackMaps} ...${{ snapshot, layer, scores, n, titles }} totals=${[scores.parts[n], scores.ordinary[n]]}/></div>`;
}

/** What the waterfall goes through, down to the score and, with parts switched off, the score without them. */
function stepsOf(explanation, rows, shown, off, hasTracks) {
  const { baseline, ordinary, gap, score, name, rather } = explanation;
  const rest = rows.slice(shown);
  const asStep = (row) => ({ ...row, row });
  const of = rather ? `${name} − ${rather}` : name;
  const gone = rows.filter(({ key }) => off.includes(key));
  const left = gone.length && without(score, gone);
  return [
    {
      key: "baseline",
      name: hasTracks ? "average image" : "no activation",
      value: baseline,
      kind: "rest",
      help: "What the class scores where contributions are counted from.",
    },
    ...rows.slice(0, shown).map(asStep),
    ...(rest.length
      ? [
          {
            key: "others",
            name: `${rest.length} others`,
            value: rest.reduce((t, { value }) => t + value, 0),
            kind: "all",
          },
        ]
      : []),
    ...(hasTracks
      ? [
          {
            key: "ordinary",
            name: "ordinary track",
            value: ordinary,
            kind: "rest",
            help: "What the parts do not explain.",
          },
        ]
      : []),
    {
      key: "gap",
      name: "gap: not explained",
      value: gap,
      kind: "rest",
      help: "What is missing to the score: the error of the attribution itself.",
    },
    { key: "score", name: `score of ${of}`, value: score, kind: "sum", sum: true },
    ...(left
      ? [
          {
            key: "without",
            name: `without ${gone.map((one) => one.name).join(", ")}`,
            value: left.score,
            kind: "sum without",
            aside: true,
            sum: true,
            how: left.how,
          },
        ]
      : []),
  ];
}

function Said({ snapshot, scores, named, n }) {
  const { images } = snapshot;
  const share = `${number(100 * named.performer_scores[n])} %`;
  const held = images.held_out[n] ? "; training never saw this image" : "";
  const says = html`true class <b>${snapshot.className(images.labels[n])}</b>; the
    ${snapshot.hasExplainer ? " performer" : " model"} says <b>${named.names[named.classes[n]]}</b> (${share})`;
  return html`<p class="classes">${says}${
    snapshot.hasExplainer && html`, the explainer <b>${scores.names[scores.explainer_classes[n]]}</b>`
  }${held}</p>`;
}

/** Whether parts explain the score, in words; with a warning where what is no part of the object dominates. */
function Verdict({ text, unexplained }) {
  const warns = /do not explain/.test(text);
  const warning = "tag warn left-over";
  return html`${text && html`<p class=${`verdict ${warns ? warning : ""}`}>${text}</p>`}
    ${
      unexplained &&
      !warns &&
      html`<p class=${warning}>Parts of the object give less than all else together: what lies beside it, in other filters
        or in the grey bars.</p>`
    }`;
}

/** onOpen: opens a row, a part or a filter, in the other tab. */
export function Explained({ snapshot, layer, scores: named, n, other, state, set, look, onOpen }) {
  const scores = named.of(n, state.class) ?? named;
  const rather =
    state.rather === ""
      ? undefined
      : named.ranks.find((one) => one !== scores && String(one.classes[n]) === state.rather);
  const { found, error } = useExplanation(layer, scores, rather, n);
  const [hovered, setHovered] = useState(null);
  const by = state.by === "filter" ? "filter" : "part";
  const rows = useMemo(() => (found ? rowsOf(layer, found, by, n) : []), [layer, found, by, n]);
  if (error) return html`<${Message} inside title="This image cannot be explained" text=${String(error.message)}/>`;
  const { images } = snapshot;
  const { hasExplainer } = snapshot;
  const side = images.size * timesOf(Number(state.times), images.size);
  const shown = state.all === "1" ? rows.length : SHOWN;
  const chosen = rows.find(({ key }) => key === state.chosen);
  const litRow = rows.find(({ key }) => key === hovered) ?? chosen;
  const off = state.off.split(",").filter(Boolean);
  const choose = (key) => set({ chosen: key === state.chosen ? "" : key });
  const turn = (key) => set({ off: (off.includes(key) ? off.filter((one) => one !== key) : [...off, key]).join(",") });
  const marks = images.landmark_names
    .map((name, k) => ({ name, place: snapshot.landmark(n, k) }))
    .filter(({ place }) => place);
  const name = scores.names[scores.classes[n]];
  const beside = besideOf(other, images.ids[n], name);
  const steps = found ? stepsOf(found, rows, shown, off, hasExplainer) : [];
  const why = found?.rather ? `${name} rather than ${found.rather}` : name;
  const caption = `${images.ids[n]}: ${why}, ${signed(found?.score ?? 0)} nats; ${litRow?.name ?? "strongest parts"}`;
  const unit = by === "filter" ? "filters" : "parts";
  return html`<section class="explained" id="content" tabindex="-1" data-ready=${found ? "image" : ""}
    data-image=${n} aria-label=${images.ids[n]}>
    <div class="large">
      <header><h2 title=${images.ids[n]}>${images.ids[n]}</h2>
        <nav aria-label="picture">${TIMES.map(
          (one) => html`<button class="plain" aria-pressed=${side === one * images.size}
            onClick=${() => set({ times: String(one) })}>${one}:1</button>`,
        )}
        <button class="plain" title="picture and maps as a PNG" onClick=${() => savePng(caption)}>PNG</button></nav></header>
      <${Said} ...${{ snapshot, scores, named, n }}/>
      <${PartsMap} ...${{ layer, n, side, look }} parts=${rows.slice(0, Math.min(shown, SHOWN))} others=${rows}
        landmarks=${state.marks ? marks : []} lit=${litRow?.key ?? null} onLight=${setHovered} onPart=${choose}/>
      <p class="muted region-note">${
        litRow
          ? html`${litRow.title ?? litRow.name}: ${litRow.group === undefined ? "its" : "the mean"} region of
              ${` ${litRow.detail}`}. `
          : `The strongest ${unit}; point at one, or at its bar.`
      }
        ${chosen && html`<button class="link" onClick=${() => onOpen(chosen)}>Open ${chosen.name} in Parts</button>`}</p>
      <${TrackMaps} ...${{ snapshot, layer, scores, rather, n }}
        titles=${hasExplainer ? ["interpretable track", "ordinary track"] : ["by place"]}
        totals=${[found?.parts ?? 0, found?.ordinary ?? 0]}/>
    </div>
    <div class="why">
      <h3>Why ${why}?</h3>
      <p class="muted">Log-odds in nats, by ${scores.method}.</p>
      <${ClassChoice} ranks=${named.ranks} ...${{ n, scores, rather, set }}/>
      ${
        !named.of(n, state.class) &&
        html`<p class="muted missing-class">${
          named.names[wholeBelow(named.names.length, state.class)] ?? "The class of this address"
        } is not stored of this image; these are.</p>`
      }
      <${Verdict} text=${rather ? "" : scores.verdicts[n]} unexplained=${!!found && isUnexplained(layer, rows, found)}/>
      <p class="waterfall-head"><span class="switch" role="group" aria-label="bars">
        ${["part", "filter"].map(
          (one) => html`<button class="tab" aria-pressed=${by === one}
            onClick=${() => set({ by: one, chosen: "", off: "", all: "" })}>By ${one}</button>`,
        )}</span>
        <button class="plain small" disabled=${!found} onClick=${() => saveCsv(layer, found, n)}>CSV</button></p>
      <${Waterfall} label=${`from the average image's score to that of ${why}`} steps=${steps}
        numbered=${Math.min(shown, SHOWN)} lit=${litRow?.key ?? null} ...${{ layer, n, off }}
        onLight=${setHovered} onChoose=${choose} onOff=${turn}/>
      <p class="muted" role="status">${steps.find(({ how }) => how)?.how}</p>
      ${
        rows.length > SHOWN &&
        html`<button class="plain" onClick=${() => set({ all: state.all ? "" : "1" })}>
          ${state.all ? `the ${SHOWN} strongest` : `all ${rows.length} ${unit}`}</button>`
      }
      ${beside && html`<${Beside} ...${beside}/>`}
    </div></section>`;
}
