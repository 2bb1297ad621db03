// One picture enlarged: at the crop's own pixels (1:1), or several times that.

import { Dialog } from "../shared/dialog.js";
import { number } from "../shared/figures.js";
import { layerOf, Picture, TIMES, timesOf } from "../shared/picture.js";
import { html, useState } from "../vendor/preact-htm.js";

export function Zoom({ layer, f, n, times: wanted, look, onTimes, onClose, onImage }) {
  const times = timesOf(wanted, layer.snapshot.images.size);
  const [marks, setMarks] = useState(true);
  const { snapshot } = layer;
  const { images } = snapshot;
  const places = marks
    ? images.landmark_names.map((name, k) => ({ name, place: snapshot.landmark(n, k) })).filter(({ place }) => place)
    : [];
  const ask = async () => ({
    picture: await snapshot.crop(n),
    layers: [layerOf(layer, await layer.map(f, n), look)],
    marks: places,
  });
  return html`<${Dialog} label=${images.ids[n]} ready="zoom" onClose=${onClose}>
    <header><h2>${images.ids[n]}</h2><nav aria-label="enlargement">
        ${TIMES.map(
          (one) => html`<button aria-pressed=${one === times} onClick=${() => onTimes(one)}>${one}:1
          </button>`,
        )}
        ${
          images.landmark_names.length > 0 &&
          html`<button aria-pressed=${marks} onClick=${() => setMarks(!marks)}
          title="annotated landmarks">landmarks</button>`
        }
        <button onClick=${() => onImage(n)} title="which parts decide this image">explain image</button>
        <button onClick=${onClose} title="close (Esc)">✕</button></nav></header>
      <${Picture} exact side=${images.size * times} look=${look} label=${images.ids[n]} ask=${ask}
        what=${`zoom,${snapshot.key},${layer.name},${f},${n},${marks}`}/>
      <p>Filter ${f} of ${layer.title}: peak ${number(layer.peak(f, n))}
        , rank ${layer.order(f).indexOf(n) + 1} of ${images.count}.
        True class ${snapshot.className(images.labels[n])}, predicted ${snapshot.className(images.predicted[n])}
          ${images.held_out[n] ? "; training never saw this image" : ""}.
        ${places.length > 0 && html` Crosses: ${places.map(({ name }) => name).join(", ")}.`}</p><//>`;
}
