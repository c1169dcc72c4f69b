/** Who is there now. */

import { linkTo } from '../router';
import { nameOf, names, people, siteNow } from '../site';
import { useSignal } from '../store';
import { ago, useClock } from '../time';
import { Empty, Page, PersonMark } from '../parts';

export function People() {
  const found = useSignal(people);
  const now = useSignal(siteNow);
  const clock = useClock();
  useSignal(names);
  return (
    <Page title="People now" note={`${found.length} in view in the last ten seconds`}>
      {found.length === 0 && <Empty>Nobody is in view. People appear here as they come.</Empty>}
      <ul class="cards">
        {found.map((person) => (
          <li key={person.global_id}>
            <a class="card" href={linkTo('person', person.global_id)}>
              <PersonMark id={person.global_id} />
              <strong>{nameOf(person.global_id)}</strong>
              <span>{person.camera_id}</span>
              <span class="soft">
                since {clock.full(person.since)} · {ago((now ?? 0) - person.last_seen)}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </Page>
  );
}
