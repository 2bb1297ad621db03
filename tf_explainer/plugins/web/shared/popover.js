// A button that shows more controls below it; the browser hides them on Escape or a click elsewhere.

import { html, useRef, useState } from "../vendor/preact-htm.js";

const WIDTH = 340;
const MARGIN = 8;

/** folds: if there is room, the controls are in the toolbar itself, without a button. */
export function Popover({ id, text, label, folds, children }) {
  const [open, setOpen] = useState(false);
  const button = useRef();
  const panel = useRef();
  const place = ({ newState }) => {
    if (newState !== "open") return;
    const { left, bottom } = button.current.getBoundingClientRect();
    panel.current.style.left = `${Math.max(MARGIN, Math.min(left, window.innerWidth - WIDTH - MARGIN))}px`;
    panel.current.style.top = `${bottom + MARGIN}px`;
  };
  const toggled = ({ newState }) => {
    setOpen(newState === "open");
    // Returns the focus, unless the user has moved it elsewhere.
    if (newState === "closed" && document.activeElement === document.body) button.current?.focus();
  };
  const kind = folds ? "folds" : "";
  return html`<button ref=${button} class=${`plain unfolds ${kind}`} popovertarget=${id} aria-expanded=${open}
      aria-controls=${id} title=${label}><span>${text}</span> <span aria-hidden="true">▾</span></button>
    <div ref=${panel} id=${id} class=${`popover ${kind}`} popover="auto" role="group" aria-label=${label}
      onBeforeToggle=${place} onToggle=${toggled}>${children}</div>`;
}

/** Returns whether a popover is open, which Escape then closes. */
export const isPopoverOpen = () => document.querySelector(":popover-open") !== null;
