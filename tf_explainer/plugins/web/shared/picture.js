// A canvas that shows an image with what lies on it, drawn again when anything of that changes.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { draw } from "./map_drawing.js";

/** How many screen pixels a pixel of a crop may have along either axis. */
export const TIMES = [1, 2, 3, 4];
const COMFORTABLE = 448;

/** The enlargement that is asked for, or else one that suits a crop of this size. */
export const timesOf = (wanted, size) =>
  TIMES.includes(wanted)
    ? wanted
    : Math.min(Math.max(Math.floor(Math.min(COMFORTABLE, window.innerWidth / 2) / size), 1), TIMES.at(-1));

export const COLOURS = { explainer: [46, 204, 255], performer: [255, 159, 28] };

// Drawing waits its turn, so that a frame in which many pictures come into view is not a long one.
const waiting = [];
const PER_FRAME = 7; // milliseconds

function work() {
  const start = performance.now();
  while (waiting.length && performance.now() - start < PER_FRAME) waiting.shift()();
  if (waiting.length) requestAnimationFrame(work);
}

function soon(job) {
  waiting.push(job);
  if (waiting.length === 1) requestAnimationFrame(work);
}

/** The outline's colour of a layer: the performer's is another one. */
export const colourOf = (layer) => (/performer/.test(layer.name) ? COLOURS.performer : COLOURS.explainer);

/** The value of 1 on the threshold's scale: the filter's highest activation, or this image's. */
export function fullScale(map, look) {
  if (look.scale === "filter") return 255;
  let most = 1;
  for (const value of map) if (value > most) most = value;
  return most;
}

export function layerOf(layer, map, look) {
  return { map, grid: layer.grid, full: fullScale(map, look), colour: colourOf(layer) };
}

/**
 * side: in CSS pixels. ask: async, returns {picture, layers, marks}; what: a text that changes when `ask` would
 * give something else.
 */
export function Picture({ side, ask, what, look, label, exact }) {
  const canvas = useRef();
  const [failed, setFailed] = useState("");
  const pixels = Math.round(side * (exact ? 1 : Math.min(window.devicePixelRatio || 1, 2)));
  const drawn = `${what}|${pixels}|${look.mode},${look.opacity},${look.threshold},${look.map},${look.scale}`;
  useEffect(() => {
    let current = true;
    ask().then(
      ({ picture, layers = [], marks = [] }) => {
        if (current) setFailed("");
        soon(() => {
          if (!current || !canvas.current) return;
          draw(canvas.current, picture, layers, look, marks);
          canvas.current.dataset.drawn = drawn;
        });
      },
      (error) => current && setFailed(String(error.message ?? error)),
    );
    return () => {
      current = false;
    };
  }, [drawn]);
  return failed
    ? html`<div class="picture failed" style=${`width:${side}px`} title=${failed}>not stored</div>`
    : html`<canvas class="picture" ref=${canvas} width=${pixels} height=${pixels}
        ...${label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }}
        style=${`width:${side}px`}></canvas>`;
}
