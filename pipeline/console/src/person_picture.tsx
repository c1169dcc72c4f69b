/** What a person looks like: now where they are in view, else the best picture that was kept. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { colourOf } from './colours';
import { get } from './api';
import { nameOf } from './site';
import type { Thumbnail } from './types';
import type { WallView } from './wall_view';

/** A picture that fills its place; an outline of a person where there is none. */
export function PersonPicture({ id, view }: { id: number; view?: WallView }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const url = useBestPicture(id);
  useEffect(() => (view && canvas.current ? view.cropOn(id, canvas.current) : undefined), [id, view]);
  return (
    <span class="person-picture" style={{ '--person': colourOf(id) }}>
      {url ? <img src={url} alt={`Picture of ${nameOf(id)}`} loading="lazy" /> : <Outline />}
      {view && <canvas ref={canvas} role="img" aria-label={`${nameOf(id)} now`} />}
    </span>
  );
}

export function Outline() {
  return (
    <svg class="outline" viewBox="0 0 24 48" aria-hidden="true">
      <circle cx="12" cy="8.5" r="5" />
      <path d="M3.5 29v-7.500a6 6 0 0 1 6-6h5a6 6 0 0 1 6 6V29l-3 1v16h-11V30z" />
    </svg>
  );
}

const MINUTE_MS = 60_000;
const asked = new Map<number, { at: number; url: Promise<string | null> }>();

/** The address of the best kept picture of a person; null without one. */
function useBestPicture(id: number): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    let isOpen = true;
    void bestPicture(id).then((found) => isOpen && setUrl(found));
    return () => {
      isOpen = false;
    };
  }, [id]);
  return url;
}

function bestPicture(id: number): Promise<string | null> {
  const known = asked.get(id);
  if (known && performance.now() - known.at < MINUTE_MS) return known.url;
  const url = get<{ thumbnails: Thumbnail[] }>(`identities/${id}/thumbnails?limit=1`)
    .then(({ thumbnails }) => thumbnails[0]?.url ?? null)
    .catch(() => null);
  asked.set(id, { at: performance.now(), url });
  return url;
}
