// A close-up of a part on an image.

import { html } from "../vendor/preact-htm.js";
import { LOOK } from "./look.js";
import { Picture } from "./picture.js";

const CLOSEST = 0.25;
const WIDEST = 0.4;

/** Returns the unit where a map is highest; -1 if it is 0 everywhere. */
export function peakUnit(map) {
  let best = -1;
  for (let unit = 0; unit < map.length; unit++) if (map[unit] > (best < 0 ? 0 : map[best])) best = unit;
  return best;
}

/** Returns where a map is highest: y, x in sides of the crop; null if it is 0 everywhere. */
export function placeOf(map, { side, first, spacing }) {
  const unit = peakUnit(map);
  return unit < 0 ? null : [first + spacing * Math.floor(unit / side), first + spacing * (unit % side)];
}

/** Returns the map of a part, or of a filter, on an image. */
export const mapOf = (layer, { group, f }, n) => (group === undefined ? layer.map(f, n) : layer.partMap(group, n));

/** Returns the square of a picture around a place, as wide as a unit's receptive field, within bounds. */
function closeUp({ image, x, y, side }, [row, column], grid) {
  const share = Math.min(Math.max(grid.extent, 3 * grid.spacing, CLOSEST), WIDEST);
  const within = (at) => Math.min(Math.max(at - share / 2, 0), 1 - share) * side;
  return { image, x: x + within(column), y: y + within(row), side: share * side };
}

/** one: {group} or {f}. If it does not respond, the whole image is shown. */
export function PartCrop({ layer, one, n, side, label }) {
  const { snapshot } = layer;
  const ask = async () => {
    const [picture, map] = await Promise.all([snapshot.crop(n), mapOf(layer, one, n)]);
    const place = placeOf(map, layer.grid);
    return { picture: place ? closeUp(picture, place, layer.grid) : picture };
  };
  return html`<${Picture} side=${side} look=${LOOK} label=${label} ask=${ask}
    what=${`close,${snapshot.key},${layer.name},${one.group},${one.f},${n}`}/>`;
}
