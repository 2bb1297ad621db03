// Of an image that the network takes for another class than its own: what speaks most for the mistake.

import { signed } from "../shared/figures.js";
import { html } from "../vendor/preact-htm.js";
import { rowsOf, useExplanation } from "./explanation.js";

const SHOWN = 3;

/** What speaks for a class rather than another: parts, and all that is none, the strongest first. */
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
  // Without the scores of its own class there is no difference to look at, but what speaks for the other one.
  const rather = wrong ? scores.ranks.find((one) => one.names[one.classes[n]] === own) : undefined;
  const { found } = useExplanation(layer, scores, rather, n);
  if (!wrong || !found) return null;
  const by = misleading(layer, found, n).map(({ name, value }) => `${name} ${signed(value)}`);
  return html`<p class="misled tag warn">Taken for ${found.name}, but it is ${own}. What misled the network most, in nats
    for ${found.name}${rather ? ` rather than ${own}` : ""}: ${by.join(", ") || "nothing that is known"}.</p>`;
}
