// The panel of one filter: its images, places and figures, the closest filter of the performer, figures over steps.

import { FLAGS, histogram, number, written } from "../shared/figures.js";
import { useLoad } from "../shared/loading.js";
import { Legend } from "../shared/look_controls.js";
import { groupName } from "../shared/object_parts.js";
import { ask } from "../shared/snapshots.js";
import { html, useEffect, useMemo, useState } from "../vendor/preact-htm.js";
import { Density, Histogram, Lines } from "./charts.js";
import { Images, imagesOf, savePicture } from "./filter_images.js";
import { LinkButton } from "./link_button.js";
import { MeanCrop } from "./mean_crop.js";

const CHOICES = { strongest: "Strongest", random: "Random", weakest: "Weakest" };

function FigureTable({ layer, other, f }) {
  const share = (figure) => {
    const defined = Array.from(layer.values[figure.key]).filter((value) => !Number.isNaN(value));
    const value = layer.values[figure.key][f];
    return Number.isNaN(value) || !defined.length
      ? null
      : defined.filter((one) => one < value).length / Math.max(defined.length - 1, 1);
  };
  return html`<table class="figures">
    <thead><tr><th>figure</th><th>#${f}
      </th>${other !== undefined && html`<th>${other ? other.snapshot.run : "other run"}</th>`}<th>among all filters
      </th></tr></thead>
    <tbody>${layer.figures.map((figure) => {
      const at = figure.kind === "number" ? share(figure) : null;
      return html`<tr title=${figure.help}><th scope="row">${figure.label}</th><td>${written(layer, figure, f)}</td>
        ${
          other !== undefined &&
          html`<td>
          ${
            other?.about[figure.key] && f < other.filters
              ? written(other, other.about[figure.key], f)
              : html`<span
          class="muted">not stored</span>`
          }</td>`
        }
        <td>${
          at !== null &&
          html`<span class="rank"
          title=${`higher than ${Math.round(100 * at)} % of the filters`}><i style=${`left:${100 * at}%`}></i></span>`
        }
          </td></tr>`;
    })}</tbody></table>`;
}

function Match({ layer, f, look, onZoom }) {
  const [matched, setMatched] = useState(null);
  const about = layer.about.match;
  const g = about ? layer.values.match[f] : NaN;
  useEffect(() => {
    setMatched(null);
    if (!Number.isNaN(g)) layer.snapshot.layer(about.of).then(setMatched, () => setMatched(null));
  }, [layer, f]);
  if (!about) return null;
  const { title } = layer.snapshot.index.layers.find(({ name }) => name === about.of) ?? { title: about.of };
  const images = layer.order(f).slice(0, 4);
  return html`<section><h3>Closest filter of ${title}</h3>
    ${
      Number.isNaN(g)
        ? html`<p class="muted">No filter of that layer matches this one.</p>`
        : html`
      <p class="muted">#${g}, correlation of the maps ${number(layer.values.match_correlation[f])}. Above: #${f}; below: #${g} on
        the same images.</p>
      <${Images} ...${{ layer, f, images, look, onZoom }} side=${112}/>
      ${
        matched &&
        html`<${Images} layer=${matched} f=${g} images=${images} look=${look} side=${112} ranks
        onZoom=${({ n }) => onZoom({ f: g, n, layer: matched })}/>`
      }`
    }
  </section>`;
}

function Path({ layer, f, runs, path, onPath }) {
  const figures = layer.figures.filter(({ kind }) => kind === "number");
  const [series, setSeries] = useState([]);
  const figure = figures.find(({ key }) => key === path) ?? figures[0];
  const history = async (run) => {
    try {
      const { steps, figures, values } = await (await ask("history", { run, layer: layer.name, filter: f })).json();
      return { name: run, steps, values: values.map((one, n) => one[figures[n].indexOf(figure.key)] ?? null) };
    } catch {
      return null;
    }
  };
  useLoad(
    () => Promise.all(runs.map(history)),
    [layer, f, figure?.key, runs.join()],
    (found) => setSeries(found.filter((one) => one?.steps.length)),
  );
  if (!figure) return null;
  return html`<section><h3>Across training steps
    <select aria-label="figure across steps" value=${figure.key} onChange=${(event) => onPath(event.target.value)}>
      ${figures.map((one) => html`<option value=${one.key} selected=${one.key === figure.key}>${one.label}</option>`)}
        </select></h3>
    ${
      series.length
        ? html`<${Lines} series=${series} unit=${figure.unit} width=${470}/>`
        : html`<p
      class="muted">No step of these runs has this layer.</p>`
    }
    <p class="muted">Training measures figures on the images shown, evaluation on all its images.</p>
  </section>`;
}

