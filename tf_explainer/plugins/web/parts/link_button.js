// Copies a link to this view; shows the link if the browser forbids copying.

import { Dialog } from "../shared/dialog.js";
import { html, useEffect, useState } from "../vendor/preact-htm.js";

export function LinkButton({ link }) {
  const [copied, setCopied] = useState(null);
  useEffect(() => setCopied(null), [link]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(link);
      setCopied(true);
    } catch {
      // Without https, or in a frame of another site, pages may not write to the clipboard.
      setCopied(false);
    }
  };
  const close = () => setCopied(null);
  return html`<button onClick=${copy} title="copy a link to this view">${copied ? "Copied" : "Link"}</button>
    ${
      copied === false &&
      html`<${Dialog} label="link" ready="link" kind="keys" onClose=${close}>
        <header><h2>Link to this view</h2><nav aria-label="link"><button onClick=${close} title="close (Esc)">✕</button></nav>
        </header><p>The browser does not let this page write to the clipboard. Copy the link from here:</p>
        <p><input class="whole-link" readonly aria-label="link" value=${link}
          onFocus=${(event) => event.target.select()}/></p><//>`
    }`;
}
