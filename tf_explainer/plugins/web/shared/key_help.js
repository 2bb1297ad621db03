// The help for a tab's keys, opened by "?".

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { Dialog } from "./dialog.js";

/** keys: [[key, what it does], ...]. */
export function KeyHelp({ keys }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const pressed = ({ key, target }) => {
      if (key === "?" && !/^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)) setShown((before) => !before);
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
  const close = () => setShown(false);
  return html`<button class="plain" aria-label="keys" aria-haspopup="dialog" title="keys (?)"
    onClick=${() => setShown(true)}>?</button>
    ${
      shown &&
      html`<${Dialog} label="keys" ready="keys" kind="keys" onClose=${close}>
        <header><h2>Keys</h2><nav aria-label="keys"><button onClick=${close} title="close (Esc)">✕</button></nav></header>
        <dl>${keys.map(([key, text]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${text}</dd></div>`)}</dl><//>`
    }`;
}
