// What of a long list can be seen, so that only that is drawn.

import { useLayoutEffect, useState } from "../vendor/preact-htm.js";

// Rows beyond the edges let the page be built anew only every so many pixels.
const STRIDE = 160;

/** Where an element is scrolled to, a stride at a time, and its size; its width is 0 until it is known. */
export function useScrolled(scroller) {
  const [view, setView] = useState({ top: 0, height: 800, width: 0 });
  useLayoutEffect(() => {
    const element = scroller.current;
    const measure = () =>
      setView((last) => {
        const next = {
          top: Math.floor(element.scrollTop / STRIDE) * STRIDE,
          height: element.clientHeight,
          width: element.clientWidth,
        };
        return Object.keys(next).every((key) => next[key] === last[key]) ? last : next;
      });
    let asked = 0;
    const later = () => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        measure();
      });
    };
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    element.addEventListener("scroll", later, { passive: true });
    measure();
    return () => {
      resized.disconnect();
      element.removeEventListener("scroll", later);
      cancelAnimationFrame(asked);
    };
  }, []);
  return view;
}
