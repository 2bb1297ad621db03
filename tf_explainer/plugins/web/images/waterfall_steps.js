// The steps of a waterfall, from the average image's score to that of an image.

import { without } from "./explanation.js";

/** Returns the steps of the other run, with all parts in one. */
export const sums = (one, n, hasTracks) => [
  { key: "baseline", name: "average image", value: one.baseline[n], kind: "rest" },
  { key: "parts", name: "all parts", value: one.parts[n], kind: "all" },
  ...(hasTracks ? [{ key: "ordinary", name: "ordinary track", value: one.ordinary[n], kind: "rest" }] : []),
  { key: "gap", name: "gap", value: one.gap[n], kind: "rest" },
  { key: "score", name: "score", value: one.scores[n], kind: "sum", sum: true },
];

/** Returns the steps up to the score and, if parts are switched off, the score without them. */
export function stepsOf(explanation, rows, shown, off, hasTracks) {
  const { baseline, ordinary, gap, score, name, rather } = explanation;
  const rest = rows.slice(shown);
  const asStep = (row) => ({ ...row, row });
  const of = rather ? `${name} − ${rather}` : name;
  const gone = rows.filter(({ key }) => off.includes(key));
  const left = gone.length && without(score, gone);
  return [
    {
      key: "baseline",
      name: hasTracks ? "average image" : "no activation",
      value: baseline,
      kind: "rest",
      help: "The score of the baseline, to which contributions are added.",
    },
    ...rows.slice(0, shown).map(asStep),
    ...(rest.length
      ? [
          {
            key: "others",
            name: `${rest.length} others`,
            value: rest.reduce((t, { value }) => t + value, 0),
            kind: "all",
          },
        ]
      : []),
    ...(hasTracks
      ? [
          {
            key: "ordinary",
            name: "ordinary track",
            value: ordinary,
            kind: "rest",
            help: "Textures and everything else that is not a part.",
          },
        ]
      : []),
    {
      key: "gap",
      name: "gap: not explained",
      value: gap,
      kind: "rest",
      help: "The error of the attribution: the score minus all other terms.",
    },
    { key: "score", name: `score of ${of}`, value: score, kind: "sum", sum: true },
    ...(left
      ? [
          {
            key: "without",
            name: `without ${gone.map((one) => one.name).join(", ")}`,
            value: left.score,
            kind: "sum without",
            aside: true,
            sum: true,
            how: left.how,
          },
        ]
      : []),
  ];
}
