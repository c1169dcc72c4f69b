/** The screen that the address names after its `#`, as in `#/person/7?at=12`. */

import { useEffect, useState } from 'preact/hooks';

export interface Route {
  /** The name of the screen. */
  screen: string;
  /** What follows the name, decoded: `['7']`. */
  rest: string[];
  query: URLSearchParams;
}

export function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [screen = '', ...rest] = path.split('/').filter(Boolean).map(decoded);
  return { screen: screen || 'wall', rest, query: new URLSearchParams(query) };
}

/** The address of a screen for a link. */
export function linkTo(screen: string, ...rest: (string | number)[]): string {
  return '#/' + [screen, ...rest.map(String).map(encodeURIComponent)].join('/');
}

export function go(hash: string): void {
  location.hash = hash;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const changed = () => setRoute(routeOf(location.hash));
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return route;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
