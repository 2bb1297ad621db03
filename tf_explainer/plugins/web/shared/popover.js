// A button that shows more controls below it; Escape or a click elsewhere hides them, as the browser does.

import { html, useRef, useState } from "../vendor/preact-htm.js";

const WIDTH = 340;
const MARGIN = 8;

/** folds: where there is room for them, the controls stand in the toolbar themselves, without a button. */
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
    // The focus goes back, unless the person has taken it elsewhere.
    if (newState === "closed" && document.activeElement === document.body) button.current?.focus();
  };
  const kind = folds ? "folds" : "";
  return html`<button ref=${button} class=${`plain unfolds ${kind}`} popovertarget=${id} aria-expanded=${open}
      aria-controls=${id} title=${label}><span>${text}</span> <span aria-hidden="true">▾</span></button>
    <div ref=${panel} id=${id} class=${`popover ${kind}`} popover="auto" role="group" aria-label=${label}
      onBeforeToggle=${place} onToggle=${toggled}>${children}</div>`;
}

/** Whether Escape is for a popover that is open, and for nothing below it. */
export const isPopoverOpen = () => document.querySelector(":popover-open") !== null;
