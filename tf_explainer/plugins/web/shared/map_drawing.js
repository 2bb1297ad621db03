// Draws a filter's map on a crop: the region above a threshold, or the map in colours.

import { COLOUR_MAPS, signedColour } from "./colour_maps.js";

const weights = new Map();

/** Returns, for every pixel along a side: the unit before it, and how far it is on the way to the next. */
function interpolation({ side, first, spacing }, size) {
  const key = `${side},${first},${spacing},${size}`;
  if (!weights.has(key)) {
    const low = new Uint16Array(size);
    const share = new Float32Array(size);
    for (let p = 0; p < size; p++) {
      const at = Math.min(Math.max(((p + 0.5) / size - first) / spacing, 0), side - 1);
      low[p] = Math.min(Math.floor(at), Math.max(side - 2, 0));
      share[p] = at - low[p];
    }
    weights.set(key, { low, share });
  }
  return weights.get(key);
}

/** Upsamples a map to pixels: bilinear between the centres of units, constant beyond the outermost. */
export function upsampled(map, grid, size) {
  const { low, share } = interpolation(grid, size);
  const { side } = grid;
  const step = side > 1 ? 1 : 0;
  const values = new Float32Array(size * size);
  const row = new Float32Array(side);
  for (let y = 0; y < size; y++) {
    const above = low[y] * side;
    for (let i = 0; i < side; i++) {
      row[i] = map[above + i] + share[y] * (map[above + step * side + i] - map[above + i]);
    }
    for (let x = 0; x < size; x++) {
      values[y * size + x] = row[low[x]] + share[x] * (row[low[x] + step] - row[low[x]]);
    }
  }
  return values;
}

const clamp = (value) => Math.min(Math.max(value, 0), 1);

/** Returns the largest change of a map from one pixel to the next. */
function steepest(map, { side, spacing }, size) {
  let most = 0;
  for (let unit = 0; unit < map.length; unit++) {
    if ((unit + 1) % side) most = Math.max(most, Math.abs(map[unit + 1] - map[unit]));
    if (unit + side < map.length) most = Math.max(most, Math.abs(map[unit + side] - map[unit]));
  }
  return (Math.SQRT2 * most) / (spacing * size);
}

function regionPixels(values, size, level, steep, colour, darkness, pixels) {
  const width = Math.max(1.5, size / 140);
  const far = (width + 1) * steep;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = y * size + x;
      // Most pixels are too far from the outline for its slope to matter.
      if (values[at] - level > far) continue;
      if (level - values[at] > far) {
        pixels[4 * at + 3] = 255 * darkness;
        continue;
      }
      const dx = values[y * size + Math.min(x + 1, size - 1)] - values[y * size + Math.max(x - 1, 0)];
      const dy = values[Math.min(y + 1, size - 1) * size + x] - values[Math.max(y - 1, 0) * size + x];
      const inside = (values[at] - level) / Math.max(Math.hypot(dx, dy) / 2, 1e-3);
      const outline = clamp(inside + 0.5) * clamp(width + 0.5 - inside);
      const dark = darkness * clamp(0.5 - inside);
      const alpha = Math.max(outline, dark);
      const shade = alpha > 0 ? outline / (outline + dark) : 0;
      pixels[4 * at] = colour[0] * shade;
      pixels[4 * at + 1] = colour[1] * shade;
      pixels[4 * at + 2] = colour[2] * shade;
      pixels[4 * at + 3] = 255 * alpha;
    }
  }
}

function heatPixels(values, full, level, map, opacity, pixels) {
  for (let at = 0; at < values.length; at++) {
    const i = 3 * Math.round(255 * clamp(values[at] / full));
    pixels[4 * at] = map[i];
    pixels[4 * at + 1] = map[i + 1];
    pixels[4 * at + 2] = map[i + 2];
    pixels[4 * at + 3] = 255 * opacity * clamp(values[at] / Math.max(level, 1e-6));
  }
}

function signedPixels(values, full, pixels) {
  for (let at = 0; at < values.length; at++) {
    const [colour, alpha] = signedColour(values[at] / full);
    pixels.set(colour, 4 * at);
    pixels[4 * at + 3] = 255 * alpha;
  }
}

/** Removes the picture's colours, so that those of a signed map stand out. */
function grey(context, size) {
  context.globalCompositeOperation = "saturation";
  context.fillStyle = "#808080";
  context.fillRect(0, 0, size, size);
  context.globalCompositeOperation = "source-over";
}

let scratch = null;

function lay(context, size, paint) {
  scratch ??= Object.assign(document.createElement("canvas"), { width: size, height: size });
  if (scratch.width < size) scratch.width = scratch.height = size;
  const pixels = new ImageData(size, size);
  paint(pixels.data);
  const ground = scratch.getContext("2d");
  ground.putImageData(pixels, 0, 0);
  context.drawImage(scratch, 0, 0, size, size, 0, 0, size, size);
}

/**
 * Draws a picture.
 *
 * context: its origin is the picture's corner; size: in pixels. picture: {image, x, y, side}. layers: maps to draw on
 * it, each {map, grid, full, colour} or {signed: map, grid, full}; `full` is the value of 100 %. look: {mode, opacity,
 * threshold, map}. marks: [{place}].
 */
export function draw(context, size, picture, layers, look, marks = []) {
  context.imageSmoothingQuality = "high";
  context.clearRect(0, 0, size, size);
  if (picture) {
    context.drawImage(picture.image, picture.x, picture.y, picture.side, picture.side, 0, 0, size, size);
  }
  if (layers.some(({ signed }) => signed)) grey(context, size);
  for (const layer of layers) {
    if (look.mode === "none" && !layer.signed) continue;
    const values = upsampled(layer.signed ?? layer.map, layer.grid, size);
    const level = Math.max(look.threshold * layer.full, 0.5);
    lay(context, size, (pixels) => {
      if (layer.signed) signedPixels(values, layer.full, pixels);
      else if (look.mode === "heat") heatPixels(values, layer.full, level, COLOUR_MAPS[look.map], look.opacity, pixels);
      else
        regionPixels(
          values,
          size,
          level,
          steepest(layer.map, layer.grid, size),
          layer.colour,
          layer.darkness ?? look.opacity,
          pixels,
        );
    });
  }
  for (const mark of marks) cross(context, mark.place, size);
}

function cross(context, [y, x], size) {
  const arm = Math.max(4, size / 28);
  for (const [width, style] of [
    [Math.max(3, size / 60), "rgba(0,0,0,.8)"],
    [Math.max(1.25, size / 160), "#fff"],
  ]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    context.moveTo(x * size - arm, y * size);
    context.lineTo(x * size + arm, y * size);
    context.moveTo(x * size, y * size - arm);
    context.lineTo(x * size, y * size + arm);
    context.stroke();
  }
}
