// The strongest, weakest or random images of a filter, also as a file.

import { download } from "../shared/controls.js";
import { number } from "../shared/figures.js";
import { draw } from "../shared/map_drawing.js";
import { layerOf, Picture } from "../shared/picture.js";
import { html } from "../vendor/preact-htm.js";

const SHOWN = 12;
const PICTURE = 132;

// Returns the same pseudo-random images for the same filter, so that a link shows the same.
function random(f, count, wanted) {
  let state = ((f + 1) * 2654435761) >>> 0;
  const all = Array.from({ length: count }, (_, n) => n);
  for (let n = 0; n < Math.min(wanted, count); n++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const other = n + (state % (count - n));
    [all[n], all[other]] = [all[other], all[n]];
  }
  return all.slice(0, wanted);
}

/** choice: `strongest`, `random` or `weakest`; unit: returns all images on which the filter peaks there instead. */
export function imagesOf(layer, f, choice, unit) {
  const order = layer.order(f);
  if (unit !== null) return order.filter((n) => layer.peak(f, n) > 0 && layer.peakUnit(f, n) === unit);
  if (choice === "weakest") return order.slice(-SHOWN).reverse();
  if (choice === "random") return random(f, order.length, SHOWN);
  return order.slice(0, SHOWN);
}

const onCrop = async (layer, f, n, look) => ({
  picture: await layer.snapshot.crop(n),
  layers: [layerOf(layer, await layer.map(f, n), look)],
});

export function Images({ layer, f, images, look, onZoom, side = PICTURE, ranks }) {
  const { snapshot } = layer;
  return html`<div class="images">${images.map((n) => {
    const { labels, predicted, ids, held_out } = snapshot.images;
    const wrong = labels[n] >= 0 && predicted[n] >= 0 && labels[n] !== predicted[n];
    return html`<button class="image" key=${n} style=${`width:${side}px`} onClick=${() => onZoom({ f, n })}
      title=${ids[n]}>
      <${Picture} side=${side} look=${look} label=${`filter ${f} on ${ids[n]}`}
        what=${`${snapshot.key},${layer.name},${f},${n}`} ask=${() => onCrop(layer, f, n, look)}/>
      <span class="caption"><b>${number(layer.peak(f, n))}</b>
        <span class="value">${ranks ? `rank ${layer.order(f).indexOf(n) + 1}` : ""}</span></span>
      <span class="caption"><span
        class="value">${snapshot.className(labels[n])}${wrong ? `, classified as ${snapshot.className(predicted[n])}` : ""}
        ${held_out[n] ? ", held out" : ""}</span></span>
    </button>`;
  })}</div>`;
}

export async function savePicture(layer, f, look) {
  const side = 224;
  const columns = 4;
  const images = layer.order(f).slice(0, SHOWN);
  const canvas = document.createElement("canvas");
  canvas.width = columns * (side + 6) + 6;
  canvas.height = Math.ceil(images.length / columns) * (side + 28) + 40;
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = "#1b1f27";
  context.font = "600 16px system-ui, sans-serif";
  context.fillText(`${layer.title}, filter ${f}; ${layer.snapshot.run}, step ${layer.snapshot.step}`, 8, 24);
  context.font = "13px system-ui, sans-serif";
  const one = Object.assign(document.createElement("canvas"), { width: side, height: side });
  for (const [k, n] of images.entries()) {
    const { picture, layers } = await onCrop(layer, f, n, look);
    draw(one.getContext("2d"), side, picture, layers, look);
    const x = 6 + (k % columns) * (side + 6);
    const y = 36 + Math.floor(k / columns) * (side + 28);
    context.drawImage(one, x, y);
    // Splits into characters, not code units, so that no emoji is cut in two.
    const text = [...`peak ${number(layer.peak(f, n))} · ${layer.snapshot.images.ids[n]}`];
    context.fillText(text.slice(0, 40).join(""), x, y + side + 16);
  }
  canvas.toBlob((blob) => download(`${layer.name}-filter-${f}.png`.replaceAll(/[^\w.-]/g, "_"), blob), "image/png");
}
