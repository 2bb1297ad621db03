// All images of a snapshot, small, with what can be said of each in a word.

import { Picture } from "../shared/picture.js";
import { useFreeKeys } from "../shared/tab_state.js";
import { html, useEffect, useMemo, useRef, useState } from "../vendor/preact-htm.js";

const SIDE = 74;
const ROW = 84;
const COLUMNS = 3;
const PLAIN = { mode: "none", opacity: 0, threshold: 0.5, map: "viridis", scale: "image" };

export const SORTS = {
  index: ["as they are", (_scores, n) => n],
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

export function ImageList({ snapshot, scores, shown, selected, onSelect }) {
  const scroller = useRef();
  const [view, setView] = useState({ top: 0, height: 900 });
  useEffect(() => {
    const element = scroller.current;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
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
  const { images } = snapshot;
  return html`<div class="image-list" ref=${scroller} tabindex="0" ...${shown.length ? { role: "listbox", "aria-label": "images" } : {}}
    data-shown=${shown.length}>
    <div style=${`height:${rows.length * ROW}px;position:relative`}>${rows.map((row, r) => {
      const top = r * ROW;
      if (top + ROW < view.top - 300 || top > view.top + view.height + 300) return null;
      return html`<div key=${row[0]} class="thumbs" style=${`top:${top}px`}>${row.map((n) => {
        const wrong = scores.isWrong(images, n);
        return html`<button key=${n} class=${`thumb ${n === selected ? "selected" : ""} ${wrong ? "wrong" : ""}`}
          tabindex="-1" role="option" aria-selected=${n === selected}
          title=${`${images.ids[n]}${wrong ? `: taken for ${scores.names[scores.classes[n]]}` : ""}`}
            onClick=${() => onSelect(n)}>
          <${Picture} side=${SIDE} look=${PLAIN} label=${images.ids[n]} what=${`${snapshot.key},${n}`}
            ask=${async () => ({ picture: await snapshot.thumbnail(n) })}/></button>`;
      })}</div>`;
    })}</div>${!shown.length && html`<p class="none">No image passes.</p>`}</div>`;
}
