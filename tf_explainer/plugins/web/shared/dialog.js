// A dialog over the page that keeps the focus, and returns it when closed.

import { html, useEffect, useRef } from "../vendor/preact-htm.js";

const FOCUSABLE = "button:not(:disabled), input, select, [tabindex='0']";

export function Dialog({ label, ready, kind = "", onClose, children }) {
  const element = useRef();
  useEffect(() => {
    const dialog = element.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  const keys = (event) => {
    if (event.key === "?") return;
    // The page below must not handle these keys.
    event.stopPropagation();
    if (event.key !== "Tab") return;
    // Otherwise the focus would move to the page around the frame.
    const stops = [...element.current.querySelectorAll(FOCUSABLE)];
    const at = stops.indexOf(document.activeElement) + (event.shiftKey ? -1 : 1);
    event.preventDefault();
    stops.at(at % stops.length)?.focus();
  };
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${element} class=${`zoom ${kind}`} aria-label=${label} data-ready=${ready} onKeyDown=${keys}
    onCancel=${cancel} onClick=${(event) => event.target === event.currentTarget && onClose()}>${children}</dialog>`;
}
