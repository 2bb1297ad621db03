// The filters of a layer: search and order, the cards or the grid, and the opened filter.

import { download, Select } from "../shared/controls.js";
import { chosen, csv, lowFirst, wholeBelow } from "../shared/figures.js";
import { useKeys } from "../shared/key_help.js";
import { useLoad } from "../shared/loading.js";
import { isPopoverOpen } from "../shared/popover.js";
import { html, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { classMeans, knownClassMeans, partShares } from "./class_means.js";
import { FilterGrid } from "./filter_grid.js";
import { FilterPanel } from "./filter_panel.js";
import { Sidebar } from "./filter_sidebar.js";
import { Zoom } from "./zoom.js";

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

/** Returns each part's share of all contributions; undefined if not stored, or not loaded yet. */
function useShares(layer, scores) {
  const answered = scores?.layer === layer.name && layer.values.group;
  const [, setLoaded] = useState(null);
  // Already loaded if the user comes from the classes; then the filters are not sorted twice.
  const classes = answered && knownClassMeans(layer, scores);
  useLoad(() => (answered && !classes ? classMeans(layer, scores) : undefined), [layer, scores], setLoaded);
  return useMemo(() => (classes ? partShares(layer, classes) : undefined), [classes]);
}

/** Returns the enlarged picture and its setter. text: from the address: filter, image, layer, times. */
function useZoom(layer, text, set) {
  const [zoomLayer, setZoomLayer] = useState(null);
  const [f, n, name, times] = text.split(",");
  const asked = wholeBelow(layer.snapshot.images.count, n) !== undefined;
  useLoad(
    () => (asked ? layer.snapshot.layer(name) : undefined),
    [layer, text],
    setZoomLayer,
    () => setZoomLayer(null),
  );
  const zoom = (next) =>
    set({
      zoom: next ? [next.f, next.n, next.layer?.name ?? layer.name, ...(next.times ? [next.times] : [])].join(",") : "",
    });
  const is = asked && zoomLayer?.name === name && wholeBelow(zoomLayer.filters, f) !== undefined;
  const shown = is ? { layer: zoomLayer, f: Number(f), n: Number(n), times: Number(times) } : null;
  return [shown, zoom];
}

/** The controls that search and sort the filters, above those that narrow them down. */
function Chooser({ layer, filters, state, set, sort, descending, grouped, search, hasShares, onCsv }) {
  const sortable = [
    ...(hasShares ? [["contribution", "contribution"]] : []),
    ["index", "filter number"],
    ...layer.figures.filter(({ kind }) => kind !== "filter").map(({ key, label }) => [key, label]),
  ];
  return html`<section class="chooser">
    <input ref=${search} class="search" type="search" aria-label="search"
      placeholder="17, dead, group 3 ( / )" value=${state.query}
      onInput=${(event) => set({ query: event.target.value })}/>
    <${Select} label="sort" value=${sort} options=${sortable}
      onChange=${(value) => set({ sort: value, descending: "" })}/>
    <p><button class="plain" onClick=${() => set({ descending: descending ? "0" : "1" })}
      title="reverse the order">${descending ? "high first ↓" : "low first ↑"}</button>
    <button class="plain" aria-pressed=${grouped} onClick=${() => set({ grouped: grouped ? "0" : "1" })}
      title="filters that peak at the same place (G)">by part</button></p>
    <p><output class="count">${filters.length} of ${layer.filters} filters</output><span class="spring"></span>
    <button class="plain" onClick=${onCsv} title="figures of these filters">CSV</button></p>
  </section>`;
}

/** others: names of the other runs; link: the address of this view. */
export function FilterView({ layer, other, scores, state, set, look, run, others, link, onImage }) {
  const shares = useShares(layer, scores);
  const ranges = useMemo(() => rangesFrom(state.ranges), [state.ranges]);
  const flags = state.flags ? state.flags.split(",") : [];
  const grouped = state.grouped === "1" && !!layer.about.group;
  const ordered = ["index", ...Object.keys(layer.about), ...(shares ? ["contribution"] : [])];
  const usual = grouped && shares ? "contribution" : layer.about.ratio ? "ratio" : "index";
  const sort = ordered.includes(state.sort) ? state.sort : usual;
  const descending = state.descending === "" ? !lowFirst(sort) : state.descending === "1";
  const filters = useMemo(() => {
    const by = sort === "contribution" ? { sort: "index", descending: false } : { sort, descending };
    return chosen(layer, { ...by, ranges, flags, query: state.query });
  }, [layer, sort, descending, state.ranges, state.flags, state.query]);
  const [selected, setSelected] = useState(undefined);
  const opened = wholeBelow(layer.filters, state.filter);
  const [zoomed, zoom] = useZoom(layer, state.zoom, set);
  const search = useRef();
  const open = (f) => {
    setSelected(f);
    set({ filter: String(f), shown: /^\d/.test(state.shown) ? "strongest" : state.shown });
  };
  const at = filters.indexOf(opened);
  const [previous, next] = [filters[at - 1], at < 0 ? filters[0] : filters[at + 1]];
  useKeys({
    "/": (event) => {
      event.preventDefault();
      search.current?.focus();
    },
    Escape: () => !isPopoverOpen() && (zoomed ? zoom(null) : set({ filter: "" })),
    n: () => next !== undefined && open(next),
    p: () => previous !== undefined && open(previous),
    g: () => set({ grouped: grouped ? "0" : "1" }),
  });
  const saveCsv = () =>
    download(
      `${layer.name}-step-${layer.snapshot.step}.csv`.replaceAll(/[^\w.-]/g, "_"),
      new Blob([csv(layer, filters)], { type: "text/csv" }),
    );
  return html`<h1 class="unseen">Filters of ${layer.title}</h1>
    <div class="body">
      <${Sidebar} ...${{ layer, ranges, flags }} onRanges=${(next) => set({ ranges: rangesText(next) })}
        onFlags=${(next) => set({ flags: next.join(",") })}>
        <${Chooser} ...${{ layer, filters, state, set, sort, descending, grouped, search }}
          hasShares=${!!shares} onCsv=${saveCsv}/><//>
      <${FilterGrid} ...${{ layer, other, filters, grouped, shares, look, sort, descending }}
        side=${Math.min(Math.max(Number(state.side) || 116, 48), 480)}
        unfolded=${state.unfolded} onUnfold=${(unfolded) => set({ unfolded })} onZoom=${zoom}
        selected=${opened ?? selected} onOpen=${open} onClear=${() => set({ query: "", ranges: "", flags: "" })}
        onSelect=${(f) => (opened === undefined ? setSelected(f) : open(f))}/>
      ${
        opened !== undefined &&
        html`<${FilterPanel} ...${{ layer, other, look, link }} neighbours=${[previous, next]} f=${opened}
          runs=${[run, ...others].slice(0, 4)} shown=${state.shown} path=${state.path}
          onShow=${(shown) => set({ shown })} onPath=${(path) => set({ path })}
          onClose=${() => set({ filter: "" })} onOpen=${open} onZoom=${zoom}
          onFilter=${(range) => set({ ranges: rangesText({ ...ranges, ...range }) })}/>`
      }
    </div>
    ${
      zoomed &&
      html`<${Zoom} ...${zoomed} look=${look} onTimes=${(times) => zoom({ ...zoomed, times })}
        onClose=${() => zoom(null)} onImage=${onImage}/>`
    }`;
}
