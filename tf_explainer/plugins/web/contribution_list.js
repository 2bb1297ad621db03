// Signed contributions as bars around zero: what a score consists of, then the parts.

import { html } from "./vendor/preact-htm.js";

/** A contribution with its sign, in as many decimals as let a sum be checked. */
export function signed(value) {
  const size = Math.abs(value);
  const text = size.toFixed(size >= 100 ? 0 : size >= 0.01 || size === 0 ? 2 : 4);
  return (value > 0 ? "+" : value < 0 ? "−" : "") + text;
}

export function Bar({ value, full }) {
  const share = Math.min(Math.abs(value) / full, 1) * 50;
  return html`<span class="signed-bar">
    <i class=${value < 0 ? "against" : "for"} style=${`${value < 0 ? "right" : "left"}:50%;width:${share}%`}></i>
    </span>`;
}

/** What the score consists of. */
export function Sum({ score, className, terms }) {
  const full = Math.max(...terms.map(([, value]) => Math.abs(value)), Math.abs(score), 1e-9);
  return html`<table class="sum"><tbody>
    ${terms.map(
      ([name, value, help]) => html`<tr
      title=${help}><th scope="row">${name}</th><td><${Bar} ...${{ value, full }}/></td>
      <td class="value">${signed(value)}</td></tr>`,
    )}
    <tr class="total"><th scope="row">score of ${className}</th><td><${Bar} value=${score} full=${full}/></td>
      <td class="value">${signed(score)}</td></tr>
  </tbody></table>`;
}

/** rows: [{key, name, value, detail}], the largest first. */
export function Contributions({ rows, selected, onSelect }) {
  const full = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-9);
  return html`<ol class="contributions" role="listbox" aria-label="parts by contribution">${rows.map(
    ({ key, name, value, detail }) => html`
    <li key=${key}><button role="option" aria-selected=${selected === key}
      onClick=${() => onSelect(selected === key ? null : key)}>
      <span class="name">${name}<small> ${detail}</small></span><${Bar} ...${{ value, full }}/>
        <span class="value">${signed(value)}</span></button></li>`,
  )}</ol>`;
}
