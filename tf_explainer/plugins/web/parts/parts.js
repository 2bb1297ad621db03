// The Parts tab.

import { Message, Reading, SkipLink } from "../shared/controls.js";
import * as host from "../shared/host.js";
import { runs as askScoredRuns, ImageScores } from "../shared/image_scores.js";
import { lookFrom } from "../shared/look.js";
import { LookControls } from "../shared/look_controls.js";
import { runs as askRuns, snapshotOf } from "../shared/snapshots.js";
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
import { html, render as mount, useEffect, useMemo, useRef } from "../vendor/preact-htm.js";
import { ClassView } from "./class_view.js";
import { FilterView } from "./filter_view.js";

const PLUGIN = "parts";
const IMAGES_PLUGIN = "part_images";
const DEFAULTS = {
  run: "",
  step: "",
  view: "",
  layer: "",
  filter: "",
  sort: "",
  descending: "",
  grouped: "1",
  query: "",
  flags: "",
  ranges: "",
  compare: "",
  look: "",
  side: "116",
  shown: "strongest",
  path: "",
  zoom: "",
  unfolded: "",
};

const askForRuns = early(askRuns);
const askForScoredRuns = early(askScoredRuns);

const VIEWS = { classes: "classes", matrix: "matrix", filters: "filters" };
// An address with any other setting leads to the grid of filters.
const OF_ANY_VIEW = ["run", "step", "view", "look"];

const KEYS = [
  ["← ↑ ↓ →", "move through the filters"],
  ["Enter", "open the filter"],
  ["N, P", "next and previous filter"],
  ["[, ]", "earlier and later step"],
  ["G", "by part, or one grid"],
  ["/", "search"],
  ["Esc", "close"],
  ["?", "these keys"],
];

function without(state) {
  return Object.fromEntries(
    Object.entries(state).filter(([key, value]) => value !== DEFAULTS[key] || key === "run" || key === "step"),
  );
}

/** Loads a layer of a run at a step, or its first layer if that does not exist: {value, error}. */
function useLayer(found, run, step, name) {
  const written = writtenAt(found, run, step);
  return useRead(written === undefined ? undefined : [run, step, name].join(), written, async () => {
    const snapshot = await snapshotOf(run, step, written);
    return snapshot.layer(snapshot.layerNames.includes(name) ? name : snapshot.layerNames[0]);
  });
}

/** Loads the image scores of a run at a step; null if they are not stored, undefined while they load. */
function useScores(found, run, step) {
  const written = writtenAt(found, run, step);
  const what = written === undefined ? undefined : [run, step].join();
  const read = useRead(what, written, async () => {
    const scored = await askForScoredRuns();
    if (!scored.runs[run]?.includes(step)) return null;
    const loaded = await ImageScores.load(run, step, writtenAt(scored, run, step));
    // Requested early for the first screen, while the layer still loads. Errors are reported where means are used.
    loaded.means().catch(() => {});
    return loaded;
  });
  return read.what === what ? (read.value ?? (read.error ? null : read.value)) : undefined;
}

