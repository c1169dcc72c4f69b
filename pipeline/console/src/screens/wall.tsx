/** All cameras. */

import { Empty, Page } from '../parts';
import { cameras } from '../site';
import { useSignal } from '../store';

export function Wall() {
  const all = useSignal(cameras);
  return (
    <Page title="Wall">
      {all.length === 0 && <Empty>This site has no cameras yet.</Empty>}
      <ul>
        {all.map((camera) => (
          <li key={camera.id}>
            {camera.id}: {camera.state} {camera.reason}
          </li>
        ))}
      </ul>
    </Page>
  );
}
