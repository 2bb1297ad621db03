// The controls for how maps are drawn on the crops, and the legend.

import { html } from "../vendor/preact-htm.js";
import { COLOUR_MAPS, gradient } from "./colour_maps.js";
import { Select, Slider } from "./controls.js";
import { lookText } from "./look.js";
import { Popover } from "./popover.js";

const percent = (share) => `${Math.round(100 * share)} %`;

/** onChange: gets the look as text for the address; children: further controls. */
export function LookControls({ look, onChange, children }) {
  const set = (name) => (value) => onChange(lookText({ ...look, [name]: value }));
  return html`<${Popover} id="overlay" text="overlay" label="how maps are drawn on the crops">
    <${Select} label="overlay" value=${look.mode} onChange=${set("mode")}
      options=${[["region", "region"], ["heat", "heat map"], ["none", "none"]]}/>
    ${
      look.mode !== "none" &&
      html`<${Slider} label="threshold" value=${look.threshold} low="0.05" high="0.95" step="0.05"
        onChange=${set("threshold")} text=${percent(look.threshold)}/>
      <${Slider} label=${look.mode === "heat" ? "opacity" : "shade"} value=${look.opacity} low="0" high="1" step="0.05"
        onChange=${set("opacity")} text=${percent(look.opacity)}/>
      <${Select} label="scale" value=${look.scale} onChange=${set("scale")} title="what 100 % means"
        options=${[["image", "per image"], ["filter", "per filter"]]}/>`
    }
    ${
      look.mode === "heat" &&
      html`<${Select} label="colours" value=${look.map} onChange=${set("map")}
        options=${Object.keys(COLOUR_MAPS).map((name) => [name, name])}/>`
    }
    ${children}<//>`;
}

/** The legend of the overlay, shown with the pictures. */
export function Legend({ look, what = "" }) {
  const full = `${look.scale === "filter" ? "the filter's highest" : "each image's highest"} activation`;
  if (look.mode === "region")
    return html`<span class="legend">${what || html`<i class="swatch"></i>region`} above
      ${` ${percent(look.threshold)}`} of ${full}</span>`;
  if (look.mode === "heat")
    return html`<span class="legend"><span>0</span><i style=${`background:${gradient(COLOUR_MAPS[look.map])}`}></i>
      <span>100 % of ${full}</span></span>`;
  return null;
}
