// The sidebar with a range for every figure, and the flags.

import { FLAGS, histogram, number } from "../shared/figures.js";
import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { Histogram } from "./charts.js";

function Range({ layer, figure, range, onRange }) {
  const data = useMemo(() => histogram(layer.values[figure.key], 36), [layer, figure.key]);
  const exact = (at) => (event) => {
    const value = Number(event.target.value);
    if (event.target.value === "" || Number.isNaN(value)) return onRange(null);
    const next = [...(range ?? [data.low, data.high])];
    next[at] = value;
    onRange(next[0] <= next[1] ? next : [next[1], next[0]]);
  };
  const [open, setOpen] = useState(!!range || ["ratio", "peak", "live"].includes(figure.key));
  return html`<details class="range" open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary title=${figure.help}>${figure.label}${range && html` <em>${number(range[0])} to ${number(range[1])}</em>`}
      </summary>
    ${
      open &&
      html`<${Histogram} ...${{ data, range, onRange }} unit=${figure.unit}/>
    <div class="exact"><input type="number" step="any" aria-label=${`${figure.label}, at least`} placeholder="from"
      value=${range ? Number(range[0].toPrecision(4)) : ""} onChange=${exact(0)}/>
      <input type="number" step="any" aria-label=${`${figure.label}, at most`} placeholder="to"
        value=${range ? Number(range[1].toPrecision(4)) : ""} onChange=${exact(1)}/>
      <button disabled=${!range} onClick=${() => onRange(null)}>all</button></div>`
    }
  </details>`;
}

export function Sidebar({ layer, ranges, flags, onRanges, onFlags, children }) {
  // In a single-column layout, this is folded so that pictures come first.
  const [wide] = useState(() => window.innerWidth > 720);
  const counts = useMemo(
    () =>
      Object.fromEntries(
        Object.keys(FLAGS).map((flag) => [
          flag,
          Array.from({ length: layer.filters }, (_, f) => f).filter((f) => FLAGS[flag].holds(layer, f)).length,
        ]),
      ),
    [layer],
  );
  const set = (key) => (range) => {
    const next = { ...ranges };
    if (range) next[key] = range;
    else delete next[key];
    onRanges(next);
  };
  const toggle = (flag) => onFlags(flags.includes(flag) ? flags.filter((one) => one !== flag) : [...flags, flag]);
  const { classes } = layer.snapshot.images;
  const notes = Object.entries(layer.snapshot.notes);
  return html`<aside class="sidebar">${children}<details class="narrowing" open=${wide}>
    <summary>This run, flags and ranges</summary>
    ${
      notes.length > 0 &&
      html`<section><h2>This run</h2><dl>${notes.map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}
      <dt>images shown</dt><dd>${layer.snapshot.images.count}</dd></dl></section>`
    }
    <section><h2>Only</h2>${Object.entries(FLAGS).map(
      ([flag, { help }]) => html`<label class="check" title=${help}>
      <input type="checkbox" checked=${flags.includes(flag)}
        onChange=${() => toggle(flag)}/> ${flag} <small>${counts[flag]}</small></label>`,
    )}
    ${
      layer.about.category &&
      classes.length > 1 &&
      html`<label class="check">
        category <select aria-label="category"
        onChange=${(event) => set("category")(event.target.value === "" ? null : [Number(event.target.value), Number(event.target.value)])}>
        <option value="">any</option>
          ${classes.map((name, k) => html`<option value=${k} selected=${ranges.category?.[0] === k}>${name}</option>`)}
          </select></label>`
    }
    </section>
    <section><h2>Ranges <small>drag over the bars</small></h2>
      ${layer.figures
        .filter(({ kind }) => kind === "number")
        .map(
          (figure) => html`<${Range} key=${figure.key}
        ...${{ layer, figure }} range=${ranges[figure.key]} onRange=${set(figure.key)}/>`,
        )}
    </section></details></aside>`;
}
