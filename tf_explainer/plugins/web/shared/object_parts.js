// Object parts: the names, order and colours of groups of filters, and the share that they leave unexplained.

import { html } from "../vendor/preact-htm.js";

/** Returns the title of a group, which says how often it is true; without a title, its number. */
export const groupName = (layer, group) => layer.about.group?.names?.[group] ?? `part ${group + 1}`;

/** Returns a part's name from its title. */
export const shortName = (name) => name.replace(/, (?:[^,]* )?\d+ % of images.*$|, on nothing that is annotated$/, "");

/** Returns a part's short name; with className, the name that it has on images of that class, if stored. */
export function partName(layer, group, className) {
  const about = layer.about.group?.groups?.[group];
  const here = about?.in_class;
  return here && Object.hasOwn(here, className) ? here[className] : (about?.name ?? shortName(groupName(layer, group)));
}

/** Returns how often a part is on its landmark, by class: [[class, {landmark, found, chance}]]; [] if on none. */
export const followedBy = (layer, group) => Object.entries(layer.about.group?.groups?.[group]?.followed ?? {});

/** Returns the rank of a part in a list: named parts first, groups off the object last. */
export function partRank(name) {
  if (/^(beside the object|image border|background)/.test(name)) return 3;
  if (/, on nothing that is annotated$/.test(name)) return 2;
  return /^part \d+$/.test(name) ? 1 : 0;
}

/** Returns a part's colour, as in `parts.png`: hues around the circle, alternating in brightness. */
export function partColour(group, count) {
  const value = 255 * (group % 2 ? 0.72 : 1);
  const channel = (n) => {
    const k = (n + (6 * group) / Math.max(count, 1)) % 6;
    return Math.round(value * (1 - 0.9 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

/** Returns the number of groups of a layer's filters. */
export const groupCount = (layer) =>
  Math.max(
    layer.about.group?.names?.length ?? 0,
    ...layer.values.group.filter((group) => group >= 0).map((g) => g + 1),
  );

/** Returns the share of terms not from parts on the object, by size. parts: [{name, value}]; rest: [[name, value]]. */
export function unexplainedShare({ parts, rest }) {
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const off = parts.filter(({ name }) => partRank(name) === 3).map(({ value }) => value);
  const on = Math.abs(total(parts.map(({ value }) => value)) - total(off));
  const left = total([...off, ...rest.map(([, value]) => value)].map(Math.abs));
  return left / (left + on || 1);
}

/** The unexplained share in words, as a warning if it is more than half. */
export function Unexplained({ share }) {
  const warns = share > 0.5;
  return html`<p class=${`unexplained ${warns ? "tag warn" : "muted"}`}>${Math.round(100 * share)} % of this score does
    not come from parts of the object, but from beside it or from the grey bars.</p>`;
}
