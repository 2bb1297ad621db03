// The list of all images of a snapshot, as thumbnails.

import { PictureRow } from "../shared/picture.js";
import { useScrolled } from "../shared/scrolled.js";
import { useFreeKeys } from "../shared/tab_state.js";
import { html, useEffect, useMemo, useRef } from "../vendor/preact-htm.js";

const SIDE = 74;
const ROW = 84;
const COLUMNS = 3;
const GAP = 8;
const OVERSCAN = 300;
const PLAIN = { mode: "none", opacity: 0, threshold: 0.5, map: "viridis", scale: "image" };

export const SORTS = {
  index: ["stored order", (_scores, n) => n],
  low: ["score, low first", (scores, n) => scores.scores[n]],
  high: ["score, high first", (scores, n) => -scores.scores[n]],
  parts: [
    "share of parts, high first",
    (scores, n) =>
      -scores.parts[n] /
      (Math.abs(scores.parts[n]) + Math.abs(scores.ordinary[n]) + Math.abs(scores.baseline[n] + scores.gap[n])),
  ],
};

export const ONLY = {
  all: ["all images", () => true],
  wrong: ["network is wrong", (scores, images, n) => scores.isWrong(images, n)],
  differ: ["explainer disagrees", (scores, _images, n) => scores.explainer_classes[n] !== scores.classes[n]],
  held_out: ["held out", (_scores, images, n) => images.held_out[n] === 1],
};

export function chosenImages(scores, images, { only, sort, query }) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const key = SORTS[sort][1];
  return Array.from({ length: images.count }, (_, n) => n)
    .filter((n) => ONLY[only][1](scores, images, n))
    .filter((n) => {
      const text = `${images.ids[n]} ${images.classes[images.labels[n]] ?? ""}`.toLowerCase();
      return words.every((word) => text.includes(word));
    })
    .sort((a, b) => key(scores, a) - key(scores, b) || a - b);
}

function Thumbs({ row, top, snapshot, scores, selected, onSelect }) {
  const { images } = snapshot;
  const pictures = row.map((n, k) => ({
    x: k * (SIDE + GAP),
    what: `${snapshot.key},${n}`,
    ask: async () => ({ picture: await snapshot.thumbnail(n) }),
  }));
  return html`<div class="thumbs" style=${`top:${top}px`}>${row.map((n) => {
    const wrong = scores.isWrong(images, n);
    return html`<button key=${n} class=${`thumb ${n === selected ? "selected" : ""} ${wrong ? "wrong" : ""}`}
      tabindex="-1" role="option" aria-selected=${n === selected} aria-label=${images.ids[n]}
      title=${`${images.ids[n]}${wrong ? `: classified as ${scores.names[scores.classes[n]]}` : ""}`}
        onClick=${() => onSelect(n)}></button>`;
  })}<${PictureRow} pictures=${pictures} side=${SIDE} look=${PLAIN} rounding=${6}/></div>`;
}

export function ImageList({ snapshot, scores, shown, selected, onSelect }) {
  const scroller = useRef();
  const view = useScrolled(scroller);
  const at = shown.indexOf(selected);
  useEffect(() => {
    const element = scroller.current;
    const top = Math.floor(at / COLUMNS) * ROW;
    if (at >= 0 && (top < element.scrollTop || top + ROW > element.scrollTop + element.clientHeight))
      element.scrollTop = top - ROW;
  }, [at]);
  const rows = useMemo(
    () =>
      Array.from({ length: Math.ceil(shown.length / COLUMNS) }, (_, r) => shown.slice(r * COLUMNS, (r + 1) * COLUMNS)),
    [shown],
  );
  const keys = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    if (!step) return;
    event.preventDefault();
    onSelect(shown[Math.min(Math.max(at + step, 0), shown.length - 1)]);
  };
  useFreeKeys(scroller, keys);
  const first = Math.max(Math.floor((view.top - OVERSCAN) / ROW), 0);
  const seen = rows.slice(first, Math.ceil((view.top + view.height + OVERSCAN) / ROW));
  return html`<div class="image-list" ref=${scroller} tabindex="0" ...${shown.length ? { role: "listbox", "aria-label": "images" } : {}}
    data-shown=${shown.length}>
    <div style=${`height:${rows.length * ROW}px;position:relative`}>${seen.map(
      (row, r) => html`<${Thumbs} key=${row[0]} top=${(first + r) * ROW} ...${{ row, snapshot, scores, onSelect }}
        selected=${row.includes(selected) ? selected : undefined}/>`,
    )}</div>${!shown.length && html`<p class="none">No matching images.</p>`}</div>`;
}
