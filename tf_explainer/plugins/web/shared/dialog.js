// A dialog over the page: the focus stays in it, and goes back where it was.

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
    // Keys of the page below mean nothing here.
    event.stopPropagation();
    if (event.key !== "Tab") return;
    // Without this the focus would leave for the page around the frame.
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
