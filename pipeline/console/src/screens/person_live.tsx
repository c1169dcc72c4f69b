/** The camera in which a person is now; it changes with the person. */

import { useEffect, useMemo, useRef } from 'preact/hooks';
import { linkTo } from '../router';
import { cameras, nameOf } from '../site';
import { useSignal } from '../store';
import type { Person } from '../types';
import { WallView, highlighted } from '../wall_view';
import { wallFps } from '../settings';

export function Live({ person }: { person: Person }) {
  const fps = useSignal(wallFps);
  const camera = useSignal(cameras).find(({ id }) => id === person.camera_id);
  const view = useMemo(() => new WallView([person.camera_id], fps), [person.camera_id, fps]);
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => view.open(), [view]);
  useEffect(() => (canvas.current ? view.paintOn(person.camera_id, canvas.current) : undefined), [view]);
  useEffect(() => {
    highlighted.set(person.global_id);
    return () => highlighted.set(null);
  }, [person.global_id]);
  const ratio = camera?.width ? camera.width / camera.height : 16 / 9;
  return (
    <section class="sheet">
      <h2>
        Live in <a href={linkTo('wall', person.camera_id)}>{person.camera_id}</a>
      </h2>
      <div
        class="live-picture"
        role="img"
        aria-label={`Live picture of ${person.camera_id} with ${nameOf(person.global_id)}`}
        style={{ aspectRatio: String(Math.max(ratio, 0.8)) }}
      >
        <canvas ref={canvas} />
      </div>
      <p class="soft small">The picture follows the person from camera to camera.</p>
    </section>
  );
}
