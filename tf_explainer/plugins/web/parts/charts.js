// Small charts, each with its unit and readable without colour.

import { number } from "../shared/figures.js";
import { html, useRef, useState } from "../vendor/preact-htm.js";

// The most pixels that a pointer may move during a click.
const CLICK = 4;

/** Draws a histogram; with onRange, dragging over it selects a range. */
export function Histogram({ data, width = 216, height = 38, unit = "", range, onRange, marker }) {
  const start = useRef(null);
  const svg = useRef();
  const most = Math.max(...data.counts, 1);
  const x = (value) => ((value - data.low) / (data.high - data.low)) * width;
  const bar = width / data.counts.length;
  const valueAt = (event) => {
    const box = svg.current.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return data.low + share * (data.high - data.low);
  };
  const drag = (event) => {
    if (start.current === null) return;
    // A click selects no range: a range of a single value would hide everything.
    if (Math.abs(event.clientX - start.current.at) < CLICK) return;
    const { value } = start.current;
    const now = valueAt(event);
    onRange([Math.min(value, now), Math.max(value, now)]);
  };
  const handlers = onRange && {
    onPointerDown: (event) => {
      start.current = { at: event.clientX, value: valueAt(event) };
      svg.current.setPointerCapture(event.pointerId);
    },
    onPointerMove: drag,
    onPointerUp: (event) => {
      drag(event);
      start.current = null;
    },
    onDblClick: () => onRange(null),
  };
  const inside = (n) => {
    const middle = data.low + ((n + 0.5) / data.counts.length) * (data.high - data.low);
    return !range || (middle >= range[0] && middle <= range[1]);
  };
  return html`<figure class="chart" style=${`max-width:${width}px`}>
    <svg ref=${svg} viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} class=${onRange ? "brush" : ""}
      role="img" aria-label=${`histogram, ${number(data.low)} to ${number(data.high)} ${unit}`} ...${handlers ?? {}}>
      ${data.counts.map(
        (count, n) => html`<rect class=${inside(n) ? "bar" : "bar out"} x=${n * bar + 0.5}
        y=${height - (count / most) * (height - 2)} width=${Math.max(bar - 1, 0.5)}
          height=${(count / most) * (height - 2)}>
        <title>${count} of ${data.defined}</title></rect>`,
      )}
      ${
        marker !== undefined &&
        Number.isFinite(marker) &&
        html`<line class="marker" x1=${x(marker)} x2=${x(marker)}
        y1="0" y2=${height}/>`
      }
    </svg>
    <figcaption><span>${number(data.low)}</span><span class="unit">${unit}</span><span>${number(data.high)}</span>
      </figcaption>
  </figure>`;
}

/** Draws lines over training steps. series: [{name, steps, values}]; undefined values are gaps. */
export function Lines({ series, unit, width = 300, height = 120 }) {
  const points = series.flatMap(({ steps, values }) => steps.map((step, n) => [step, values[n]]));
  const defined = points.filter(([, value]) => value !== null && Number.isFinite(value));
  if (!defined.length) return html`<p class="muted">Undefined at all stored steps.</p>`;
  const span = (values) => {
    const low = Math.min(...values);
    const high = Math.max(...values);
    return high > low ? [low, high] : [low - 0.5 * Math.abs(low || 1), high + 0.5 * Math.abs(high || 1)];
  };
  const [x0, x1] = span(points.map(([step]) => step));
  const [y0, y1] = span(defined.map(([, value]) => value));
  const left = 44;
  const x = (step) => left + ((step - x0) / (x1 - x0)) * (width - left - 12);
  const y = (value) => height - 20 - ((value - y0) / (y1 - y0)) * (height - 32);
  const path = ({ steps, values }) =>
    steps
      .map((step, n) =>
        values[n] === null ? "" : `${n && values[n - 1] !== null ? "L" : "M"}${x(step)},${y(values[n])}`,
      )
      .join("");
  const steps = [...new Set(points.map(([step]) => step))];
  return html`<figure class="chart">
    <svg viewBox=${`0 0 ${width} ${height}`} width=${width} height=${height} role="img"
      aria-label=${`over ${steps.length} steps`}>
      ${[y0, y1].map(
        (value) => html`<line class="axis" x1=${left} x2=${width} y1=${y(value)} y2=${y(value)}/>
        <text class="tick" x=${left - 5} y=${y(value) + 3.5} text-anchor="end">${number(value)}</text>`,
      )}
      ${series.map(
        (one, k) => html`<path class=${`line line-${k}`} d=${path(one)}/>
        ${one.steps.map(
          (step, n) =>
            one.values[n] !== null &&
            html`<circle class=${`dot line-${k}`} cx=${x(step)} cy=${y(one.values[n])} r="3">
          <title>${one.name}, step ${step}: ${number(one.values[n])} ${unit}</title></circle>`,
        )}`,
      )}
      <text class="tick" x=${left} y=${height - 4}>${steps.length > 1 ? `step ${x0}` : ""}</text>
      <text class="tick" x=${steps.length > 1 ? width - 4 : (left + width) / 2} y=${height - 4}
        text-anchor=${steps.length > 1 ? "end" : "middle"}>${steps.length > 1 ? x1 : `step ${steps[0]}`}</text>
    </svg>
    <figcaption class="keys">${series.map((one, k) => html`<span><i class=${`key line-${k}`}></i>${one.name}</span>`)}
      <span class="unit">${unit}</span></figcaption>
  </figure>`;
}

/** Draws where a filter peaks, as clickable units over the crop. */
export function Density({ layer, f, selected, onSelect, width = 224, ground }) {
  const { side, first, spacing } = layer.grid;
  const counts = new Uint16Array(side * side);
  let live = 0;
  for (let n = 0; n < layer.snapshot.images.count; n++) {
    if (layer.peak(f, n) > 0) {
      counts[layer.peakUnit(f, n)]++;
      live++;
    }
  }
  const most = Math.max(...counts, 1);
  const [hovered, setHovered] = useState(null);
  const cell = spacing * width;
  const cells = [];
  counts.forEach((count, unit) => {
    const row = Math.floor(unit / side);
    const column = unit % side;
    const chosen = unit === selected;
    if (!count && !chosen) return;
    cells.push(html`<rect class=${`bin ${chosen ? "chosen" : ""}`} x=${(first + spacing * (column - 0.5)) * width}
      y=${(first + spacing * (row - 0.5)) * width} width=${cell} height=${cell} tabindex="0" role="button"
      aria-label=${`row ${row}, column ${column}: ${count} images`}
      style=${`fill-opacity:${0.15 + 0.85 * Math.sqrt(count / most)}`}
      onMouseEnter=${() => setHovered(unit)} onMouseLeave=${() => setHovered(null)}
      onKeyDown=${(event) => event.key === "Enter" && onSelect(chosen ? null : unit)}
      onClick=${() => onSelect(chosen ? null : unit)}/>`);
  });
  return html`<figure class="chart density">
    <div class="over" style=${`width:${width}px;height:${width}px`}>${ground}
      <svg viewBox=${`0 0 ${width} ${width}`} width=${width} height=${width}>${cells}</svg></div>
    <figcaption><span>1</span><i class="ramp"></i><span>${most}</span><span class="unit">images that peak there</span>
      </figcaption>
    <p class="muted">${
      hovered === null
        ? "Drawn on the mean of all crops. Click a place to see its images."
        : `${counts[hovered]} of ${live} images peak here`
    }</p>
  </figure>`;
}
