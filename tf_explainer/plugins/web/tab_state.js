// What a tab shows: the runs that there are, and the state that its address holds.

import * as host from "./host.js";
import { useCallback, useEffect, useState } from "./vendor/preact-htm.js";

/** The runs as a server lists them, read anew whenever TensorBoard does. */
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
        (error) => setFound({ error }),
      );
    read();
    host.onReload(read);
  }, []);
  return { found, reloads };
}

export function useAddress(plugin, defaults, shorten) {
  const [state, setState] = useState(() => ({ ...defaults, ...host.readState(plugin) }));
  useEffect(() => host.onNavigation(plugin, (next) => setState({ ...defaults, ...next })), []);
  useEffect(() => host.writeState(plugin, shorten(state)), [state]);
  return [state, useCallback((change) => setState((last) => ({ ...last, ...change })), [])];
}

export const nearestStep = (steps, wanted) =>
  steps?.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best), steps.at(-1));

/** The run to look at first: one of an evaluation, else the one with the latest step. */
export function latestRun(runs, names) {
  const rank = (name) => [/evaluation$/.test(name) ? 1 : 0, runs[name].at(-1)];
  return [...names].sort((a, b) => rank(b)[0] - rank(a)[0] || rank(b)[1] - rank(a)[1])[0];
}
