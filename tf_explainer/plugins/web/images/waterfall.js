// A waterfall chart from the average image's score to the score of an image, with a bar for each part.

import { signed } from "../shared/figures.js";
import { PartCrop } from "../shared/part_crop.js";
import { html } from "../vendor/preact-htm.js";

const CROP = 48;

/** Adds where the bar of each step begins and ends; the bar of a sum begins at zero. */
export function placed(steps) {
  let at = 0;
  return steps.map((step) => {
    const from = step.sum ? 0 : at;
    at = step.aside ? at : from + step.value;
    return { ...step, from, to: step.aside ? step.value : at };
  });
}

function Bar({ step, low, high }) {
  const x = (value) => (100 * (value - low)) / (high - low);
  const [left, right] = [step.from, step.to].map(x).sort((a, b) => a - b);
  const zero = html`<i class="zero" style=${`left:${x(0)}%`}></i>`;
  const colour = step.colour ? `--colour:rgb(${step.colour});` : "";
  return html`<span class="falling">${zero}<i class=${`fall ${step.kind ?? ""} ${step.value < 0 ? "against" : "for"}`}
    style=${`${colour}left:${left}%;width:${Math.max(right - left, 0.4)}%`}></i></span>`;
}

function Step({ step, at, low, high, layer, n, lit, off, onLight, onChoose, onOff }) {
  const { key, name, detail, title, value, row, help } = step;
  const text = html`<span class="name" title=${title ?? help}>${name}${detail && html` <small>${detail}</small>`}</span>
    <${Bar} ...${{ step, low, high }}/><span class="value">${signed(value)}</span>`;
  if (!row)
    return html`<li class=${`step plain-step ${step.kind ?? ""}`} data-step=${key}>
    <div class="step-line"><span class="no-crop"></span>${text}</div></li>`;
  return html`<li class=${`step ${lit === key ? "lit" : ""} ${off.includes(key) ? "off" : ""}`} data-step=${key}
    onMouseEnter=${() => onLight(key)} onMouseLeave=${() => onLight(null)}>
    <button class="step-line" aria-pressed=${lit === key} onClick=${() => onChoose(key)}
      onFocus=${() => onLight(key)} onBlur=${() => onLight(null)}>
      <span class="crop" style=${`--colour:rgb(${step.colour})`}>
        <${PartCrop} ...${{ layer, n }} one=${row} side=${CROP} label=""/>${at && html`<b>${at}</b>`}</span>${text}</button>
    <button class="plain switch-off" aria-pressed=${off.includes(key)} aria-label=${`without ${name}`}
      title="the score without it" onClick=${() => onOff(key)}>off</button></li>`;
}

/**
 * steps: [{key, name, value, ...}]: `row`: of a part or filter, which has a crop; `sum`: the bar begins at zero;
 * `aside`: not part of the sum; `kind`: a CSS class. numbered: how many of the rows have a mark on the image.
 */
export function Waterfall({ steps, label, numbered = 0, off = [], ...rest }) {
  const bars = placed(steps);
  const ends = [0, ...bars.flatMap(({ from, to }) => [from, to])];
  const low = Math.min(...ends);
  const high = Math.max(...ends, low + 1e-9);
  const rows = bars.filter(({ row }) => row);
  return html`<ol class="waterfall" aria-label=${label}>${bars.map((step) => {
    const at = rows.indexOf(step) + 1;
    return html`<${Step} key=${step.key} ...${{ step, low, high, off, ...rest }} at=${at && at <= numbered ? at : 0}/>`;
  })}</ol>`;
}
