// The toolbar of a tab: run, step and layer, and further controls of the tab.

import { html } from "../vendor/preact-htm.js";
import { Select, StepSlider } from "./controls.js";
import { KeyHelp } from "./key_help.js";
import { Popover } from "./popover.js";

/**
 * children: further controls. layers: [[name, title]], if one can be chosen; beside: the help of the choice of a second
 * run, if one can be chosen.
 */
export function Toolbar({ names, run, steps, step, layers, layer, beside, compare, set, keys, children }) {
  return html`<header class="toolbar">
    <${Popover} folds id="chosen-run" label="run and step" text=${`${run || "."}, step ${step}`}>
      <${Select} label="run" value=${run} options=${names.map((name) => [name, name || "."])}
        onChange=${(value) => set({ run: value, step: "" })}/>
      <${StepSlider} steps=${steps} step=${step} onChange=${(value) => set({ step: String(value) })}/>
      ${
        layers &&
        html`<${Select} label="layer" value=${layer} options=${layers}
          onChange=${(value) => set({ layer: value, filter: "" })}/>`
      }
      ${
        beside &&
        html`<${Select} label="beside" value=${compare} title=${beside}
          options=${[["", "no other run"], ...names.filter((name) => name !== run).map((name) => [name, name])]}
          onChange=${(value) => set({ compare: value })}/>`
      }
    <//>${children}<span class="spring"></span><${KeyHelp} keys=${keys}/></header>`;
}
