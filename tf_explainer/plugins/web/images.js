// The Explained images tab.

import { Look, Message, Reading, Select, SkipLink, StepSlider } from "./controls.js";
import { Explained } from "./explained_image.js";
import { wholeBelow } from "./figures.js";
import * as host from "./host.js";
import { chosenImages, ImageList, ONLY, SORTS } from "./image_list.js";
import { runs as askRuns, ImageScores } from "./image_scores.js";
import { KeyHelp } from "./key_help.js";
import { lookFrom, lookText } from "./look.js";
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
  rather: "",
  off: "",
  all: "",
};
const KEYS = [
  ["← ↑ ↓ →", "walk through the images, once one of the list is chosen"],
  ["/", "search"],
  ["Esc", "leave the search"],
  ["?", "these keys"],
];
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
  if (!found) return html`<${Reading} text="TensorBoard is asked for its runs."/>`;
  if (found.error) return html`<${Message} title="The server does not answer" text=${String(found.error.message)}/>`;
  if (!names.length)
    return html`<${Missing} ...${{ state, names }} skipped=${found.skipped}/><${Message} title="No explained images yet"
      text="No run in this log directory says what decides its images. To write that, run"
      command=${"python -m tf_explainer.evaluate --flagfile=YOUR.flags\ntensorboard --logdir=WORKDIR/tensorboard"}/>`;
  if (error) return html`<${Message} title="This snapshot cannot be shown" text=${String(error.message)}/>`;
  if (!layer) return html`<${Reading} text=${`Run ${run}, step ${step}.`}/>`;
  const wanted = wholeBelow(snapshot.images.count, state.image) ?? 0;
  // What the list leaves out is not shown beside it either.
  const n = shown.includes(wanted) ? wanted : shown[0];
  const openRow = ({ f, group }) =>
    host.open(PARTS_PLUGIN, {
      ...{ run, step, layer: layer.name, view: "filters" },
      ...(group === undefined ? { filter: f } : { query: `group ${group + 1}` }),
    });
  const options = (from) => Object.entries(from).map(([key, [text]]) => [key, text]);
  const choices = options(ONLY).filter(([key]) => snapshot.hasExplainer || key !== "differ");
  return html`<main class="app"><${SkipLink} to="the image"/><h1 class="unseen">Explained images</h1>
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
        <${Select} label="only" value=${only} options=${choices}
          onChange=${(value) => set({ only: value })}/>
        <${Select} label="sort" value=${sort} options=${options(SORTS)} onChange=${(value) => set({ sort: value })}/>
        <output class="count">${shown.length} of ${snapshot.images.count} images</output>
        <${ImageList} ...${{ snapshot, scores, shown }} selected=${n}
          onSelect=${(image) => set({ image: String(image) })}/>
      </aside>
      ${
        n === undefined
          ? html`<${Message} inside title="No image passes" text="Clear the search, or choose all images."/>`
          : html`<${Explained} ...${{ snapshot, layer, scores, n, other, state, set, look }} onOpen=${openRow}/>`
      }
    </div></main>`;
}

/** TensorBoard calls this. */
export function render() {
  host.dress("Explained images", () => mount(html`<${App}/>`, document.body));
}
