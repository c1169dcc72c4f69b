/** Values that components show and other code sets. */

import { useEffect, useState } from 'preact/hooks';

export interface Signal<T> {
  get(): T;
  set(value: T): void;
  subscribe(changed: () => void): () => void;
}

export function signal<T>(first: T): Signal<T> {
  let value = first;
  const readers = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const changed of [...readers]) changed();
    },
    subscribe(changed) {
      readers.add(changed);
      return () => readers.delete(changed);
    },
  };
}

/** The value of a signal; the component is drawn again when it changes. */
export function useSignal<T>(source: Signal<T>): T {
  const [, redraw] = useState({});
  const drawn = source.get();
  useEffect(() => {
    const stop = source.subscribe(() => redraw({}));
    // It may have changed after it was drawn and before anybody listened.
    if (!Object.is(drawn, source.get())) redraw({});
    return stop;
  }, [source]);
  return drawn;
}

/** A signal that is kept in the browser under this name. */
export function kept<T>(name: string, first: T): Signal<T> {
  const key = `fusetrack.${name}`;
  const source = signal<T>(read(key) ?? first);
  source.subscribe(() => localStorage.setItem(key, JSON.stringify(source.get())));
  return source;
}

function read<T>(key: string): T | null {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') as T | null;
  } catch {
    return null;
  }
}
