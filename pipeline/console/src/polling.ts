/** Data of the API that a component shows, asked for again and again while the page is visible. */

import { useCallback, useEffect, useState } from 'preact/hooks';
import { get, problemOf } from './api';

export interface Polled<T> {
  data: T | null;
  /** Why the last request failed. */
  problem: string | null;
  /** Ask again at once. */
  reload(): void;
}

// A request that failed is repeated, also one that is made once: a camera may have no frame yet.
const RETRY_S = 3;

/** The answer for `path`, again every `everyS` seconds; 0: once. Nothing for a null path. */
export function usePolled<T>(path: string | null, everyS = 0): Polled<T> {
  const [state, setState] = useState<{ path: string | null; data: T | null; problem: string | null }>(
    { path: null, data: null, problem: null },
  );
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let timer = 0;
    const ask = async () => {
      let nextS = everyS;
      try {
        const data = await get<T>(path, abort.signal);
        setState({ path, data, problem: null });
      } catch (error) {
        const problem = problemOf(error);
        if (problem === null) return;
        nextS ||= RETRY_S;
        setState((old) => ({ path, data: old.path === path ? old.data : null, problem }));
      }
      if (nextS && !abort.signal.aborted) timer = window.setTimeout(again, nextS * 1000);
    };
    const again = () => {
      if (document.hidden) document.addEventListener('visibilitychange', again, { once: true });
      else void ask();
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', again);
    };
  }, [path, everyS, turn]);
  const reload = useCallback(() => setTurn((count) => count + 1), []);
  const isOurs = state.path === path;
  return { data: isOurs ? state.data : null, problem: isOurs ? state.problem : null, reload };
}
