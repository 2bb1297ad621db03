// Mean contributions by part to the score of each class, over the images for which the network names it.

import { groupCount, groupName, partColour, partName } from "../shared/object_parts.js";

const sum = (values) => values.reduce((total, value) => total + value, 0);
const mean = (values, images) => sum(images.map((n) => values[n])) / images.length;

const known = new WeakMap();

/** Returns the cached result of `classMeans`, or undefined. */
export const knownClassMeans = (layer, scores) => known.get(scores)?.get(layer);

/** Returns the named classes with their mean contributions, those with the most images first. */
export async function classMeans(layer, scores) {
  const means = await scores.means();
  if (!known.has(scores)) known.set(scores, new WeakMap());
  const ofLayers = known.get(scores);
  if (!ofLayers.has(layer)) ofLayers.set(layer, meansByClass(layer, scores, means));
  return ofLayers.get(layer);
}

/** means: from `ImageScores.means`. */
function meansByClass(layer, scores, means) {
  const count = groupCount(layer);
  const labels = [...new Set(scores.classes)].sort((a, b) => a - b);
  return labels
    .map((label, k) => {
      const images = [...scores.classes.keys()].filter((n) => scores.classes[n] === label);
      const filters = means.subarray(k * layer.filters, (k + 1) * layer.filters);
      const rest = [
        ["filters in no part", sum([...filters].filter((_, f) => Number.isNaN(layer.values.group[f])))],
        ["ordinary track", mean(scores.ordinary, images)],
        ["average image", mean(scores.baseline, images)],
        ["gap", mean(scores.gap, images)],
      ].filter(([, value]) => value !== 0);
      const name = scores.names[label] ?? `output ${label}`;
      return {
        label,
        name,
        images: typicalFirst(images, scores, layer.snapshot.images),
        score: mean(scores.scores, images),
        parts: partsOf(layer, filters, count, name),
        rest,
      };
    })
    .sort((a, b) => b.images.length - a.images.length || a.label - b.label);
}

function partsOf(layer, filters, count, className) {
  const parts = Array.from({ length: count }, (_, group) => ({
    group,
    name: groupName(layer, group),
    nameHere: partName(layer, group, className),
    colour: partColour(group, count),
    value: 0,
    filters: 0,
  }));
  filters.forEach((value, f) => {
    const part = parts[layer.values.group[f]];
    if (!part) return;
    part.value += value;
    part.filters += 1;
  });
  return parts.filter((part) => part.filters > 0).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** Sorts images: correctly classified ones first, then by the contribution of parts, the largest first. */
function typicalFirst(images, scores, known) {
  const wrong = (n) => Number(scores.isWrong(known, n));
  return images.sort((a, b) => wrong(a) - wrong(b) || scores.parts[b] - scores.parts[a]);
}

/** Returns each part's share of all contributions to scores, of either sign, [P], from the result of `classMeans`. */
export function partShares(layer, classes) {
  const shares = new Float32Array(groupCount(layer));
  let total = 0;
  for (const { images, parts, rest } of classes) {
    for (const { group, value } of parts) shares[group] += images.length * Math.abs(value);
    total += images.length * sum([...parts.map(({ value }) => value), ...rest.map(([, value]) => value)].map(Math.abs));
  }
  return shares.map((value) => value / (total || 1));
}
