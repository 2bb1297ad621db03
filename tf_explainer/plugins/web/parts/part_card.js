// The card of a part: close-ups of its strongest images, what it is on, what it contributes, and its filters, folded.

import { number } from "../shared/figures.js";
import { useLoad } from "../shared/loading.js";
import { followedBy, groupCount, groupName, partColour, partName, partRank } from "../shared/object_parts.js";
import { PartCrop } from "../shared/part_crop.js";
import { html, useLayoutEffect, useState } from "../vendor/preact-htm.js";

const SHOWN = 4;
// Share of the highest peak.
const CLEAR = 0.5;
// [available width, side of the close-ups], in CSS pixels; the least width is for the single-column layout.
const SIDES = [
  [900, 92],
  [640, 76],
  [0, 68],
];
const BADGES = ["on a landmark", "a part", "on nothing that is annotated", "not on the object"];

/** Returns what a part responds to, measured by covering squares of the image; empty if not measured. */
function evidenceOf(layer, group) {
  const evidence = layer.about.group?.groups?.[group]?.evidence;
  if (!evidence) return "";
  const away = Math.round(100 * evidence.distance * layer.grid.spacing);
  return `evidence: what it responds to lies ${away} % of the side from its peak; covered there, it loses
    ${number(evidence.concentration)} times as much as anywhere (${evidence.pairs} image${evidence.pairs === 1 ? "" : "s"})`;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function median(values) {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : NaN;
}

/** Returns the class of an image with the folder in its name, which may be its species. */
const kindOf = ({ ids, labels }, n) => `${labels[n]} ${ids[n].replace(/[^/]*$/, "")}`;

/**
 * Returns the images with the highest peaks, one of each class or species before a second one of any. Classes on which
 * the part is faint do not get this precedence, because their close-ups would show what the part is not.
 */
export function variedFirst(peaks, images, wanted) {
  const order = [...peaks.keys()].filter((n) => peaks[n] > 0).sort((a, b) => peaks[b] - peaks[a] || a - b);
  const seen = new Set();
  const clear = order.filter((n) => peaks[n] >= CLEAR * peaks[order[0]]);
  const first = clear.filter((n) => !seen.has(kindOf(images, n)) && seen.add(kindOf(images, n)));
  const taken = new Set(first);
  return [...first, ...order.filter((n) => !taken.has(n))].slice(0, wanted);
}

const strongestOf = async (layer, group) => variedFirst(await layer.partPeaks(group), layer.snapshot.images, SHOWN);

/** Requests a part's close-ups before its card is opened, when the user points at a link to it. */
export async function prepareCard(layer, group) {
  // Errors are ignored here: the card reports them.
  const images = await strongestOf(layer, group).catch(() => []);
  await Promise.allSettled(images.map((n) => layer.snapshot.crop(n)));
}

function useStrongest(layer, group) {
  const [images, setImages] = useState(null);
  useLoad(
    () => strongestOf(layer, group),
    [layer, group],
    setImages,
    () => setImages([]),
    useLayoutEffect,
  );
  return images;
}

/** Returns how often a part and chance are on its landmark; with class names if there are several. */
function onLandmarks(layer, group) {
  const followed = followedBy(layer, group);
  if (!followed.length) return groupName(layer, group).match(/\d+ % of images against.*$/)?.[0] ?? "";
  const percent = (share) => `${Math.round(100 * share)} %`;
  // A name that is the same in all classes needs no class.
  const several = followed.length > 1 || Object.keys(layer.about.group.groups[group].in_class).length > 0;
  return followed
    .map(([name, { landmark, found, chance }]) => {
      const where = `${landmark.replaceAll("_", " ")}${several ? ` of ${name}` : ""}`;
      return `on the ${where} in ${percent(found)} of images (PCK@0.1), chance ${percent(chance)}`;
    })
    .join("; ");
}

function Toggle({ filters, open, onUnfold }) {
  const count = filters.length === 1 ? "1 filter" : `${filters.length} filters alike`;
  return html`<button class="plain" aria-expanded=${open} onClick=${onUnfold}>${open ? "▾" : "▸"} ${count}</button>`;
}

/** share: of all contributions, if these are stored; room: the available width. */
export function PartCard({ layer, group, filters, open, share, room, onUnfold, onZoom }) {
  const [least, side] = SIDES.find(([width]) => room >= width);
  const images = useStrongest(layer, group);
  const colour = partColour(group, groupCount(layer));
  const rank = partRank(groupName(layer, group));
  const ratio = layer.values.ratio ? median(filters.map((f) => layer.values.ratio[f])) : NaN;
  const strongest = (n) => filters.reduce((best, f) => (layer.peak(f, n) > layer.peak(best, n) ? f : best));
  const name = partName(layer, group);
  const facts = [
    share !== undefined && `${number(100 * share)} % of all contributions`,
    !Number.isNaN(ratio) && `median tracking R ${number(ratio)}`,
  ].filter(Boolean);
  return html`<section class=${`part-card ${least ? "" : "narrow"}`} data-part=${group} aria-label=${name}>
    <div class="crops" style=${`min-width:${SHOWN * (side + 10)}px`}>${(images ?? []).map(
      (
        n,
      ) => html`<button key=${n} class="crop-button" style=${`--colour:rgb(${colour})`} title=${layer.snapshot.images.ids[n]}
        onClick=${() => onZoom({ f: strongest(n), n })}><${PartCrop} one=${{ group }} ...${{ layer, n, side }}
          label=${`${name} on ${layer.snapshot.images.ids[n]}`}/></button>`,
    )}</div>
    <div class="about"><h2><i class="part-colour" style=${`background:rgb(${colour})`}></i>${capital(name)}
        ${layer.snapshot.images.landmark_names.length > 0 && html` <span class=${`tag rank-${rank}`}>${BADGES[rank]}</span>`}</h2>
      ${[onLandmarks(layer, group), facts.join(" · "), evidenceOf(layer, group)].filter(Boolean).map((text) => html`<p>${text}</p>`)}
      <${Toggle} ...${{ filters, open, onUnfold }}/></div></section>`;
}

/** The filters that share a place with no other. */
export const Alone = ({ filters, open, onUnfold }) => html`<section class="part-card alone" aria-label="on their own">
  <div class="about"><h2>On their own <small>filters that share a place with no other</small></h2>
    <${Toggle} ...${{ filters, open, onUnfold }}/></div></section>`;
