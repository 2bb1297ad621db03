// The Explained images tab.

import { signedGradient } from "./colour_maps.js";
import { Contributions, Sum, signed } from "./contribution_list.js";
import { download, Look, Message, Select, StepSlider } from "./controls.js";
import { groupName, number, wholeBelow } from "./figures.js";
import * as host from "./host.js";
import { chosenImages, ImageList, ONLY, SORTS } from "./image_list.js";
import { runs as askRuns, ImageScores } from "./image_scores.js";
import { KeyHelp } from "./key_help.js";
import { LOOK, lookFrom, lookText } from "./look.js";
import { layerOf, Picture, TIMES, timesOf } from "./picture.js";
import { snapshotOf } from "./snapshots.js";
import { latestRun, Missing, nearestStep, useAddress, useRuns } from "./tab_state.js";
import { html, render as mount, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";

const PLUGIN = "part_images";
const PARTS_PLUGIN = "parts";
const DEFAULTS = {
  run: "",
  step: "",
  image: "0",
  by: "part",
  chosen: "",
  only: "all",
  sort: "index",
  query: "",
  look: "",
  compare: "",
  times: "",
  marks: "",
  class: "",
};
const KEYS = [
  ["← ↑ ↓ →", "walk through the images, once one of the list is chosen"],
  ["/", "search"],
  ["Esc", "leave the search"],
  ["?", "these keys"],
];
const ROWS = 24;

const without = (state) =>
  Object.fromEntries(
    Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key] || ["run", "step", "image"].includes(key)),
  );

function useRun(run, step, reloads) {
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (step === undefined) return setLoaded({});
    let current = true;
    Promise.all([snapshotOf(run, step, reloads), ImageScores.load(run, step)])
      .then(async ([snapshot, scores]) => ({ snapshot, scores, layer: await snapshot.layer(scores.layer) }))
      .then(
        (next) => current && setLoaded(next),
        (error) => current && setLoaded({ error }),
      );
    return () => {
      current = false;
    };
  }, [run, step, reloads]);
  return loaded;
}

/** Filters, or groups of filters that stand for one part, by what they contribute. */
function rowsOf(layer, contributions, by, n) {
  const largest = (a, b) => Math.abs(b.value) - Math.abs(a.value);
  const filters = Array.from(contributions, (value, f) => ({
    key: `f${f}`,
    f,
    value,
    name: `#${f}`,
    detail: `peak ${number(layer.peak(f, n))}`,
  }));
  if (by === "filter" || !layer.values.group) return filters.sort(largest);
  const groups = new Map();
  for (const filter of filters) {
    const group = layer.values.group[filter.f];
    const key = Number.isNaN(group) ? filter.key : group;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(filter);
  }
  return [...groups]
    .map(([group, members]) => {
      const strongest = members.sort(largest)[0];
      if (group === strongest.key) return { ...strongest, detail: "on its own" };
      return {
        key: `g${group}`,
        f: strongest.f,
        group,
        value: members.reduce((sum, { value }) => sum + value, 0),
        name: groupName(layer, group),
        detail: `${members.length} ${members.length === 1 ? "filter" : "filters"}, most by #${strongest.f}`,
      };
    })
    .sort(largest);
}

function TrackMap({ snapshot, layer, scores, n, track, title, total }) {
  const ask = async () => ({
    picture: await snapshot.crop(n),
    layers: [{ signed: await scores.track(track, n, layer.units), grid: layer.grid, full: scores.scales[n] }],
  });
  return html`<figure class="track"><${Picture} side=${224} look=${LOOK} label=${title}
      what=${`${scores.run},${scores.step},${scores.rank},${track},${n}`} ask=${ask}/>
    <figcaption><b>${title}</b> <span>${signed(total)}</span></figcaption></figure>`;
}

function ScoreSum({ scores, n }) {
  return html`<${Sum} score=${scores.scores[n]} className=${scores.names[scores.classes[n]]} terms=${[
    ["parts", scores.parts[n], "The part filters of the interpretable track, summed."],
    ["ordinary track", scores.ordinary[n], "What the parts do not explain."],
    ["baseline", scores.baseline[n], "What the class scores where contributions are counted from."],
    ["gap", scores.gap[n], "What is missing to the score: the error of the attribution itself."],
  ]}/>`;
}

