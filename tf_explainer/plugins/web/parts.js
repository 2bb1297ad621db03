// The Parts tab.

import { ClassView } from "./class_view.js";
import { download, Look, Message, Select, StepSlider } from "./controls.js";
import { chosen, csv, lowFirst, wholeBelow } from "./figures.js";
import { FilterGrid } from "./filter_grid.js";
import { FilterPanel } from "./filter_panel.js";
import { Sidebar } from "./filter_sidebar.js";
import * as host from "./host.js";
import { runs as askScoredRuns, ImageScores } from "./image_scores.js";
import { KeyHelp } from "./key_help.js";
import { lookFrom, lookText } from "./look.js";
import { runs as askRuns, snapshotOf } from "./snapshots.js";
import { latestRun, Missing, nearestStep, useAddress, useRuns } from "./tab_state.js";
import { html, render as mount, useEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { Zoom } from "./zoom.js";

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

const rangesFrom = (text) =>
  Object.fromEntries(
    text
      .split(";")
      .filter(Boolean)
      .map((one) => {
        const [key, low, high] = one.split(":");
        return [key, [Number(low), Number(high)]];
      })
      .filter(([, [low, high]]) => Number.isFinite(low) && Number.isFinite(high)),
  );
const rangesText = (ranges) =>
  Object.entries(ranges)
    .map(([key, [low, high]]) => `${key}:${Number(low.toPrecision(5))}:${Number(high.toPrecision(5))}`)
    .join(";");

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
  const ranges = useMemo(() => rangesFrom(state.ranges), [state.ranges]);
  const flags = state.flags ? state.flags.split(",") : [];
  const sort =
    (layer && Object.hasOwn(layer.about, state.sort)) || state.sort === "index"
      ? state.sort
      : layer?.about.ratio
        ? "ratio"
        : "index";
  const descending = state.descending === "" ? !lowFirst(sort) : state.descending === "1";
  const filters = useMemo(
    () => (layer ? chosen(layer, { sort, descending, ranges, flags, query: state.query }) : []),
    [layer, sort, descending, state.ranges, state.flags, state.query],
  );
  const [selected, setSelected] = useState(undefined);
  const opened = layer && wholeBelow(layer.filters, state.filter);
  const [zoomLayer, setZoomLayer] = useState(null);
  const [zoomFilter, zoomImage, zoomIn, zoomTimes] = state.zoom.split(",");
  const zoomed = layer && wholeBelow(layer.snapshot.images.count, zoomImage) !== undefined;
  const setZoomed = (next) =>
    set({
      zoom: next ? [next.f, next.n, next.layer?.name ?? layer.name, ...(next.times ? [next.times] : [])].join(",") : "",
    });
  useEffect(() => {
    let current = true;
    if (zoomed)
      layer.snapshot.layer(zoomIn).then(
        (found) => current && setZoomLayer(found),
        () => current && setZoomLayer(null),
      );
    return () => {
      current = false;
    };
  }, [layer, state.zoom]);
  const search = useRef();
  const grouped = state.grouped === "1" && !!layer?.about.group;
  const open = (f) => {
    setSelected(f);
    set({ filter: String(f), shown: /^\d/.test(state.shown) ? "strongest" : state.shown });
  };
  const at = filters.indexOf(opened);
  const neighbours = [filters[at - 1], at < 0 ? filters[0] : filters[at + 1]];

  useEffect(() => {
    const keys = (event) => {
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return event.key === "Escape" && event.target.blur();
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (shownView.current !== "filters" && /^[npg]$/.test(event.key)) return;
      const moved = (by) =>
        steps && set({ step: String(steps[Math.min(Math.max(steps.indexOf(step) + by, 0), steps.length - 1)]) });
      const actions = {
        "/": () => {
          event.preventDefault();
          search.current?.focus();
        },
        Escape: () => (zoomed ? setZoomed(null) : set({ filter: "" })),
        n: () => neighbours[1] !== undefined && open(neighbours[1]),
        p: () => neighbours[0] !== undefined && open(neighbours[0]),
        g: () => set({ grouped: grouped ? "0" : "1" }),
        "[": () => moved(-1),
        "]": () => moved(1),
      };
      actions[event.key]?.();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  });

  if (!found) return html`<${Message} title="Reading…" text="TensorBoard is asked for its runs."/>`;
  if (found.error) return html`<${Message} title="The server does not answer" text=${String(found.error.message)}/>`;
  if (!names.length)
    return html`<${Missing} ...${{ state, names }} skipped=${found.skipped}/><${Message} title="No parts yet"
      text="No run in this log directory has a snapshot of parts. To write one, run"
      command=${"python -m tf_explainer.evaluate --flagfile=YOUR.flags\ntensorboard --logdir=WORKDIR/tensorboard"}/>`;
  if (error) return html`<${Message} title="This snapshot cannot be shown" text=${String(error.message)}/>`;
  if (!layer) return html`<${Message} title="Reading…" text=${`Run ${run}, step ${step}.`}/>`;

  const sortable = [
    ["index", "filter number"],
    ...layer.figures.filter(({ kind }) => kind !== "filter").map(({ key, label }) => [key, label]),
  ];
  const asksForFilters = Object.keys(DEFAULTS).some(
    (key) => !OF_ANY_VIEW.includes(key) && state[key] !== DEFAULTS[key],
  );
  const answered = scores && layer.snapshot.layerNames.includes(scores.layer);
  const asked = Object.hasOwn(VIEWS, state.view) ? state.view : asksForFilters ? "filters" : "classes";
  if (scores === undefined && asked !== "filters")
    return html`<${Message} title="Reading…" text=${`Run ${run}, step ${step}.`}/>`;
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
  const share = host.linkTo(PLUGIN, without(state));
  const saveCsv = () =>
    download(
      `${layer.name}-step-${step}.csv`.replaceAll(/[^\w.-]/g, "_"),
      new Blob([csv(layer, filters)], { type: "text/csv" }),
    );
  return html`<main class="app">
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
    ${
      view === "filters" &&
      html`<header class="bar second">
      <input ref=${search} class="search" type="search" aria-label="search"
        placeholder="Search: 17, 42, dead, group 3 ( / )" value=${state.query}
        onInput=${(event) => set({ query: event.target.value })}/>
      <${Select} label="sort" value=${sort} options=${sortable}
        onChange=${(value) => set({ sort: value, descending: "" })}/>
      <button class="plain" onClick=${() => set({ descending: descending ? "0" : "1" })}
        title="turn the order round">${descending ? "high first ↓" : "low first ↑"}</button>
      <button class="plain" aria-pressed=${grouped} onClick=${() => set({ grouped: grouped ? "0" : "1" })}
        title="filters that peak at the same place (G)">by part</button>
      <${Look} look=${look} onChange=${(next) => set({ look: lookText(next) })}/>
      <span class="spring"></span><output class="count">${filters.length} of ${layer.filters} filters</output>
      <button class="plain" onClick=${saveCsv} title="figures of these filters">CSV</button>
    </header>`
    }
    <${Missing} ...${{ state, names, run, step, layer }} skipped=${found.skipped}/>
    <div class="body">
      ${
        view !== "filters"
          ? html`<${ClassView} snapshot=${layer.snapshot} ...${{ scores, view }} onPart=${openPart}
              onImage=${(n) => host.open(IMAGES_PLUGIN, { run, step, image: n })}/>`
          : html`<${Sidebar} ...${{ layer, ranges, flags }} onRanges=${(next) => set({ ranges: rangesText(next) })}
        onFlags=${(next) => set({ flags: next.join(",") })}/>
      <${FilterGrid} ...${{ layer, other, filters, grouped, look, sort }} side=${Math.min(Math.max(Number(state.side) || 116, 48), 480)}
        unfolded=${state.unfolded} onUnfold=${(unfolded) => set({ unfolded })}
        selected=${opened ?? selected} onOpen=${open}
        onSelect=${(f) => (opened === undefined ? setSelected(f) : open(f))}/>
      ${
        opened !== undefined &&
        html`<${FilterPanel} ...${{ layer, other, look, neighbours }} f=${opened}
          runs=${[run, ...names.filter((name) => name !== run)].slice(0, 4)} link=${share}
        shown=${state.shown} path=${state.path} onShow=${(shown) => set({ shown })} onPath=${(path) => set({ path })}
        onClose=${() => set({ filter: "" })} onOpen=${open} onZoom=${setZoomed}
          onFilter=${(range) => set({ ranges: rangesText({ ...ranges, ...range }) })}/>`
      }`
      }
    </div>
    ${
      zoomed &&
      zoomLayer?.name === zoomIn &&
      wholeBelow(zoomLayer.filters, zoomFilter) !== undefined &&
      html`<${Zoom} layer=${zoomLayer} f=${Number(zoomFilter)} n=${Number(zoomImage)} times=${Number(zoomTimes)}
        look=${look} onTimes=${(times) => setZoomed({ f: zoomFilter, n: zoomImage, layer: zoomLayer, times })}
        onClose=${() => setZoomed(null)}
      onImage=${(n) => host.open(IMAGES_PLUGIN, { run, step, image: n })}/>`
    }
  </main>`;
}

/** TensorBoard calls this. */
export function render() {
  host.dress(() => mount(html`<${App}/>`, document.body));
}
