// How maps are drawn on crops, as text in the address.

import { COLOUR_MAPS } from "./colour_maps.js";

export const LOOK = { mode: "region", threshold: 0.5, opacity: 0.55, scale: "image", map: "viridis" };

export function lookFrom(text) {
  const [mode, threshold, opacity, scale, map] = text.split(",");
  const share = (value, otherwise) => (value && Number(value) >= 0 && Number(value) <= 1 ? Number(value) : otherwise);
  return {
    mode: ["region", "heat", "none"].includes(mode) ? mode : LOOK.mode,
    threshold: share(threshold, LOOK.threshold),
    opacity: share(opacity, LOOK.opacity),
    scale: scale === "filter" ? "filter" : "image",
    map: Object.hasOwn(COLOUR_MAPS, map ?? "") ? map : LOOK.map,
  };
}

export const lookText = ({ mode, threshold, opacity, scale, map }) => [mode, threshold, opacity, scale, map].join(",");
