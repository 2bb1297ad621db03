// Formats, sorts and filters figures of filters.

import { groupName } from "./object_parts.js";

/** Formats a number with two or three significant digits. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 1e6)) return value.toExponential(1);
  if (size >= 100) return value.toFixed(0);
  return String(Number(value.toPrecision(size >= 10 ? 3 : 2)));
}

const SIGN = { "% of images": " %", "% of units": " %", "% of side": " %", nats: " nats", "image diagonals": " diag." };

/** Formats a contribution with its sign, and enough decimals to check a sum. */
export function signed(value) {
  const size = Math.abs(value);
  const text = size.toFixed(size >= 100 ? 0 : size >= 0.01 || size === 0 ? 2 : 4);
  return (value > 0 ? "+" : value < 0 ? "−" : "") + text;
}

/** Formats a figure of a filter with its unit. */
export function written(layer, figure, f) {
  const value = layer.values[figure.key][f];
  if (Number.isNaN(value)) return "–";
  if (figure.kind === "class") return layer.snapshot.className(value);
  if (figure.kind === "filter") return `#${value}`;
  if (figure.kind === "group") return groupName(layer, value);
  return number(value) + (SIGN[figure.unit] ?? "");
}

export const isDead = (layer, f) => layer.values.live?.[f] === 0;
export const isRare = (layer, f) => layer.values.live?.[f] > 0 && layer.values.live[f] < 5;
export const isDuplicate = (layer, f) =>
  layer.values.duplicate !== undefined && !Number.isNaN(layer.values.duplicate[f]);

export const FLAGS = {
  dead: { holds: isDead, short: "dead", help: "responds on none of these images" },
  rare: { holds: isRare, short: "rare", help: "responds on fewer than 5 % of these images" },
  duplicate: { holds: isDuplicate, short: "dup.", help: "its maps repeat those of an earlier filter" },
};

// Figures whose low values are the interesting ones.
const LOW_FIRST = /^(ratio|instability|filter_loss|spread|group|index)/;
export const lowFirst = (key) => LOW_FIRST.test(key);

function searched(layer, f, terms) {
  const { category, group } = layer.values;
  const text = [
    category && !Number.isNaN(category[f]) ? layer.snapshot.className(category[f]) : "",
    group && !Number.isNaN(group[f]) ? `group ${group[f] + 1}; ${groupName(layer, group[f])}` : "",
    ...Object.keys(FLAGS).filter((flag) => FLAGS[flag].holds(layer, f)),
  ]
    .join("; ")
    .toLowerCase();
  return terms.every((term) => (/^\d/.test(term) ? term === String(f) : says(text, term)));
}

/** Returns whether a text contains a term; numbers must match completely: `part 2` is not in `part 21`. */
function says(text, term) {
  for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + 1))
    if (!/\d$/.test(term) || !/\d/.test(text[at + term.length] ?? "")) return true;
  return false;
}

/** Splits a query into terms: `#17`, `17` and `filter 17` are filters; a word keeps its number, as in `torso 2`. */
export function termsOf(query) {
  return (query.toLowerCase().match(/#\d+|[^\s,#\d][^\s,#]*\s+\d+(?![^\s,])|[^\s,#]+/g) ?? [])
    .map((term) => term.replace(/\s+/, " "))
    .map((term) => term.replace(/^(?:#|filter )(\d+)$/, "$1"));
}

/** Returns the matching filters, sorted. ranges: {key: [low, high]}; flags: names, of which a filter needs one. */
export function chosen(layer, { sort, descending, ranges, flags, query }) {
  const terms = termsOf(query);
  const anyNumber = terms.filter((term) => /^\d+$/.test(term));
  const others = terms.filter((term) => !anyNumber.includes(term));
  const limits = Object.entries(ranges).filter(([key]) => Object.hasOwn(layer.values, key));
  const kept = [];
  for (let f = 0; f < layer.filters; f++) {
    const inside = limits.every(([key, [low, high]]) => layer.values[key][f] >= low && layer.values[key][f] <= high);
    const flagged = !flags.length || flags.some((flag) => Object.hasOwn(FLAGS, flag) && FLAGS[flag].holds(layer, f));
    const named = !anyNumber.length || anyNumber.includes(String(f));
    if (inside && flagged && named && searched(layer, f, others)) kept.push(f);
  }
  const values = Object.hasOwn(layer.values, sort) ? layer.values[sort] : undefined;
  if (!values) return descending ? kept.reverse() : kept;
  const sign = descending ? -1 : 1;
  const undefinedLast = (f) => (Number.isNaN(values[f]) ? 1 : 0);
  return kept.sort((a, b) => undefinedLast(a) - undefinedLast(b) || sign * (values[a] - values[b]) || a - b);
}

/** Returns the histogram of the defined values: {low, high, counts, defined}. */
export function histogram(values, bins) {
  const defined = Array.from(values).filter((value) => Number.isFinite(value));
  if (!defined.length) return { low: 0, high: 1, counts: new Array(bins).fill(0), defined: 0 };
  const low = Math.min(...defined);
  const high = Math.max(...defined);
  const counts = new Array(bins).fill(0);
  const width = (high - low) / bins || 1;
  for (const value of defined) counts[Math.min(bins - 1, Math.floor((value - low) / width))]++;
  return { low, high: high > low ? high : low + 1, counts, defined: defined.length };
}

/** Quotes a text as a cell of a CSV file; a spreadsheet would run a text with a leading formula sign. */
export function csvText(text) {
  const harmless = /^[-=+@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Parses a whole number below a limit from an address; undefined for any other text. */
export function wholeBelow(limit, text) {
  return /^\d{1,9}$/.test(text) && Number(text) < limit ? Number(text) : undefined;
}

/** Returns the figures of filters as CSV. */
export function csv(layer, filters) {
  const heads = layer.figures.map(({ label, unit }) => csvText(unit ? `${label} [${unit}]` : label));
  const cell = (figure, f) => {
    const value = layer.values[figure.key][f];
    if (Number.isNaN(value)) return "";
    return figure.kind === "class"
      ? csvText(layer.snapshot.className(value))
      : String(figure.kind === "group" ? value + 1 : value);
  };
  const rows = filters.map((f) => [f, ...layer.figures.map((figure) => cell(figure, f))].join(","));
  return [["filter", ...heads].join(","), ...rows].join("\n").concat("\n");
}
