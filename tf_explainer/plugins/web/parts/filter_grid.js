// The grid of filters; only the visible rows are drawn.

import { Legend } from "../shared/look_controls.js";
import { groupName, partRank } from "../shared/object_parts.js";
import { useScrolled } from "../shared/scrolled.js";
import { useFreeKeys } from "../shared/tab_state.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";
import { cellWidth, FilterRow, GAP } from "./filter_row.js";
import { Alone, median, PartCard } from "./part_card.js";

const CAPTION = 42;
// Assumed heights of cards, until they are drawn and measured.
const ALONE = 60;
const CARD = 150;
const OVERSCAN = 480;

/** Returns rows and cards with their positions: [{top, height, row} or {top, height, group, filters}]. */
function layOut(sections, columns, side, unfolded, heights) {
  const items = [];
  let top = GAP;
  const add = (height, item) => {
    items.push({ top, height, ...item });
    top += height;
  };
  for (const { group, filters } of sections) {
    if (group !== undefined) add((heights[group] ?? (group === Infinity ? ALONE : CARD)) + GAP, { group, filters });
    if (group !== undefined && !unfolded.has(group)) continue;
    for (let n = 0; n < filters.length; n += columns) add(side + CAPTION + GAP, { row: filters.slice(n, n + columns) });
  }
  return { items, height: top + GAP };
}

/** Returns filters by part: parts on a landmark first; parts on nothing annotated, or not on the object, last. */
function sectionsOf(layer, filters, grouped, order) {
  const groups = layer.values.group;
  if (!grouped || !groups) return [{ filters }];
  const byGroup = new Map();
  for (const f of filters) {
    const group = Number.isNaN(groups[f]) ? Infinity : groups[f];
    if (!byGroup.has(group)) byGroup.set(group, []);
    byGroup.get(group).push(f);
  }
  const rank = (group) => (group === Infinity ? 4 : Math.max(partRank(groupName(layer, group)), 1));
  const keys = new Map([...byGroup].map(([group, members]) => [group, order(group, members)]));
  return [...byGroup]
    .sort(([a], [b]) => rank(a) - rank(b) || keys.get(a) - keys.get(b) || a - b)
    .map(([group, members]) => ({ group, filters: members }));
}

/** Returns the sort key of parts, low first: their share of all contributions, or the median of a figure. */
function orderOf(layer, shares, sort, descending) {
  const sign = descending ? -1 : 1;
  const values = Object.hasOwn(layer.values, sort) ? layer.values[sort] : undefined;
  return (group, members) => {
    if (sort === "contribution") return sign * (shares?.[group] ?? 0);
    const value = values ? median(members.map((f) => values[f])) : Math.min(...members);
    return Number.isNaN(value) ? Infinity : sign * value;
  };
}

/** A card in its row; reports its height. */
function CardRow({ top, group, onHeight, children }) {
  const row = useRef();
  useLayoutEffect(() => {
    const resized = new ResizeObserver(() => row.current && onHeight(group, row.current.offsetHeight));
    resized.observe(row.current);
    return () => resized.disconnect();
  }, [group]);
  return html`<div class="row" ref=${row} style=${`top:${top}px`}>${children}</div>`;
}

export function FilterGrid({
  layer,
  other,
  filters,
  grouped,
  shares,
  side,
  look,
  sort,
  descending,
  selected,
  unfolded,
  onUnfold,
  onOpen,
  onSelect,
  onZoom,
  onClear,
}) {
  const scroller = useRef();
  const view = useScrolled(scroller);
  const columns = Math.max(1, Math.floor((view.width - GAP) / (cellWidth(side, other) + GAP)));
  const opened = useMemo(() => new Set(unfolded.split(",").filter(Boolean).map(Number)), [unfolded]);
  const sections = useMemo(
    () => sectionsOf(layer, filters, grouped, orderOf(layer, shares, sort, descending)),
    [layer, filters, grouped, shares, sort, descending],
  );
  const [heights, setHeights] = useState({});
  const measured = (group, height) =>
    height && setHeights((last) => (last[group] === height ? last : { ...last, [group]: height }));
  // A single part is shown unfolded.
  const open = sections.length === 1 ? new Set([sections[0].group]) : opened;
  const { items, height } = useMemo(
    () => layOut(sections, columns, side, open, heights),
    [sections, columns, side, unfolded, heights],
  );
  const unfold = (group) => {
    const next = new Set(opened);
    if (!next.delete(group)) next.add(group);
    onUnfold([...next].join(","));
  };
  const order = useMemo(() => items.flatMap((item) => item.row ?? []), [items]);

  useEffect(() => {
    const item = items.find(({ row }) => row?.includes(selected));
    const element = scroller.current;
    if (!item || !element) return;
    if (item.top < element.scrollTop) element.scrollTop = item.top - GAP;
    else if (item.top + item.height > element.scrollTop + element.clientHeight)
      element.scrollTop = item.top + item.height - element.clientHeight;
  }, [selected, columns]);

  const move = (event) => {
    const at = order.indexOf(selected);
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[event.key];
    if (step) {
      event.preventDefault();
      onSelect(order[Math.min(Math.max(at < 0 ? 0 : at + step, 0), order.length - 1)]);
    } else if (event.key === "Home" || event.key === "End") {
      event.preventDefault();
      onSelect(order[event.key === "Home" ? 0 : order.length - 1]);
    } else if (event.key === "Enter" && at >= 0) {
      event.preventDefault();
      onOpen(selected);
    }
  };

  useFreeKeys(scroller, move);

  const seen = view.width
    ? items.filter(
        (item) => item.top + item.height > view.top - OVERSCAN && item.top < view.top + view.height + OVERSCAN,
      )
    : [];
  const card = ({ group, filters: members, top }) =>
    html`<${CardRow} key=${`g${group}`} ...${{ top, group }} onHeight=${measured}>
      <${group === Infinity ? Alone : PartCard} ...${{ layer, onZoom, group }} room=${view.width} filters=${members}
        share=${shares?.[group]} open=${open.has(group)} onUnfold=${() => unfold(group)}/><//>`;
  const cells = ({ row, top }) =>
    html`<${FilterRow} key=${`r${row[0]}`} ...${{ top, row, layer, other, side, look, sort, selected, onOpen }}/>`;
  return html`<div class="grid-frame"><div class="grid" id="content" ref=${scroller} tabindex="0" role="region"
      aria-label="filters" data-ready=${seen.length ? "grid" : ""} data-shown=${filters.length}>
    <div class="canvas" style=${`height:${height}px`}>${seen.map((item) => (item.row ? cells(item) : card(item)))}</div>
    ${!filters.length && html`<p class="none">No matching filters. <button class="plain" onClick=${onClear}>clear all</button></p>`}
  </div>${order.length > 0 && look.mode !== "none" && html`<p class="on-picture"><${Legend} look=${look}/></p>`}</div>`;
}
