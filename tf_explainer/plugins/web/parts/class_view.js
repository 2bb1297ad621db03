// The first screen: what speaks for each class, part by part, next to an image with these parts; or as a matrix.

import { Message } from "../shared/controls.js";
import { signed as exactly } from "../shared/figures.js";
import { useLoad } from "../shared/loading.js";
import { partName, Unexplained, unexplainedShare } from "../shared/object_parts.js";
import { PartsMap } from "../shared/parts_map.js";
import { html, useMemo, useState } from "../vendor/preact-htm.js";
import { classMeans } from "./class_means.js";
import { prepareCard } from "./part_card.js";

const SHOWN = 6;
const SIDE = 232;

const signed = (value) => exactly(Number(value.toFixed(2)));

function MeanBar({ value, full, colour }) {
  const share = Math.min(Math.abs(value) / full, 1) * 50;
  const fill = colour ? `background:rgb(${colour})` : "";
  return html`<span class="signed-bar"><i class=${colour ? "" : "rest-bar"}
    style=${`${value < 0 ? "right" : "left"}:50%;width:${share}%;${fill}`}></i></span>`;
}

function ClassCard({ layer, one, full, onPart, onImage }) {
  const [lit, setLit] = useState(null);
  const [at, setAt] = useState(0);
  const parts = one.parts.slice(0, SHOWN);
  const marked = parts.map(({ group, nameHere, colour }) => ({ key: group, group, name: nameHere, colour }));
  const others = one.parts.slice(SHOWN);
  const n = one.images[Math.min(at, one.images.length - 1)];
  const rest = [
    ...(others.length
      ? [[`${others.length} other part${others.length > 1 ? "s" : ""}`, others.reduce((t, { value }) => t + value, 0)]]
      : []),
    ...one.rest,
  ];
  const moved = (by) => setAt((at + by + one.images.length) % one.images.length);
  return html`<section class="class-card" data-class=${one.name} aria-label=${one.name}>
    <h2>${one.name} <small>${one.images.length} ${one.images.length === 1 ? "image" : "images"} classified as ${one.name}, mean score
      ${` ${signed(one.score)}`} nats</small></h2>
    <${Unexplained} share=${unexplainedShare(one)}/>
    <div class="class-body">
      <figure><${PartsMap} ...${{ layer, n, lit, onPart }} parts=${marked} side=${SIDE} onLight=${setLit}/>
        <figcaption><button class="plain" aria-label="previous image" onClick=${() => moved(-1)}>‹</button>
          <button class="plain" aria-label="next image" onClick=${() => moved(1)}>›</button>
          <button class="link" onClick=${() => onImage(n)}>explain this image</button></figcaption></figure>
      <ol class="mean-bars">${parts.map(
        (
          { group, name, nameHere, colour, value },
          k,
        ) => html`<li key=${group}><button class=${lit === group ? "lit" : ""}
          data-part=${group} onClick=${() => onPart(group)} title=${`${name}: open this part`}
          onMouseEnter=${() => setLit(group)} onMouseLeave=${() => setLit(null)}
          onFocus=${() => setLit(group)} onBlur=${() => setLit(null)}>
          <span class="mark" style=${`border-color:rgb(${colour})`}>${k + 1}</span>
          <span class="name">${nameHere}</span><${MeanBar} ...${{ value, full, colour }}/>
          <span class="value">${signed(value)}</span></button></li>`,
      )}
      ${rest.map(
        ([name, value]) => html`<li key=${name} class="rest-row"><span></span><span class="name">${name}</span>
          <${MeanBar} ...${{ value, full }}/><span class="value">${signed(value)}</span></li>`,
      )}</ol></div></section>`;
}

