// What a tab shows: the runs that there are, and the state that its address holds.

import { html, useCallback, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import * as host from "./host.js";

// How often runs are asked for, in milliseconds, so that one that is being written appears by itself.
const AGAIN = 10_000;

/**
 * The runs as a server lists them, read anew whenever TensorBoard does, and now and then; with `gone`, names of runs
 * that it listed before, and `silent` where it answers no more.
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
    // A tab that is not shown has no width.
    const again = setInterval(() => window.innerWidth && read(), AGAIN);
    return () => clearInterval(again);
  }, []);
  return found;
}

/** A question that is asked at once, before the page wants the answer; later it is asked anew. */
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

/** When a run's snapshot at a step was written, in seconds; undefined where there is none. */
export const writtenAt = (found, run, step) =>
  Object.hasOwn(found?.runs ?? {}, run) ? found.written[run][found.runs[run].indexOf(step)] : undefined;

/**
 * What `load` gives: {value, error}. Where it fails, it is asked again now and then, and what was read before of the
 * same thing stays. what: names the thing, undefined: there is none; version: changes when it is to be read anew.
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

/** What the address asks for that is not there, with what is shown instead; and what is damaged, gone or out of date. */
export function Missing({ state, names, run, step, layer, found, error }) {
  const gone = found.gone.filter((name) => !names.includes(name));
  const shown = run === undefined ? "" : `: ${run || "."} is shown`;
  const notes = [
    ...gone.map((name) => `Run ${name || "."} was deleted or moved while this page showed it${shown}.`),
    state.run !== "" && state.run !== run && !gone.includes(state.run) && `There is no run ${state.run}${shown}.`,
    state.step !== "" && Number(state.step) !== step && `Step ${state.step} was not kept: step ${step} is shown.`,
    state.layer && layer && state.layer !== layer.name && `There is no layer ${state.layer}: ${layer.title} is shown.`,
    state.compare && !names.includes(state.compare) && `There is no run ${state.compare} to put beside.`,
    found.silent && "TensorBoard does not answer: what is shown was read before.",
    error && `What is stored of run ${run || "."} cannot be read any more (${error.message}): this was read before.`,
    ...Object.entries(found.skipped).map(([name, why]) => `Skipped in run ${name || "."}: ${why.join("; ")}.`),
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
