// A row of the grid of filters.

import { FLAGS, number, written } from "../shared/figures.js";
import { layerOf, PictureRow } from "../shared/picture.js";
import { html, useMemo } from "../vendor/preact-htm.js";

/** Gap between cells, in CSS pixels. */
export const GAP = 10;
const BESIDE = 2;
const ROUNDING = 6;

/** Returns the width of a cell, alone or with the same filter of another run beside it. */
export const cellWidth = (side, other) => (other === undefined ? side : 2 * side + BESIDE);

/** Returns a picture, at a position in the row, of the image on which a filter's peak is highest, with its map. */
const pictureOf = (layer, f, look, x) => ({
  x,
  what: `${layer.snapshot.key},${layer.name},${f}`,
  ask: async () => ({
    picture: await layer.snapshot.thumbnail(layer.top(f)),
    layers: [layerOf(layer, layer.topMap(f), look)],
  }),
});

const short = (figure) =>
  ({ ratio: "R", mean_peak: "mean", instability: "D", peak: "max" })[figure.key] ?? figure.label;

const has = (layer, f) => layer && f < layer.filters;

function Cell({ layer, other, f, side, figure, selected, onOpen }) {
  const n = layer.top(f);
  const flags = Object.keys(FLAGS).filter((flag) => FLAGS[flag].holds(layer, f));
  const title = `filter ${f}: peak ${number(layer.peak(f, n))} on ${layer.snapshot.images.ids[n]}`;
  const size = `width:${side}px;height:${side}px`;
  return html`<button class=${`cell ${selected ? "selected" : ""}`} data-filter=${f} title=${title}
      style=${`width:${cellWidth(side, other)}px`} onClick=${() => onOpen(f)} tabindex="-1">
    <span class="beside"><span class="picture" role="img" aria-label=${title} style=${size}></span>
    ${
      other !== undefined &&
      (has(other, f)
        ? html`<span class="picture" role="img" aria-label=${`the same filter in ${other.snapshot.run}`} style=${size}></span>`
        : html`<span class="missing" style=${size}>not stored</span>`)
    }</span>
    <span class="caption"><b>#${f}</b>
      <span class="value">${figure ? `${short(figure)} ${written(layer, figure, f)}` : ""}</span></span>
    <span class="caption"><span class="value">peak ${number(layer.peak(f, n))}</span>
      <span class="flags">${flags.map(
        (flag) => html`<em title=${`${flag}: ${FLAGS[flag].help}`}>${FLAGS[flag].short}
        </em>`,
      )}</span></span>
  </button>`;
}

/** row: filters; other: the same layer of another run, null if that run has none, undefined without another run. */
export function FilterRow({ top, row, layer, other, side, look, sort, selected, onOpen }) {
  const figure = layer.about[sort] ?? layer.about.ratio ?? layer.about.peak;
  const inRow = row.includes(selected) ? selected : undefined;
  // Memoised, so that Preact skips comparing them.
  const cells = useMemo(() => {
    const pictures = row.flatMap((f, k) => {
      const x = k * (cellWidth(side, other) + GAP);
      const beside = has(other, f) ? [pictureOf(other, f, look, x + side + BESIDE)] : [];
      return [pictureOf(layer, f, look, x), ...beside];
    });
    return html`${row.map(
      (f) => html`<${Cell} key=${f} ...${{ layer, other, f, side, figure, onOpen }} selected=${f === inRow}/>`,
    )}<${PictureRow} ...${{ pictures, side, look }} rounding=${ROUNDING}/>`;
  }, [row.join(), layer, other, side, look, figure, inRow]);
  return html`<div class="row" style=${`top:${top}px`}>${cells}</div>`;
}