function Matrix({ layer, classes, full, onPart }) {
  const groups = new Map(classes.flatMap(({ parts }) => parts.map((part) => [part.group, part])));
  const valueIn = (one, group) => one.parts.find((part) => part.group === group)?.value ?? 0;
  const largest = (group) => Math.max(...classes.map((one) => Math.abs(valueIn(one, group))));
  const rows = [...groups.values()].sort((a, b) => largest(b.group) - largest(a.group));
  const shade = (value) => {
    const share = Math.round(70 * Math.min(Math.abs(value) / full, 1));
    return `background:color-mix(in srgb, ${value < 0 ? "#2f7fc1" : "#d97706"} ${share}%, transparent)`;
  };
  return html`<table class="matrix"><caption>Mean contribution to the score, in nats; orange speaks for the class, blue
    against it.</caption>
    <thead><tr><th scope="col">part</th>${classes.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${rows.map(
      ({ group, name, colour }) => html`<tr key=${group}><th scope="row"><button class="link" title=${name}
        data-part=${group} onClick=${() => onPart(group)}><i class="part-colour" style=${`background:rgb(${colour})`}></i>
        ${partName(layer, group)}</button></th>
      ${classes.map((one) => html`<td style=${shade(valueIn(one, group))}>${signed(valueIn(one, group))}</td>`)}</tr>`,
    )}</tbody></table>`;
}

/** How many images the network takes for another class than their own; nothing where no class is known. */
function Mistakes({ scores, images, onWrong }) {
  const known = [...images.labels.keys()].filter((n) => images.classes[images.labels[n]] !== undefined);
  if (!known.length || !known.some((n) => images.classes.includes(scores.names[scores.classes[n]]))) return null;
  const wrong = known.filter((n) => scores.isWrong(images, n)).length;
  return html`<p class="mistakes">${
    wrong
      ? html`<button class="link" onClick=${onWrong}>${wrong} of ${known.length} images are classified as another class: see
          what misleads the network</button>`
      : `All ${known.length} images are classified correctly.`
  }</p>`;
}

/** view: `classes` or `matrix`. */
export function ClassView({ snapshot, scores, view, onPart, onImage, onWrong }) {
  const [loaded, setLoaded] = useState({});
  const load = async () => {
    const layer = await snapshot.layer(scores.layer);
    return { layer, classes: await classMeans(layer, scores) };
  };
  useLoad(load, [snapshot, scores], setLoaded, (error) => setLoaded({ error }));
  const { layer, classes, error } = loaded;
  const full = useMemo(() => {
    const values = (classes ?? []).flatMap(({ parts, rest }) => [
      ...parts.map(({ value }) => value),
      ...rest.map(([, value]) => value),
    ]);
    return Math.max(...values.map(Math.abs), 1e-9);
  }, [classes]);
  const open = (group) => {
    prepareCard(layer, group);
    // Sends the requests before building the next view, which blocks the page.
    setTimeout(() => onPart(group));
  };
  const near = ({ target }) => {
    const pointed = target.closest("[data-part], [data-mark]")?.dataset;
    if (pointed) prepareCard(layer, Number(pointed.part ?? pointed.mark));
  };
  if (error) return html`<${Message} inside title="The classes cannot be shown" text=${String(error.message)}/>`;
  if (!classes) return html`<p class="none">Reading…</p>`;
  return html`<div class="class-view" id="content" data-ready="classes" tabindex="0" role="region" aria-label="what speaks for each class"
      onMouseOver=${near} onFocusIn=${near}>
    <h1>What does this network look at?</h1>
    <p class="muted">Mean contributions of parts to the score (log-odds) of the class that the network names, over the
      ${` ${snapshot.images.count}`} images of this snapshot, by ${scores.method}. Outlined: where each part's
      filters respond on average. Click a part to open it.</p>
    <${Mistakes} images=${snapshot.images} ...${{ scores, onWrong }}/>
    ${
      view === "matrix"
        ? html`<${Matrix} ...${{ layer, classes, full }} onPart=${open}/>`
        : html`<div class="class-cards">${classes
            .slice(0, 12)
            .map(
              (one) => html`<${ClassCard} key=${one.label} ...${{ layer, one, full, onImage }} onPart=${open}/>`,
            )}</div>
          ${classes.length > 12 && html`<p class="muted">${classes.length - 12} more classes are in the matrix.</p>`}`
    }</div>`;
}
