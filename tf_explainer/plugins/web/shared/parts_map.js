// An image with the regions of several parts outlined in their colours, each with a numbered mark.

import { html, useState } from "../vendor/preact-htm.js";
import { useLoad } from "./loading.js";
import { LOOK } from "./look.js";
import { mapOf, placeOf } from "./part_crop.js";
import { layerOf, Picture } from "./picture.js";

// Marks are targets of 24 pixels and must not overlap.
const APART = 26;
const AROUND = [-2, -1, 0, 1, 2]
  .flatMap((y) => [-2, -1, 0, 1, 2].map((x) => [y, x]))
  .sort((a, b) => Math.hypot(...a) - Math.hypot(...b));

/** Moves marks apart, each as little as possible. places: [[y, x]] in sides; least: the smallest distance. */
export function spread(places, least) {
  const taken = [];
  for (const [y, x] of places) {
    const tried = AROUND.map((by) => [y + by[0] * least, x + by[1] * least]);
    const inside = tried.filter((place) => place.every((at) => at >= 0 && at <= 1));
    const free = inside.find((place) =>
      taken.every((other) => Math.max(Math.abs(place[0] - other[0]), Math.abs(place[1] - other[1])) > least - 1e-9),
    );
    taken.push(free ?? [y, x]);
  }
  return taken;
}

/** Returns where each part peaks on an image, by key; null if it does not respond. */
function usePlaces(layer, n, parts) {
  const [places, setPlaces] = useState({});
  const wanted = parts.map(({ key }) => key).join();
  useLoad(
    () => Promise.all(parts.map(async (one) => [one.key, placeOf(await mapOf(layer, one, n), layer.grid)])),
    [layer, n, wanted],
    (found) => setPlaces(Object.fromEntries(found)),
    () => setPlaces({}),
  );
  return places;
}

/**
 * parts: [{key, group or f, name, colour}]; lit: the key of the part, among `others` (default: `parts`), to show alone,
 * or null; landmarks: places to mark by crosses.
 */
export function PartsMap({ layer, n, parts, others, lit, side, look = LOOK, landmarks = [], onLight, onPart }) {
  const { snapshot } = layer;
  const places = usePlaces(layer, n, parts);
  const marked = parts.filter(({ key }) => places[key]);
  const least = APART / Math.min(side, window.innerWidth - 40);
  const spots = spread(
    marked.map(({ key }) => places[key]),
    least,
  );
  const alone = (others ?? parts).filter(({ key }) => key === lit);
  const shown = alone.length ? alone : look.mode === "none" ? [] : parts;
  const ask = async () => ({
    picture: await snapshot.crop(n),
    layers: await Promise.all(
      shown.map(async (one) => ({
        ...layerOf(layer, await mapOf(layer, one, n), look),
        colour: one.colour,
        darkness: alone.length ? look.opacity : 0,
      })),
    ),
    marks: landmarks,
  });
  return html`<div class="parts-map" style=${`--side:${side}px`}>
    <${Picture} side=${side} look=${alone.length ? look : { ...look, mode: "region" }} ask=${ask}
      label=${`parts on ${snapshot.images.ids[n]}`}
      what=${["parts", snapshot.key, layer.name, n, landmarks.length, alone.length, ...shown.map(({ key }) => key)].join()}/>
    ${parts.map(({ key, name, colour }, k) => {
      if (!places[key]) return null;
      const [y, x] = spots[marked.findIndex((one) => one.key === key)];
      const at = `left:${100 * x}%;top:${100 * y}%`;
      return html`<button key=${key} class=${`mark ${lit === key ? "lit" : ""}`} aria-label=${`${k + 1}: ${name}`}
        title=${name} data-mark=${key} style=${`${at};border-color:rgb(${colour});z-index:${lit === key ? 99 : parts.length - k}`}
        onClick=${() => onPart(key)} onMouseEnter=${() => onLight(key)} onMouseLeave=${() => onLight(null)}
        onFocus=${() => onLight(key)} onBlur=${() => onLight(null)}>${k + 1}</button>`;
    })}</div>`;
}
