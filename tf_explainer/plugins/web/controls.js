// The controls that both plugins have in common.

import { COLOUR_MAPS, gradient } from "./colour_maps.js";
import { html } from "./vendor/preact-htm.js";

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

/** One slider over the steps that were kept, with exact entry. */
export function StepSlider({ steps, step, onChange }) {
  const at = steps.indexOf(step);
  const nearest = (wanted) =>
    steps.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));
  return html`<label class="control steps"><span>step</span>
    <input type="range" aria-label="step" min="0" max=${Math.max(steps.length - 1, 1)}
      value=${steps.length > 1 ? at : 1}
      disabled=${steps.length < 2} onInput=${(event) => onChange(steps[Number(event.target.value)])}/>
    <input type="number" aria-label="exact step" value=${step} min=${steps[0]} max=${steps.at(-1)}
      onChange=${(event) => {
        const found = event.target.value === "" ? step : nearest(Number(event.target.value));
        event.target.value = found;
        onChange(found);
      }}/>
    <output>${at + 1} of ${steps.length} ${steps.length === 1 ? "step" : "steps"} kept</output></label>`;
}

/** How maps lie on the crops, with the legend. */
export function Look({ look, onChange, unit = "activation" }) {
  const set = (name) => (value) => onChange({ ...look, [name]: value });
  const scale = look.scale === "filter" ? "the filter's highest" : "each image's highest";
  return html`<div class="look">
    <${Select} label="overlay" value=${look.mode} onChange=${set("mode")}
      options=${[["region", "region"], ["heat", "heat map"], ["none", "none"]]}/>
    ${
      look.mode !== "none" &&
      html`
      <${Slider} label="threshold" value=${look.threshold} low="0.05" high="0.95" step="0.05"
        onChange=${set("threshold")}
        text=${`${Math.round(100 * look.threshold)} %`}/>
      <${Slider} label=${look.mode === "heat" ? "opacity" : "shade"} value=${look.opacity} low="0" high="1" step="0.05"
        onChange=${set("opacity")}
        text=${`${Math.round(100 * look.opacity)} %`}/>
      <${Select} label="scale" value=${look.scale} onChange=${set("scale")} title="what 100 % stands for"
        options=${[["image", "per image"], ["filter", "per filter"]]}/>`
    }
    ${
      look.mode === "heat" &&
      html`
      <${Select} label="colours" value=${look.map} onChange=${set("map")}
        options=${Object.keys(COLOUR_MAPS).map((name) => [name, name])}/>
      <span class="legend"><span>0</span><i style=${`background:${gradient(COLOUR_MAPS[look.map])}`}></i>
        <span>100 % of ${scale} ${unit}</span></span>`
    }
    ${
      look.mode === "region" &&
      html`<span
      class="legend"><i class="swatch explainer">
      </i>region above ${Math.round(100 * look.threshold)} % of ${scale} ${unit}</span>`
    }
  </div>`;
}

/** What a page says when there is nothing to show. */
export function Message({ title, text, command, inside, ready = "message" }) {
  return html`<${inside ? "section" : "main"} class="message" data-ready=${ready}><h1>${title}</h1><p>${text}</p>
    ${command && html`<pre>${command}</pre>`}<//>`;
}

/** What a page says until there is something to show. */
export const Reading = ({ text }) => html`<${Message} ready="reading" title="Reading…" text=${text}/>`;

/** Leads past the controls; the first thing that the Tab key reaches. */
export const SkipLink = ({ to }) => html`<button class="plain skip"
  onClick=${() => document.getElementById("content")?.focus()}>skip to ${to}</button>`;

export function download(name, blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 5000);
}
