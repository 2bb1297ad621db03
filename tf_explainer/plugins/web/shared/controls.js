// Controls that both tabs use.

import { html } from "../vendor/preact-htm.js";

export function Select({ label, value, options, onChange, title }) {
  return html`<label class="control" title=${title ?? ""}><span>${label}</span>
    <select aria-label=${label} value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${options.map(([key, text]) => html`<option value=${key} selected=${key === value}>${text}</option>`)}
    </select></label>`;
}

export function Slider({ label, value, low, high, step, onChange, text }) {
  return html`<label class="control"><span>${label}</span>
    <input type="range" aria-label=${label} min=${low} max=${high} step=${step} value=${value}
      onInput=${(event) => onChange(Number(event.target.value))}/><output>${text}</output></label>`;
}

/** A slider over the stored steps, with exact entry. */
export function StepSlider({ steps, step, onChange }) {
  const at = steps.indexOf(step);
  const nearest = (wanted) =>
    steps.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));
  if (steps.length === 1)
    return html`<span class="control steps"><span>step</span> <output>${step}, the only one kept</output></span>`;
  return html`<label class="control steps"><span>step</span>
    <input type="range" aria-label="step" min="0" max=${steps.length - 1} value=${at}
      onInput=${(event) => onChange(steps[Number(event.target.value)])}/>
    <input type="number" aria-label="exact step" value=${step} min=${steps[0]} max=${steps.at(-1)}
      onChange=${(event) => {
        const found = event.target.value === "" ? step : nearest(Number(event.target.value));
        event.target.value = found;
        onChange(found);
      }}/>
    <output>${at + 1} of ${steps.length} steps kept</output></label>`;
}

/** A message on a page that has nothing to show. */
export function Message({ title, text, command, inside, ready = "message" }) {
  return html`<${inside ? "section" : "main"} class="message" data-ready=${ready}><h1>${title}</h1><p>${text}</p>
    ${command && html`<pre>${command}</pre>`}<//>`;
}

/** A message on a page that is still loading. */
export const Reading = ({ text }) => html`<${Message} ready="reading" title="Reading…" text=${text}/>`;

/** Skips the controls; the first element that the Tab key reaches. */
export const SkipLink = ({ to }) => html`<button class="plain skip"
  onClick=${() => document.getElementById("content")?.focus()}>skip to ${to}</button>`;

export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 5000);
}
