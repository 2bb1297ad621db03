// For a misclassified image: what speaks most for the mistake.

import { signed } from "../shared/figures.js";
import { html } from "../vendor/preact-htm.js";
import { rowsOf, useExplanation } from "./explanation.js";

const SHOWN = 3;

/** Returns the parts and other terms that speak for a class rather than another, the strongest first. */
function misleading(layer, found, n) {
  const rest = [
    ["ordinary track", found.ordinary],
    ["average image", found.baseline],
    ["gap", found.gap],
  ].map(([name, value]) => ({ name, value }));
  return [...rowsOf(layer, found, "part", n), ...rest]
    .filter(({ value }) => value > 0)
    .sort((a, b) => b.value - a.value)
    .slice(0, SHOWN);
}

export function Misled({ snapshot, layer, scores, n }) {
  const { images } = snapshot;
  const wrong = scores.isWrong(images, n);
  const own = images.classes[images.labels[n]];
  // If the scores of its true class are not stored, there is no difference: the score of the named class is explained.
  const rather = wrong ? scores.ranks.find((one) => one.names[one.classes[n]] === own) : undefined;
  const { found } = useExplanation(layer, scores, rather, n);
  if (!wrong || !found) return null;
  const by = misleading(layer, found, n).map(({ name, value }) => `${name} ${signed(value)}`);
  return html`<p class="misled tag warn">Taken for ${found.name}, but it is ${own}. What misled the network most, in nats
    for ${found.name}${rather ? ` rather than ${own}` : ""}: ${by.join(", ") || "cause not known"}.</p>`;
}
