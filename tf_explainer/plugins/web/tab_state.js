// What a tab shows: the runs that there are, and the state that its address holds.

import * as host from "./host.js";
import { html, useCallback, useEffect, useRef, useState } from "./vendor/preact-htm.js";

// How often runs are asked for, in milliseconds, so that one that is being written appears by itself.
const AGAIN = 10_000;

/** The runs as a server lists them, read anew whenever TensorBoard does, and now and then. */
export function useRuns(ask) {
  const [found, setFound] = useState(null);
  const [reloads, setReloads] = useState(0);
  useEffect(() => {
    const read = () =>
      ask().then(
        (next) =>
          setFound((last) => {
            if (last && JSON.stringify(last) === JSON.stringify(next)) return last;
            setReloads((count) => count + 1);
            return next;
          }),
        (error) => setFound((last) => last ?? { error }),
      );
    read();
    host.onReload(read);
    // A tab that is not shown has no width.
    const again = setInterval(() => window.innerWidth && read(), AGAIN);
    return () => clearInterval(again);
  }, []);
  return { found, reloads };
}

// A change of one of these is a step that Back undoes; sliders, searches and the like only rewrite the address.
const PLACES = ["run", "view", "layer", "filter", "image", "class", "compare", "zoom"];

const stateFrom = (defaults, given) => ({
  ...defaults,
  ...Object.fromEntries(Object.entries(given).filter(([key]) => Object.hasOwn(defaults, key))),
});

export function useAddress(plugin, defaults, shorten) {
  const [state, setState] = useState(() => stateFrom(defaults, host.readState(plugin)));
  const written = useRef(state);
  useEffect(
    () =>
      host.onNavigation(plugin, (next) => {
        written.current = stateFrom(defaults, next);
        setState(written.current);
      }),
    [],
  );
  useEffect(() => {
    const moved = PLACES.some((key) => state[key] !== written.current[key]);
    written.current = state;
    host.writeState(plugin, shorten(state), moved);
  }, [state]);
  return [state, useCallback((change) => setState((last) => ({ ...last, ...change })), [])];
}

/** Keys of an element that also work while nothing has the focus, so that nobody has to click first. */
export function useFreeKeys(element, handle) {
  const latest = useRef();
  latest.current = handle;
  useEffect(() => {
    const keys = (event) => {
      const free = event.target === document.body;
      if ((free && !document.querySelector("dialog[open]")) || element.current?.contains(event.target))
        latest.current(event);
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, []);
}

export const nearestStep = (steps, wanted) =>
  steps?.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best), steps.at(-1));

/** What the address asks for that is not there, with what is shown instead; and what is damaged. */
export function Missing({ state, names, run, step, layer, skipped = {} }) {
  const notes = [
    state.run !== "" && state.run !== run && `There is no run ${state.run}: ${run || "."} is shown.`,
    state.step !== "" && Number(state.step) !== step && `Step ${state.step} was not kept: step ${step} is shown.`,
    state.layer && layer && state.layer !== layer.name && `There is no layer ${state.layer}: ${layer.title} is shown.`,
    state.compare && !names.includes(state.compare) && `There is no run ${state.compare} to put beside.`,
    ...Object.entries(skipped).map(([name, why]) => `Skipped in run ${name || "."}: ${why.join("; ")}.`),
  ].filter(Boolean);
  return (
    notes.length > 0 &&
    html`<div class="missing-notes" role="status">${notes.map((note) => html`<p>${note}</p>`)}</div>`
  );
}

/** The run to look at first: one of an evaluation, else the one with the latest step. */
export function latestRun(runs, names) {
  const rank = (name) => [/evaluation$/.test(name) ? 1 : 0, runs[name].at(-1)];
  return [...names].sort((a, b) => rank(b)[0] - rank(a)[0] || rank(b)[1] - rank(a)[1])[0];
}
