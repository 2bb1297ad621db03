// An image with the regions of several parts outlined in their colours, each with a numbered mark.

import { LOOK } from "./look.js";
import { mapOf, placeOf } from "./part_crop.js";
import { layerOf, Picture } from "./picture.js";
import { html, useEffect, useState } from "./vendor/preact-htm.js";

/** Where each part peaks on an image, by key; parts that are silent there have no place. */
function usePlaces(layer, n, parts) {
  const [places, setPlaces] = useState({});
  const wanted = parts.map(({ key }) => key).join();
  useEffect(() => {
    let current = true;
    Promise.all(parts.map(async (one) => [one.key, placeOf(await mapOf(layer, one, n), layer.grid)])).then(
      (found) => current && setPlaces(Object.fromEntries(found)),
      () => current && setPlaces({}),
    );
    return () => {
      current = false;
    };
  }, [layer, n, wanted]);
  return places;
}

/**
 * parts: [{key, group or f, name, colour}]; lit: the key of the one of them, or of the others, that is shown alone, or
 * null; landmarks: places that are marked by crosses.
 */
export function PartsMap({ layer, n, parts, others, lit, side, look = LOOK, landmarks = [], onLight, onPart }) {
  const { snapshot } = layer;
  const places = usePlaces(layer, n, parts);
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
      const at = `left:${100 * places[key][1]}%;top:${100 * places[key][0]}%`;
      return html`<button key=${key} class=${`mark ${lit === key ? "lit" : ""}`} aria-label=${`${k + 1}: ${name}`}
        title=${name} data-mark=${key} style=${`${at};border-color:rgb(${colour});z-index:${lit === key ? 99 : parts.length - k}`}
        onClick=${() => onPart(key)} onMouseEnter=${() => onLight(key)} onMouseLeave=${() => onLight(null)}
        onFocus=${() => onLight(key)} onBlur=${() => onLight(null)}>${k + 1}</button>`;
    })}</div>`;
}
