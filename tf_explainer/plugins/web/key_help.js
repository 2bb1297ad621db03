// The keys of a tab, shown by "?".

import { html, useEffect, useState } from "./vendor/preact-htm.js";

/** keys: [[key, what it does], ...]. */
export function KeyHelp({ keys }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const pressed = (event) => {
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
      if (event.key === "?") setShown((before) => !before);
      else if (event.key === "Escape" && shown) {
        event.stopPropagation();
        setShown(false);
      }
    };
    window.addEventListener("keydown", pressed, true);
    return () => window.removeEventListener("keydown", pressed, true);
  }, [shown]);
  return html`<button class="plain" aria-label="keys" aria-expanded=${shown} title="keys (?)"
    onClick=${() => setShown(!shown)}>?</button>
    ${
      shown &&
      html`<div class="veil" role="dialog" aria-modal="true" aria-label="keys"
        onClick=${(event) => event.target === event.currentTarget && setShown(false)}>
      <div class="zoom keys" data-ready="keys">
        <header><h2>Keys</h2><nav><button onClick=${() => setShown(false)} title="close (Esc)">✕</button></nav></header>
        <dl>${keys.map(([key, text]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${text}</dd></div>`)}</dl></div></div>`
    }`;
}
