// The explanation of one image: its parts, and the waterfall from the average image's score to the image's.

import { Message } from "../shared/controls.js";
import { number, signed, wholeBelow } from "../shared/figures.js";
import { Legend } from "../shared/look_controls.js";
import { Unexplained } from "../shared/object_parts.js";
import { PartsMap } from "../shared/parts_map.js";
import { TIMES, timesOf } from "../shared/picture.js";
import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { rowsOf, unexplainedOf, useExplanation } from "./explanation.js";
import { saveCsv, savePng } from "./image_files.js";
import { Misled } from "./misled.js";
import { TrackMaps } from "./track_maps.js";
import { Waterfall } from "./waterfall.js";
import { stepsOf, sums } from "./waterfall_steps.js";

const SHOWN = 6;

/** Buttons for the classes of an image whose scores are stored, and a choice of the class to compare with. */
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

/** The same image and class in the other run; note: why it cannot be shown. */
function besideOf(other, id, name) {
  if (!other) return null;
  const n = other.snapshot?.images.ids.indexOf(id) ?? -1;
  const scores = n < 0 ? undefined : other.scores.ranks.find(({ classes, names }) => names[classes[n]] === name);
  const missing = n < 0 ? `${id} is not stored` : scores ? "" : `${name} is not stored for this image`;
  return { ...other, n, scores, note: other.note || missing };
}

function Beside({ run, note, snapshot, layer, scores, n }) {
  if (note) return html`<div class="beside-run"><h3>${run}</h3><p class="muted">${note}.</p></div>`;
  const titles = snapshot.hasExplainer ? [`${run}: interpretable track`, "ordinary track"] : [run];
  return html`<div class="beside-run"><h3>${run} <small>the same image in the other run</small></h3>
    <${Waterfall} label=${`score in ${run}`} steps=${sums(scores, n, snapshot.hasExplainer)}/>
    <${TrackMaps} ...${{ snapshot, layer, scores, n, titles }} totals=${[scores.parts[n], scores.ordinary[n]]}/></div>`;
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

/** Whether parts explain the score, in words. */
const Verdict = ({ text }) =>
  text && html`<p class=${`verdict ${/do not explain/.test(text) ? "tag warn" : ""}`}>${text}</p>`;

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
        ${look.mode !== "none" && html` <${Legend} look=${litRow ? look : { ...look, mode: "region" }} what="Outlined:"/>`}
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
        } is not stored for this image; these classes are.</p>`
      }
      <${Misled} ...${{ layer, snapshot, n }} scores=${named}/>
      <${Verdict} text=${rather ? "" : scores.verdicts[n]}/>
      ${found && html`<${Unexplained} share=${unexplainedOf(layer, rows, found)}/>`}
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