/** The same image and class in the other run; note: what is missing there. */
function besideOf(other, id, name) {
  if (!other) return null;
  const n = other.snapshot?.images.ids.indexOf(id) ?? -1;
  const scores = n < 0 ? undefined : other.scores.ranks.find(({ classes, names }) => names[classes[n]] === name);
  const missing = n < 0 ? `${id} is not stored` : scores ? "" : `${name} is not stored of this image`;
  return { ...other, n, scores, note: other.note || missing };
}

/** Both tracks of the other run on the same image, or a line that says that they are missing. */
function TracksBeside({ run, note, snapshot, layer, scores, n }) {
  if (note) return html`<p class="muted beside">${run}: ${note}.</p>`;
  return html`<div class="tracks beside">
    <${TrackMap} ...${{ snapshot, layer, scores, n }} track=${0} title=${`${run}: interpretable`}
      total=${scores.parts[n]}/>
    <${TrackMap} ...${{ snapshot, layer, scores, n }} track=${1} title="ordinary track" total=${scores.ordinary[n]}/>
  </div>`;
}

function saveCsv(layer, scores, n, contributions) {
  const lines = [...contributions].map(
    (value, f) => `filter ${f},${layer.values.group ? layer.values.group[f] + 1 : ""},${value}`,
  );
  const text = [
    "what,part group,contribution [nats of log-odds]",
    ...lines,
    `ordinary track,,${scores.ordinary[n]}`,
    `baseline,,${scores.baseline[n]}`,
    `gap,,${scores.gap[n]}`,
    `score,,${scores.scores[n]}`,
  ]
    .join("\n")
    .concat("\n");
  download(`image-${n}.csv`, new Blob([text], { type: "text/csv" }));
}

/** The large picture and both maps as they are on screen, with a line that says what they show. */
function savePng(title) {
  const canvases = [...document.querySelectorAll(".explained canvas.picture")];
  const gap = 10;
  const sheet = document.createElement("canvas");
  sheet.width = canvases.reduce((sum, { width }) => sum + width + gap, gap);
  sheet.height = Math.max(...canvases.map(({ height }) => height)) + 40;
  const context = sheet.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.fillStyle = "#1b1f27";
  context.font = "15px system-ui, sans-serif";
  context.fillText(title, gap, 22);
  let x = gap;
  for (const canvas of canvases) {
    context.drawImage(canvas, x, 34);
    x += canvas.width + gap;
  }
  sheet.toBlob((blob) => download("image.png", blob), "image/png");
}

/** The classes of an image whose scores are stored, as buttons. */
function ClassChoice({ ranks, n, chosen, set }) {
  if (ranks.length < 2) return null;
  return html`<p class="class-choice" role="group" aria-label="class that is explained">${ranks.map(
    ({ rank, classes, names, performer_scores }) => html`<button class="plain" aria-pressed=${classes[n] === chosen}
    title="what speaks for and against this class"
      onClick=${() => set({ class: rank ? String(classes[n]) : "", chosen: "" })}>
      ${names[classes[n]]} <small>${number(100 * performer_scores[n])} %</small></button>`,
  )}</p>`;
}