/** shown: `strongest`, `random`, `weakest`, or the number of a unit whose images to show; path: a figure's key. */
export function FilterPanel({
  layer,
  other,
  f,
  look,
  shown,
  path,
  runs,
  neighbours,
  onClose,
  onOpen,
  onZoom,
  onFilter,
  onShow,
  onPath,
  link,
}) {
  const unit = /^\d+$/.test(shown) && Number(shown) < layer.units ? Number(shown) : null;
  const choice = Object.hasOwn(CHOICES, shown) ? shown : "strongest";
  const setUnit = (next) => onShow(next === null ? "strongest" : String(next));
  const peaks = useMemo(
    () => Array.from({ length: layer.snapshot.images.count }, (_, n) => layer.peak(f, n)),
    [layer, f],
  );
  const silent = peaks.filter((peak) => peak === 0).length;
  const images = imagesOf(layer, f, choice, unit);
  const flags = Object.keys(FLAGS).filter((flag) => FLAGS[flag].holds(layer, f));
  const group = layer.values.group?.[f];
  const [previous, next] = neighbours;
  return html`<aside class="panel" aria-label=${`filter ${f}`} data-ready="panel" data-filter=${f}>
    <header><h2>Filter ${f} <small>${layer.title}</small></h2><nav aria-label=${`filter ${f}`}>
      <button disabled=${previous === undefined} onClick=${() => onOpen(previous)} title="previous filter (P)">‹
        </button>
      <button disabled=${next === undefined} onClick=${() => onOpen(next)} title="next filter (N)">›</button>
      <button onClick=${() => savePicture(layer, f, look)} title="save the strongest images as a PNG">PNG</button>
      <${LinkButton} link=${link}/>
      <button onClick=${onClose} title="close (Esc)">✕</button></nav></header>
    <div class="scroll">
    <p class="tags">${
      group !== undefined &&
      !Number.isNaN(group) &&
      html`<button class="tag"
      onClick=${() => onFilter({ group: [group, group] })} title="show this group only">${groupName(layer, group)}
      </button>`
    }
      ${flags.map(
        (flag) => html`<span class="tag warn"
        title=${FLAGS[flag].help}>${flag}${flag === "duplicate" ? ` of #${layer.values.duplicate[f]}` : ""}</span>`,
      )}
        </p>
    <section><h3><span role="group" aria-label="images">${Object.entries(CHOICES).map(
      ([name, title]) => html`<button aria-pressed=${unit === null && choice === name}
        class="tab" onClick=${() => onShow(name)}>${title}</button>`,
    )}
        ${
          unit !== null &&
          html`<button class="tab" aria-pressed="true"
          onClick=${() => setUnit(null)}>${images.length} at this place ✕</button>`
        }
        </span> <small>peaks in activation; click an image to enlarge</small></h3>
      <p><${Legend} look=${look}/></p>
      <${Images} ...${{ layer, f, images, look, onZoom }} ranks/></section>
    <div class="pair">
      <section><h3>Where it peaks</h3><${Density} layer=${layer} f=${f} selected=${unit} onSelect=${setUnit}
        ground=${html`<${MeanCrop} snapshot=${layer.snapshot} side=${224}/>`}/></section>
      <section><h3>How strongly it responds</h3>
        <${Histogram} data=${histogram(peaks, 24)} width=${230} height=${150} unit="peak per image, activation"/>
        <p class="muted">${layer.snapshot.images.count} images; ${silent} without any response.</p></section>
    </div>
    <${Match} ...${{ layer, f, look, onZoom }}/>
    <section><h3>Figures <small>point at a name for its meaning</small></h3><${FigureTable} ...${{ layer, other, f }}/>
      </section>
    <${Path} ...${{ layer, f, runs, path, onPath }}/>
    </div></aside>`;
}
