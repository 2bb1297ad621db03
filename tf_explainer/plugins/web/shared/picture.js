// Canvases that show images with maps on them, redrawn when anything changes.

import { html, useLayoutEffect, useRef, useState } from "../vendor/preact-htm.js";
import { draw } from "./map_drawing.js";

/** Possible enlargements: screen pixels per pixel of a crop along each axis. */
export const TIMES = [1, 2, 3, 4];
const COMFORTABLE = 448;
// As in the style sheets.
const NARROW = 720;

/** Returns how much of a page's width a picture may take: all of it in a single-column layout. */
const roomOf = (width) => (width > NARROW ? width / 2 : width - 40);

/** Returns the requested enlargement if it is possible, otherwise one that suits a crop of this size. */
export const timesOf = (wanted, size) =>
  TIMES.includes(wanted)
    ? wanted
    : Math.min(Math.max(Math.floor(Math.min(COMFORTABLE, roomOf(window.innerWidth)) / size), 1), TIMES.at(-1));

export const COLOURS = { explainer: [46, 204, 255], performer: [255, 159, 28] };

// Drawing is queued, so that frames stay short when many pictures come into view.
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

/** Returns the outline colour of a layer, which tells performer and explainer apart. */
export const colourOf = (layer) => (/performer/.test(layer.name) ? COLOURS.performer : COLOURS.explainer);

/** Returns the value of 100 % on the threshold's scale: the filter's highest activation, or that on this image. */
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
 * Draws pictures side by side. pictures: [{x, ask, what}]; x: in CSS pixels; ask: async, returns {picture, layers,
 * marks}; what: a text that changes when the result of `ask` would. Returns the pixels along a side, and the errors of
 * pictures that cannot be drawn.
 */
function useDrawing(canvas, pictures, { side, look, exact, rounding = 0 }) {
  const [failed, setFailed] = useState({});
  const pixels = Math.round(side * (exact ? 1 : Math.min(window.devicePixelRatio || 1, 2)));
  const scale = pixels / side;
  const whats = pictures.map(({ what }) => what).join(";");
  const drawn = `${whats}|${pixels}|${look.mode},${look.opacity},${look.threshold},${look.map},${look.scale}`;
  // A layout effect, so that requests are sent before the browser lays out the page.
  useLayoutEffect(() => {
    let current = true;
    let left = pictures.length;
    const paint = (x, content) =>
      soon(() => {
        if (!current || !canvas.current) return;
        const context = canvas.current.getContext("2d");
        context.save();
        context.translate(Math.round(x * scale), 0);
        if (rounding) {
          context.beginPath();
          context.roundRect(0, 0, pixels, pixels, rounding * scale);
          context.clip();
        }
        draw(context, pixels, content.picture, content.layers ?? [], look, content.marks);
        context.restore();
        left -= 1;
        if (!left) canvas.current.dataset.drawn = drawn;
      });
    pictures.forEach(({ x, ask }, k) => {
      const says = (text) => current && setFailed((last) => ((last[k] ?? "") === text ? last : { ...last, [k]: text }));
      ask().then(
        (content) => {
          says("");
          paint(x, content);
        },
        (error) => {
          says(String(error.message ?? error));
          paint(x, {});
        },
      );
    });
    return () => {
      current = false;
    };
  }, [drawn]);
  return { pixels, failed };
}

const NotStored = ({ side, why }) =>
  html`<div class="picture failed" style=${`width:${side}px`} title=${why}>not stored</div>`;

/** side: in CSS pixels; ask, what: see `useDrawing`. */
export function Picture({ side, ask, what, look, label, exact }) {
  const canvas = useRef();
  const { pixels, failed } = useDrawing(canvas, [{ x: 0, ask, what }], { side, look, exact });
  return failed[0]
    ? html`<${NotStored} side=${side} why=${failed[0]}/>`
    : html`<canvas class="picture" ref=${canvas} width=${pixels} height=${pixels}
        ...${label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }}
        style=${`width:${side}px`}></canvas>`;
}

/**
 * A row of pictures on one canvas, because pages with hundreds of canvases scroll slowly. pictures: see `useDrawing`.
 */
export function PictureRow({ pictures, side, look, rounding }) {
  const canvas = useRef();
  const { pixels, failed } = useDrawing(canvas, pictures, { side, look, rounding });
  const width = Math.max(...pictures.map(({ x }) => x)) + side;
  return html`${pictures.map(
    ({ x }, k) =>
      failed[k] && html`<div class="in-row" style=${`left:${x}px`}><${NotStored} side=${side} why=${failed[k]}/></div>`,
  )}
    <canvas class="picture in-row" ref=${canvas} width=${Math.round((width * pixels) / side)} height=${pixels}
      aria-hidden="true" style=${`width:${width}px;height:${side}px`}></canvas>`;
}
