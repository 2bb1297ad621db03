// The mean of all crops in grey, the background of density maps. It is computed once per snapshot.

import { useLoad } from "../shared/loading.js";
import { html, useRef } from "../vendor/preact-htm.js";

const SIDE = 56;
const drawn = new WeakMap();

async function mean(snapshot) {
  const count = Math.min(snapshot.images.count, 160);
  const small = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const context = small.getContext("2d", { willReadFrequently: true });
  const sum = new Float32Array(SIDE * SIDE);
  for (let n = 0; n < count; n++) {
    const { image, x, y, side } = await snapshot.thumbnail(n);
    context.drawImage(image, x, y, side, side, 0, 0, SIDE, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    for (let p = 0; p < sum.length; p++)
      sum[p] += 0.299 * data[4 * p] + 0.587 * data[4 * p + 1] + 0.114 * data[4 * p + 2];
  }
  const result = context.createImageData(SIDE, SIDE);
  sum.forEach((value, p) => {
    result.data.set([value / count, value / count, value / count, 255], 4 * p);
  });
  context.putImageData(result, 0, 0);
  return small;
}

export function MeanCrop({ snapshot, side }) {
  const canvas = useRef();
  const load = () => {
    if (!drawn.has(snapshot)) drawn.set(snapshot, mean(snapshot));
    return drawn.get(snapshot);
  };
  useLoad(load, [snapshot, side], (small) => canvas.current?.getContext("2d").drawImage(small, 0, 0, side, side));
  return html`<canvas ref=${canvas} width=${side} height=${side} aria-hidden="true"></canvas>`;
}
