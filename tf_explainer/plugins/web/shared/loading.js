// Loads what a component shows.

import { useEffect } from "../vendor/preact-htm.js";

/**
 * Calls `load` when `deps` change; then calls onValue or onError, unless they have changed again. load: returns a
 * promise, or undefined if there is nothing to load.
 */
export function useLoad(load, deps, onValue, onError = () => {}, effect = useEffect) {
  effect(() => {
    let current = true;
    load()?.then(
      (value) => current && onValue(value),
      (error) => current && onError(error),
    );
    return () => {
      current = false;
    };
  }, deps);
}
