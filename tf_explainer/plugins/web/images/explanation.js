// The terms, in nats, of the score of an image's class, or of the difference between two of its classes.

import { number } from "../shared/figures.js";
import { useLoad } from "../shared/loading.js";
import { groupCount, groupName, partColour, partName, unexplainedShare } from "../shared/object_parts.js";
import { useState } from "../vendor/preact-htm.js";

const GREY = [128, 136, 147];
const total = (rows) => rows.reduce((sum, { value }) => sum + value, 0);

/**
 * Explains a score, or, with `rather`, its difference from another score of the same image.
 *
 * Returns {name, rather, score, baseline, ordinary, gap, parts, values, lost}: values by filter; lost: how much the
 * score drops without each part and without the ordinary track, or null if not measured.
 */
export async function explanationOf(scores, rather, n, filters) {
  const both = rather ? [scores, rather] : [scores];
  const [values, lost] = await Promise.all([
    Promise.all(both.map((one) => one.contributions(n, filters))),
    Promise.all(both.map((one) => one.lost(n))),
  ]);
  const minus = ([one, other]) => (other === undefined ? one : one - other);
  const minusAll = ([one, other]) => one.map((value, k) => minus([value, other?.[k]]));
  const nameOf = (one) => one.names[one.classes[n]] ?? `output ${one.classes[n]}`;
  const terms = ["scores", "baseline", "ordinary", "gap", "parts"].map((key) => minus(both.map((one) => one[key][n])));
  const [score, baseline, ordinary, gap, parts] = terms;
  return {
    name: nameOf(scores),
    rather: rather ? nameOf(rather) : "",
    ...{ score, baseline, ordinary, gap, parts },
    values: minusAll(values),
    lost: lost.every(Boolean) ? minusAll(lost) : null,
  };
}

/** Returns the result of `explanationOf` as {found, error}; both are undefined while it loads. */
export function useExplanation(layer, scores, rather, n) {
  const [loaded, setLoaded] = useState({});
  useLoad(
    () => explanationOf(scores, rather, n, layer.filters),
    [layer, scores, rather, n],
    (found) => setLoaded({ found, scores, rather, n }),
    (error) => setLoaded({ error }),
  );
  const isOfThese = loaded.scores === scores && loaded.rather === rather && loaded.n === n;
  return loaded.error || isOfThese ? loaded : {};
}

/** Returns filters, or parts and the filters in no part, the largest contribution first. */
export function rowsOf(layer, { values, lost, name }, by, n) {
  const count = layer.values.group ? groupCount(layer) : 0;
  const rows = [];
  const groups = new Map();
  values.forEach((value, f) => {
    const group = by === "part" ? (layer.values.group?.[f] ?? NaN) : NaN;
    const filter = { key: `f${f}`, f, value, name: `#${f}`, detail: `peak ${number(layer.peak(f, n))}`, colour: GREY };
    if (Number.isNaN(group)) rows.push(filter);
    else groups.set(group, [...(groups.get(group) ?? []), filter]);
  });
  for (const [group, members] of groups)
    rows.push({
      key: `g${group}`,
      group,
      value: total(members),
      lost: lost?.[group],
      name: partName(layer, group, name),
      title: groupName(layer, group),
      detail: `${members.length} ${members.length === 1 ? "filter" : "filters"}`,
      colour: partColour(group, count),
    });
  return rows.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/** Returns the share of an explanation that is not from parts on the object. */
export function unexplainedOf(layer, rows, { baseline, ordinary, gap }) {
  const parts = rows.filter(({ group }) => group !== undefined).map(({ title, value }) => ({ name: title, value }));
  const filters = total(rows.filter(({ group }) => group === undefined));
  const by = parts.length || !layer.values.group ? parts : [{ name: "", value: filters }];
  return unexplainedShare({
    parts: by,
    rest: [
      ["", parts.length ? filters : 0],
      ["", ordinary],
      ["", baseline],
      ["", gap],
    ],
  });
}

/**
 * Returns the score without some rows, and in words how it was computed.
 *
 * off: the rows; `lost` is how much the score drops without them, if measured.
 */
export function without(score, off) {
  const measured = off.every(({ lost }) => lost !== undefined);
  const lost = off.reduce((sum, row) => sum + (measured ? row.lost : row.value), 0);
  const how = !measured
    ? "Contributions are subtracted: the network was not run without this."
    : off.length > 1
      ? "Measured separately for each, as it is on the average image, and added up."
      : "Measured: the network was run with this as it is on the average image.";
  return { score: score - lost, how };
}