function Explained({ snapshot, layer, scores: named, n, other, state, set, look }) {
  const scores = named.of(n, state.class) ?? named;
  const [contributions, setContributions] = useState(null);
  const times = timesOf(Number(state.times), snapshot.images.size);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    let current = true;
    scores.contributions(n, layer.filters).then(
      (next) => current && setContributions({ n, scores, values: next }),
      (error) => current && setFailed(String(error.message)),
    );
    return () => {
      current = false;
    };
  }, [scores, n]);
  const ready = contributions?.n === n && contributions.scores === scores;
  const rows = useMemo(
    () => (ready ? rowsOf(layer, contributions.values, state.by, n) : []),
    [contributions, layer, state.by, n],
  );
  if (failed) return html`<${Message} title="This image cannot be explained" text=${failed}/>`;
  const chosen = rows.find(({ key }) => key === state.chosen) ?? rows[0];
  const { images } = snapshot;
  const name = scores.names[scores.classes[n]];
  const rest = rows.slice(ROWS);
  const beside = besideOf(other, images.ids[n], name);
  const marks = images.landmark_names
    .map((name, k) => ({ name, place: snapshot.landmark(n, k) }))
    .filter(({ place }) => place);
  const ask = async () => ({
    picture: await snapshot.crop(n),
    layers: chosen ? [layerOf(layer, await layer.map(chosen.f, n), look)] : [],
    marks: state.marks ? marks : [],
  });
  const caption = [
    `${images.ids[n]}: log-odds of ${name} ${signed(scores.scores[n])}`,
    `filter ${chosen?.f}`,
    `interpretable track ${signed(scores.parts[n])}`,
    `ordinary track ${signed(scores.ordinary[n])}`,
  ].join(", ");
  const openFilter = () =>
    host.open(PARTS_PLUGIN, { run: scores.run, step: scores.step, layer: layer.name, filter: chosen.f });
  return html`<section class="explained" data-ready=${ready ? "image" : ""} data-image=${n}>
    <div class="large">
      <header><h2 title=${images.ids[n]}>${images.ids[n]}</h2>
        <nav>${TIMES.map(
          (one) => html`<button class="plain" aria-pressed=${times === one}
        onClick=${() => set({ times: String(one) })}>${one}:1</button>`,
        )}
        <button class="plain" title="picture and both maps as a PNG"
          onClick=${() => savePng(caption)}>PNG</button></nav></header>
      <p class="classes">true class <b>${snapshot.className(images.labels[n])}
        </b>; the performer says <b>${named.names[named.classes[n]]}</b> (${number(100 * named.performer_scores[n])} %),
        the explainer <b>${scores.names[scores.explainer_classes[n]]}
          </b>${images.held_out[n] ? "; training never saw this image" : ""}</p>
      <${Picture} side=${images.size * times} look=${look} label=${images.ids[n]} ask=${ask}
        what=${`${scores.run},${scores.step},${chosen?.f},${n},${state.marks}`}/>
      <p class="muted">${
        chosen
          ? html`The region of filter #${chosen.f}
        ${chosen.group !== undefined ? `, which adds most of ${chosen.name}` : ""}. `
          : ""
      }
        ${
          chosen &&
          html`<button class="link"
          onClick=${openFilter}>Open filter #${chosen.f} in Parts</button>`
        }</p>
      <div class="tracks">
        <${TrackMap} ...${{ snapshot, layer, scores, n }} track=${0} title="interpretable track"
          total=${scores.parts[n]}/>
        <${TrackMap} ...${{ snapshot, layer, scores, n }} track=${1} title="ordinary track"
          total=${scores.ordinary[n]}/>
      </div>
      ${beside && html`<${TracksBeside} ...${beside}/>`}
      <p class="legend wide"><span>against ${signed(-scores.scales[n])}</span>
        <i style=${`background:${signedGradient()}`}></i>
        <span>for ${signed(scores.scales[n])} nats a place, the same scale for both</span></p>
    </div>
    <div class="why">
      <h3>Why ${name}? <small>log-odds in nats; ${scores.method}</small></h3>
      <${ClassChoice} ranks=${named.ranks} n=${n} chosen=${scores.classes[n]} set=${set}/>
      ${
        !named.of(n, state.class) &&
        html`<p
        class="muted missing-class">
        ${
          named.names[wholeBelow(named.names.length, state.class)] ?? "The class of this address"
        } is not stored of this image; these are.</p>`
      }
      <p class="verdict">${scores.verdicts[n]}</p>
      <${ScoreSum} ...${{ scores, n }}/>
      ${
        beside &&
        html`<h3>${beside.run} <small>the same image in the other run</small></h3>
        ${
          beside.note
            ? html`<p class="muted">${beside.note}.
          </p>`
            : html`<${ScoreSum} scores=${beside.scores} n=${beside.n}/>`
        }`
      }
      <h3>Parts <span class="switch">
        ${["part", "filter"].map(
          (by) => html`<button class="tab" aria-selected=${state.by === by}
        onClick=${() => set({ by, chosen: "" })}>By ${by}</button>`,
        )}</span>
        <button class="plain small" onClick=${() => saveCsv(layer, scores, n, contributions.values)}
          disabled=${!ready}>CSV</button></h3>
      <${Contributions} rows=${rows.slice(0, ROWS)} selected=${chosen?.key}
        onSelect=${(key) => set({ chosen: key ?? "" })}/>
      ${
        rest.length > 0 &&
        html`<p
        class="muted rest"><span>${rest.length} others</span>
        <span class="value">${signed(rest.reduce((sum, { value }) => sum + value, 0))}</span></p>`
      }
    </div></section>`;
}

function App() {
  const { found, reloads } = useRuns(askRuns);
  const [state, set] = useAddress(PLUGIN, DEFAULTS, without);
  const names = Object.keys(found?.runs ?? {}).sort();
  const run = names.includes(state.run) ? state.run : (latestRun(found?.runs, names) ?? "");
  const steps = found?.runs?.[run];
  const step = state.step === "" ? steps?.at(-1) : nearestStep(steps, Number(state.step));
  const { snapshot, scores, layer, error } = useRun(run, step, reloads);
  const otherSteps = names.includes(state.compare) ? found.runs[state.compare] : undefined;
  const second = useRun(otherSteps ? state.compare : "", otherSteps && nearestStep(otherSteps, step), reloads);
  const absent = otherSteps ? (second.error ? String(second.error.message) : "reading…") : "this run is not here";
  const other = state.compare ? { run: state.compare, note: second.layer ? "" : absent, ...second } : undefined;
  const search = useRef();
  useEffect(() => {
    const keys = (event) => {
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return event.key === "Escape" && event.target.blur();
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      search.current?.focus();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, []);
  const look = useMemo(() => lookFrom(state.look), [state.look]);
  const only = Object.hasOwn(ONLY, state.only) ? state.only : "all";
  const sort = Object.hasOwn(SORTS, state.sort) ? state.sort : "index";
  const shown = useMemo(
    () => (scores ? chosenImages(scores, snapshot.images, { only, sort, query: state.query }) : []),
    [scores, only, sort, state.query],
  );
  if (!found) return html`<${Message} title="Reading…" text="TensorBoard is asked for its runs."/>`;
  if (found.error) return html`<${Message} title="The server does not answer" text=${String(found.error.message)}/>`;
  if (!names.length)
    return html`<${Missing} ...${{ state, names }} skipped=${found.skipped}/><${Message} title="No explained images yet"
      text="No run in this log directory says what decides its images. To write that, run"
      command=${"python -m tf_explainer.evaluate --flagfile=YOUR.flags\ntensorboard --logdir=WORKDIR/tensorboard"}/>`;
  if (error) return html`<${Message} title="This snapshot cannot be shown" text=${String(error.message)}/>`;
  if (!layer) return html`<${Message} title="Reading…" text=${`Run ${run}, step ${step}.`}/>`;
  const wanted = wholeBelow(snapshot.images.count, state.image) ?? 0;
  // What the list leaves out is not shown beside it either.
  const n = shown.includes(wanted) ? wanted : shown[0];
  const options = (from) => Object.entries(from).map(([key, [text]]) => [key, text]);
  return html`<main class="app">
    <header class="bar">
      <${Select} label="run" value=${run} options=${names.map((name) => [name, name || "."])}
        onChange=${(value) => set({ run: value, step: "" })}/>
      <${StepSlider} steps=${steps} step=${step} onChange=${(value) => set({ step: String(value) })}/>
      <${Select} label="beside" value=${state.compare} title="a second run, on the same image"
        options=${[["", "no other run"], ...names.filter((name) => name !== run).map((name) => [name, name])]}
        onChange=${(value) => set({ compare: value })}/>
      <${Look} look=${look} onChange=${(next) => set({ look: lookText(next) })}/>
      ${
        snapshot.images.landmark_names.length > 0 &&
        html`<button class="plain" aria-pressed=${!!state.marks}
        onClick=${() => set({ marks: state.marks ? "" : "1" })}
        title=${snapshot.images.landmark_names.join(", ")}>landmarks</button>`
      }
      <span class="spring"></span><${KeyHelp} keys=${KEYS}/>
    </header>
    <${Missing} ...${{ state, names, run, step }} skipped=${found.skipped}/>
    <div class="body">
      <aside class="sidebar images-side">
        <input ref=${search} class="search" type="search" aria-label="search images"
          placeholder="Search ids and classes" value=${state.query}
          onInput=${(event) => set({ query: event.target.value })}/>
        <${Select} label="only" value=${only} options=${options(ONLY)} onChange=${(value) => set({ only: value })}/>
        <${Select} label="sort" value=${sort} options=${options(SORTS)} onChange=${(value) => set({ sort: value })}/>
        <output class="count">${shown.length} of ${snapshot.images.count} images</output>
        <${ImageList} ...${{ snapshot, scores, shown }} selected=${n}
          onSelect=${(image) => set({ image: String(image) })}/>
      </aside>
      ${
        n === undefined
          ? html`<${Message} title="No image passes" text="Clear the search, or choose all images."/>`
          : html`<${Explained} ...${{ snapshot, layer, scores, n, other, state, set, look }}/>`
      }
    </div></main>`;
}

/** TensorBoard calls this. */
export function render() {
  host.dress(() => mount(html`<${App}/>`, document.body));
}
