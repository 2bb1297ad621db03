// The keys of a tab, and their help, opened by "?".

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { Dialog } from "./dialog.js";

/** Handles keys wherever the focus is, except in a field, which Escape leaves. actions: by key, called with the event. */
export function useKeys(actions) {
  useEffect(() => {
    const keys = (event) => {
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return event.key === "Escape" && event.target.blur();
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      actions[event.key]?.(event);
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  });
}

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
