// The state of a tab: the available runs, and the settings in its address.

import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import * as host from "./host.js";

// How often the server is asked for runs, in milliseconds, so that new runs appear by themselves.
const AGAIN = 10_000;

/**
 * Returns the runs that a server lists, refreshed regularly and when TensorBoard reloads; with `gone`: names of runs
 * that it listed before, and `silent`: whether it no longer answers.
 */
export function useRuns(ask) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    const read = () =>
      ask().then(
        (next) => setFound((last) => same(last, { ...next, gone: goneFrom(last, next) })),
        (error) => setFound((last) => (last && !last.error ? same(last, { ...last, silent: true }) : { error })),
      );
    read();
    host.onReload(read);
    // A hidden tab has no width.
    const again = setInterval(() => window.innerWidth && read(), AGAIN);
    return () => clearInterval(again);
  }, []);
  return found;
}

/** Sends a request at once, for the first call of the returned function; later calls send it again. */
export function early(ask) {
  let first = ask();
  first.catch(() => {});
  return () => {
    const answer = first ?? ask();
    first = null;
    return answer;
  };
}

const same = (last, next) => (JSON.stringify(last) === JSON.stringify(next) ? last : next);

function goneFrom(last, next) {
  const before = last?.error ? [] : [...Object.keys(last?.runs ?? {}), ...(last?.gone ?? [])];
  return before.filter((name) => !Object.hasOwn(next.runs, name) && !Object.hasOwn(next.skipped, name));
}

/** Returns when a run's snapshot at a step was written, in seconds; undefined if there is none. */
export const writtenAt = (found, run, step) =>
  Object.hasOwn(found?.runs ?? {}, run) ? found.written[run][found.runs[run].indexOf(step)] : undefined;

/**
 * Returns the result of `load` as {value, error}. After an error it retries regularly, and keeps an earlier value of
 * the same `what`. what: identifies the value, undefined: nothing to load; version: a change loads it again.
 */
export function useRead(what, version, load) {
  const [read, setRead] = useState({});
  const [tries, setTries] = useState(0);
  useEffect(() => {
    if (what === undefined) return setRead({});
    let current = true;
    let later;
    load().then(
      (value) => current && setRead({ what, value }),
      (error) => {
        if (!current) return;
        setRead((last) => ({ what, error, value: last.what === what ? last.value : undefined }));
        later = setTimeout(() => setTries((count) => count + 1), AGAIN);
      },
    );
    return () => {
      current = false;
      clearTimeout(later);
    };
  }, [what, version, tries]);
  return read;
}

// Changes of these add a history entry, which Back undoes; sliders, searches etc. only replace the address.
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

/** Handles keys of an element, also while nothing has the focus, so that no click is needed first. */
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

/** Notes on what the address names but does not exist, with what is shown instead; and on damaged or outdated data. */
export function Missing({ state, names, run, step, layer, found, error }) {
  const gone = found.gone.filter((name) => !names.includes(name));
  const shown = run === undefined ? "" : `: ${run || "."} is shown`;
  const notes = [
    ...gone.map((name) => `Run ${name || "."} was deleted or moved while this page showed it${shown}.`),
    state.run !== "" && state.run !== run && !gone.includes(state.run) && `There is no run ${state.run}${shown}.`,
    state.step !== "" && Number(state.step) !== step && `Step ${state.step} is not stored: step ${step} is shown.`,
    state.layer && layer && state.layer !== layer.name && `There is no layer ${state.layer}: ${layer.title} is shown.`,
    state.compare && !names.includes(state.compare) && `There is no run ${state.compare} to compare with.`,
    found.silent && "TensorBoard does not answer: this page shows earlier data.",
    error && `Run ${run || "."} can no longer be read (${error.message}): this page shows earlier data.`,
    ...Object.entries(found.skipped).map(([name, why]) => `Skipped in run ${name || "."}: ${why.join("; ")}.`),
  ].filter(Boolean);
  return (
    notes.length > 0 &&
    html`<div class="missing-notes" role="status">${notes.map((note) => html`<p>${note}</p>`)}</div>`
  );
}

/** Returns the run to show first: an evaluation, if there is one, and then the run with the latest step. */
export function latestRun(runs, names) {
  const rank = (name) => [/evaluation$/.test(name) ? 1 : 0, runs[name].at(-1)];
  return [...names].sort((a, b) => rank(b)[0] - rank(a)[0] || rank(b)[1] - rank(a)[1])[0];
}
