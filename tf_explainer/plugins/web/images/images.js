// The Explained images tab.

import { Message, Reading, Select, SkipLink } from "../shared/controls.js";
import { wholeBelow } from "../shared/figures.js";
import * as host from "../shared/host.js";
import { runs as askRuns, ImageScores } from "../shared/image_scores.js";
import { useKeys } from "../shared/key_help.js";
import { lookFrom } from "../shared/look.js";
import { LookControls } from "../shared/look_controls.js";
import { snapshotOf } from "../shared/snapshots.js";
import {
  early,
  latestRun,
  Missing,
  nearestStep,
  useAddress,
  useRead,
  useRuns,
  writtenAt,
} from "../shared/tab_state.js";
import { Toolbar } from "../shared/toolbar.js";
import { html, render as mount, useMemo, useRef } from "../vendor/preact-htm.js";
import { Explained } from "./explained_image.js";
import { chosenImages, ImageList, ONLY, SORTS } from "./image_list.js";

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
const askForRuns = early(askRuns);
const KEYS = [
  ["← ↑ ↓ →", "move through the images, once one is selected"],
  ["/", "search"],
  ["Esc", "leave the search"],
  ["?", "these keys"],
];
const without = (state) =>
  Object.fromEntries(
    Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key] || ["run", "step", "image"].includes(key)),
  );

/** Loads a run at a step: {value: {snapshot, scores, layer}, error}. */
function useRun(found, run, step) {
  const written = writtenAt(found, run, step);
  return useRead(written === undefined ? undefined : [run, step].join(), written, async () => {
    const [snapshot, scores] = await Promise.all([
      snapshotOf(run, step, written),
      ImageScores.load(run, step, written),
    ]);
    return { snapshot, scores, layer: await snapshot.layer(scores.layer) };
  });
}

function App() {
  const found = useRuns(askForRuns);
  const [state, set] = useAddress(PLUGIN, DEFAULTS, without);
  const names = Object.keys(found?.runs ?? {}).sort();
  const run = names.includes(state.run) ? state.run : (latestRun(found?.runs, names) ?? "");
  const steps = found?.runs?.[run];
  const step = state.step === "" ? steps?.at(-1) : nearestStep(steps, Number(state.step));
  const { value, error } = useRun(found, run, step);
  const { snapshot, scores, layer } = value ?? {};
  const otherSteps = names.includes(state.compare) ? found.runs[state.compare] : undefined;
  const second = useRun(found, state.compare, nearestStep(otherSteps, step));
  const absent = otherSteps ? String(second.error?.message ?? "reading…") : "this run does not exist";
  const other = state.compare
    ? { run: state.compare, note: otherSteps && second.value ? "" : absent, ...second.value }
    : undefined;
  const search = useRef();
  useKeys({
    "/": (event) => {
      event.preventDefault();
      search.current?.focus();
    },
  });
  const look = useMemo(() => lookFrom(state.look), [state.look]);
  const only = Object.hasOwn(ONLY, state.only) ? state.only : "all";
  const sort = Object.hasOwn(SORTS, state.sort) ? state.sort : "index";
  const shown = useMemo(
    () => (scores ? chosenImages(scores, snapshot.images, { only, sort, query: state.query }) : []),
    [scores, only, sort, state.query],
  );
  if (!found) return html`<${Reading} text="Asking TensorBoard for its runs."/>`;
  if (found.error) return html`<${Message} title="The server does not answer" text=${String(found.error.message)}/>`;
  if (!names.length)
    return html`<${Missing} ...${{ state, names, found }}/><${Message} title="No explained images yet"
      text="No run in this log directory has explained images. To write them, run"
      command=${"python -m tf_explainer.evaluate --flagfile=YOUR.flags\ntensorboard --logdir=WORKDIR/tensorboard"}/>`;
  if (error && !layer)
    return html`<${Missing} ...${{ state, names, found, run, step }}/>
      <${Message} title="This snapshot cannot be shown" text=${String(error.message)}/>`;
  if (!layer) return html`<${Reading} text=${`Run ${run}, step ${step}.`}/>`;
  const wanted = wholeBelow(snapshot.images.count, state.image) ?? 0;
  // An image that the list leaves out is not shown either.
  const n = shown.includes(wanted) ? wanted : shown[0];
  const openRow = ({ f, group }) =>
    host.open(PARTS_PLUGIN, {
      ...{ run, step, layer: layer.name, view: "filters" },
      ...(group === undefined ? { filter: f } : { query: `group ${group + 1}` }),
    });
  const options = (from) => Object.entries(from).map(([key, [text]]) => [key, text]);
  const choices = options(ONLY).filter(([key]) => snapshot.hasExplainer || key !== "differ");
  return html`<main class="app"><${SkipLink} to="the image"/><h1 class="unseen">Explained images</h1>
    <${Toolbar} ...${{ names, run, steps, step, set }} compare=${state.compare} keys=${KEYS}
      beside="a second run, on the same image">
      <${LookControls} look=${look} onChange=${(next) => set({ look: next })}>${
        snapshot.images.landmark_names.length > 0 &&
        html`<button class="plain" aria-pressed=${!!state.marks} title=${snapshot.images.landmark_names.join(", ")}
          onClick=${() => set({ marks: state.marks ? "" : "1" })}>landmarks</button>`
      }<//><//>
    <${Missing} ...${{ state, names, run, step, found, error }}/>
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
          ? html`<${Message} inside title="No matching images"
              text=${html`<button class="plain" onClick=${() => set({ query: "", only: "all" })}>clear all</button>`}/>`
          : html`<${Explained} ...${{ snapshot, layer, scores, n, other, state, set, look }} onOpen=${openRow}/>`
      }
    </div></main>`;
}

/** TensorBoard calls this. */
export function render() {
  host.dress("Explained images", () => mount(html`<${App}/>`, document.body));
}