function App() {
  const found = useRuns(askForRuns);
  const [state, put] = useAddress(PLUGIN, DEFAULTS, without);
  // The filter view stays open, even if a change resets all its settings to the defaults.
  const shownView = useRef("");
  const set = (change) => put({ ...(shownView.current === "filters" && { view: "filters" }), ...change });
  const names = Object.keys(found?.runs ?? {}).sort();
  const run = names.includes(state.run) ? state.run : (latestRun(found?.runs, names) ?? "");
  const steps = found?.runs?.[run];
  const step = state.step === "" ? steps?.at(-1) : nearestStep(steps, Number(state.step));
  const { value: layer, error } = useLayer(found, run, step, state.layer);
  const scores = useScores(found, run, step);
  const otherSteps = names.includes(state.compare) ? found.runs[state.compare] : undefined;
  const otherStep = nearestStep(otherSteps, step);
  const beside = useLayer(found, state.compare, otherStep, layer?.name ?? "");
  const other = !otherSteps || !layer ? undefined : beside.value?.name === layer.name ? beside.value : null;
  const reading = !beside.value && !beside.error;
  const missing = other !== null ? "" : reading ? ", reading…" : ", without this layer";

  const look = useMemo(() => lookFrom(state.look), [state.look]);
  useEffect(() => {
    const keys = ({ key, target, ctrlKey, metaKey, altKey }) => {
      const by = { "[": -1, "]": 1 }[key];
      if (!by || !steps || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || ctrlKey || metaKey || altKey) return;
      set({ step: String(steps[Math.min(Math.max(steps.indexOf(step) + by, 0), steps.length - 1)]) });
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  });

  if (!found) return html`<${Reading} text="Asking TensorBoard for its runs."/>`;
  if (found.error) return html`<${Message} title="The server does not answer" text=${String(found.error.message)}/>`;
  if (!names.length)
    return html`<${Missing} ...${{ state, names, found }}/><${Message} title="No parts yet"
      text="No run in this log directory has a snapshot of parts. To write one, run"
      command=${"python -m tf_explainer.evaluate --flagfile=YOUR.flags\ntensorboard --logdir=WORKDIR/tensorboard"}/>`;
  if (error && !layer)
    return html`<${Missing} ...${{ state, names, found, run, step }}/>
      <${Message} title="This snapshot cannot be shown" text=${String(error.message)}/>`;
  if (!layer) return html`<${Reading} text=${`Run ${run}, step ${step}.`}/>`;

  const asksForFilters = Object.keys(DEFAULTS).some(
    (key) => !OF_ANY_VIEW.includes(key) && state[key] !== DEFAULTS[key],
  );
  const answered = scores && layer.snapshot.layerNames.includes(scores.layer);
  const asked = Object.hasOwn(VIEWS, state.view) ? state.view : asksForFilters ? "filters" : "classes";
  if (scores === undefined && asked !== "filters") return html`<${Reading} text=${`Run ${run}, step ${step}.`}/>`;
  const view = answered ? asked : "filters";
  shownView.current = view;
  const openPart = (group) =>
    set({
      view: "filters",
      layer: scores.layer,
      query: `group ${group + 1}`,
      ranges: "",
      flags: "",
      grouped: "1",
      filter: "",
    });
  const openImage = (n) => host.open(IMAGES_PLUGIN, { run, step, image: n });
  return html`<main class="app"><${SkipLink} to=${`the ${view}`}/>
    <${Toolbar} ...${{ names, run, steps, step, set }} compare=${state.compare} keys=${KEYS}
      layer=${layer.name} beside=${view === "filters" ? "a second run, in the corner of every cell" : ""}
      layers=${view === "filters" ? layer.snapshot.index.layers.map(({ name, title }) => [name, title]) : undefined}>
      ${
        answered &&
        html`<span class="views" role="group" aria-label="view">${Object.entries(VIEWS).map(
          ([key, text]) => html`<button class="plain" aria-pressed=${view === key}
            onClick=${() => set({ view: key })}>${text}</button>`,
        )}</span>`
      }
      ${view === "filters" && html`<${LookControls} look=${look} onChange=${(next) => set({ look: next })}/>`}<//>
    <${Missing} ...${{ state, names, run, step, layer, found, error }}/>
    ${
      view === "filters" &&
      state.compare &&
      html`<p class="missing-notes"><output class="note">${
        otherSteps ? `Beside: ${state.compare}, step ${otherStep}${missing}` : `Beside: ${state.compare} does not exist`
      }</output></p>`
    }
    ${
      view === "filters"
        ? html`<${FilterView} ...${{ layer, other, scores, state, set, look, run }} onImage=${openImage}
            others=${names.filter((name) => name !== run)} link=${host.linkTo(PLUGIN, without(state))}/>`
        : html`<div class="body"><${ClassView} snapshot=${layer.snapshot} ...${{ scores, view }} onPart=${openPart}
            onImage=${openImage} onWrong=${() => host.open(IMAGES_PLUGIN, { run, step, only: "wrong" })}/></div>`
    }
  </main>`;
}

/** TensorBoard calls this. */
export function render() {
  host.dress("Parts", () => mount(html`<${App}/>`, document.body));
}
