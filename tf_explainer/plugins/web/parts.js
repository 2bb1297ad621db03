// The Parts tab.

import { ClassView } from "./class_view.js";
import { Message, Reading, Select, SkipLink, StepSlider } from "./controls.js";
import { FilterView } from "./filter_view.js";
import * as host from "./host.js";
import { runs as askScoredRuns, ImageScores } from "./image_scores.js";
import { KeyHelp } from "./key_help.js";
import { lookFrom } from "./look.js";
import { runs as askRuns, snapshotOf } from "./snapshots.js";
import { latestRun, Missing, nearestStep, useAddress, useRuns } from "./tab_state.js";
import { html, render as mount, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";

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

const VIEWS = { classes: "classes", matrix: "matrix", filters: "filters" };
// An address that says more than this of the grid of filters leads to that.
const OF_ANY_VIEW = ["run", "step", "view", "look"];

const KEYS = [
  ["← ↑ ↓ →", "walk through the filters"],
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

/** Loads a layer of a run at a step, and keeps the last one on screen until the next is here. */
function useLayer(run, step, name, reloads) {
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (run === "" || step === undefined) return setLoaded({});
    let current = true;
    snapshotOf(run, step, reloads)
      .then((snapshot) =>
        snapshot.layer(
          snapshot.layerNames.includes(name) || !name ? name || snapshot.layerNames[0] : snapshot.layerNames[0],
        ),
      )
      .then(
        (layer) => current && setLoaded({ layer }),
        (error) => current && setLoaded({ error }),
      );
    return () => {
      current = false;
    };
  }, [run, step, name, reloads]);
  return loaded;
}

/** What decides the images of a run at a step; null where that is not stored, undefined while it is not known. */
function useScores(run, step, reloads) {
  const [loaded, setLoaded] = useState({});
  useEffect(() => {
    if (step === undefined) return undefined;
    let current = true;
    askScoredRuns()
      .then(({ runs }) => (runs[run]?.includes(step) ? ImageScores.load(run, step) : null))
      .then(
        (scores) => current && setLoaded({ run, step, scores }),
        () => current && setLoaded({ run, step, scores: null }),
      );
    return () => {
      current = false;
    };
  }, [run, step, reloads]);
  return loaded.run === run && loaded.step === step ? loaded.scores : undefined;
}

function App() {
  const { found, reloads } = useRuns(askRuns);
  const [state, put] = useAddress(PLUGIN, DEFAULTS, without);
  // Who is among the filters stays there, whatever else is put back to what it is by default.
  const shownView = useRef("");
  const set = (change) => put({ ...(shownView.current === "filters" && { view: "filters" }), ...change });
  const names = Object.keys(found?.runs ?? {}).sort();
  const run = names.includes(state.run) ? state.run : (latestRun(found?.runs, names) ?? "");
  const steps = found?.runs?.[run];
  const step = state.step === "" ? steps?.at(-1) : nearestStep(steps, Number(state.step));
  const { layer, error } = useLayer(run, step, state.layer, reloads);
  const scores = useScores(run, step, reloads);
  const otherSteps = names.includes(state.compare) ? found.runs[state.compare] : undefined;
  const beside = useLayer(
    otherSteps ? state.compare : "",
    otherSteps && nearestStep(otherSteps, step),
    layer?.name ?? "",
    reloads,
  );
  const other = !otherSteps || !layer ? undefined : beside.layer?.name === layer.name ? beside.layer : null;
  const reading = !beside.layer && !beside.error;
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

  if (!found) return html`<${Reading} text="TensorBoard is asked for its runs."/>`;
  if (found.error) return html`<${Message} title="The server does not answer" text=${String(found.error.message)}/>`;
  if (!names.length)
    return html`<${Missing} ...${{ state, names }} skipped=${found.skipped}/><${Message} title="No parts yet"
      text="No run in this log directory has a snapshot of parts. To write one, run"
      command=${"python -m tf_explainer.evaluate --flagfile=YOUR.flags\ntensorboard --logdir=WORKDIR/tensorboard"}/>`;
  if (error) return html`<${Message} title="This snapshot cannot be shown" text=${String(error.message)}/>`;
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
    <header class="bar">
      <${Select} label="run" value=${run} options=${names.map((name) => [name, name || "."])}
        onChange=${(value) => set({ run: value, step: "" })}/>
      <${StepSlider} steps=${steps} step=${step} onChange=${(value) => set({ step: String(value) })}/>
      ${
        answered &&
        html`<span class="views" role="group" aria-label="view">${Object.entries(VIEWS).map(
          ([key, text]) => html`<button class="plain" aria-pressed=${view === key}
            onClick=${() => set({ view: key })}>${text}</button>`,
        )}</span>`
      }
      ${
        view === "filters" &&
        html`<${Select} label="layer" value=${layer.name}
        options=${layer.snapshot.index.layers.map(({ name, title }) => [name, title])}
        onChange=${(value) => set({ layer: value, filter: "", view: "filters" })}/>
      <${Select} label="beside" value=${state.compare} title="a second run, in the corner of every cell"
        options=${[["", "no other run"], ...names.filter((name) => name !== run).map((name) => [name, name])]}
        onChange=${(value) => set({ compare: value })}/>`
      }
      ${
        state.compare &&
        html`<output
        class="note">${otherSteps ? `${state.compare}: step ${nearestStep(otherSteps, step)}${missing}` : "this run is not here"}</output>`
      }
      <span class="spring"></span><${KeyHelp} keys=${KEYS}/>
    </header>
    <${Missing} ...${{ state, names, run, step, layer }} skipped=${found.skipped}/>
    ${
      view === "filters"
        ? html`<${FilterView} ...${{ layer, other, scores, state, set, look, run }} onImage=${openImage}
            others=${names.filter((name) => name !== run)} link=${host.linkTo(PLUGIN, without(state))}/>`
        : html`<div class="body"><${ClassView} snapshot=${layer.snapshot} ...${{ scores, view }} onPart=${openPart}
            onImage=${openImage}/></div>`
    }
  </main>`;
}

/** TensorBoard calls this. */
export function render() {
  host.dress("Parts", () => mount(html`<${App}/>`, document.body));
}
