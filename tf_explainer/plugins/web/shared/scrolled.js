// Which section of a long list is visible, so that only that is drawn.

import { useLayoutEffect, useState } from "../vendor/preact-htm.js";

// The list is rebuilt only every so many pixels; extra rows beyond the edges cover the scrolling between.
const STRIDE = 160;

/** Returns an element's scroll position, in strides, and its size; the width is 0 until it is known. */
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
