// Object parts: what groups of filters are called, where they come in a list, their colours, and what they leave unexplained.

import { html } from "../vendor/preact-htm.js";

/** What a group of filters is called, with how often that is true; else by its number. */
export const groupName = (layer, group) => layer.about.group?.names?.[group] ?? `part ${group + 1}`;

/** A part's name without how often it is true. */
export const shortName = (name) => name.replace(/, (?:[^,]* )?\d+ % of images.*$|, on nothing that is annotated$/, "");

/** A part's short name; on images of a class, by the landmarks of that class alone, where they are stored. */
export function partName(layer, group, className) {
  const about = layer.about.group?.groups?.[group];
  const here = about?.in_class;
  return here && Object.hasOwn(here, className) ? here[className] : (about?.name ?? shortName(groupName(layer, group)));
}

/** How often a part is on its landmark, class by class: [[class, {landmark, found, chance}]]; [] if it is on none. */
export const followedBy = (layer, group) => Object.entries(layer.about.group?.groups?.[group]?.followed ?? {});

/** The place of a part in the list: what is named first, what is none of the object last. */
export function partRank(name) {
  if (/^(beside the object|image border|background)/.test(name)) return 3;
  if (/, on nothing that is annotated$/.test(name)) return 2;
  return /^part \d+$/.test(name) ? 1 : 0;
}

/** A part's colour, as on `parts.png`: hues around the circle, neighbours of different brightness. */
export function partColour(group, count) {
  const value = 255 * (group % 2 ? 0.72 : 1);
  const channel = (n) => {
    const k = (n + (6 * group) / Math.max(count, 1)) % 6;
    return Math.round(value * (1 - 0.9 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

/** How many groups a layer's filters fall into. */
export const groupCount = (layer) =>
  Math.max(
    layer.about.group?.names?.length ?? 0,
    ...layer.values.group.filter((group) => group >= 0).map((g) => g + 1),
  );

/** The share of all that is given, of either sign, that is not from parts on the object: parts [{name, value}], rest [[what, value]]. */
export function unexplainedShare({ parts, rest }) {
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const off = parts.filter(({ name }) => partRank(name) === 3).map(({ value }) => value);
  const on = Math.abs(total(parts.map(({ value }) => value)) - total(off));
  const left = total([...off, ...rest.map(([, value]) => value)].map(Math.abs));
  return left / (left + on || 1);
}

/** The same in words, with a warning where it is most. */
export function Unexplained({ share }) {
  const warns = share > 0.5;
  return html`<p class=${`unexplained ${warns ? "tag warn" : "muted"}`}>${Math.round(100 * share)} % of what makes this
    score is not from parts of the object: it lies beside it, or in the grey bars.</p>`;
}
