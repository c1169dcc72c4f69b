/** Who is there now, or was in the last hour or day of a finished run. */

import { useEffect, useMemo, useState } from 'preact/hooks';
import { Empty, Page, PersonMark, Problem } from '../parts';
import { usePolled } from '../polling';
import { PersonPicture } from '../person_picture';
import { linkTo } from '../router';
import { PRESENT_S, cameras, isKnown, me, nameOf, names, people, siteNow } from '../site';
import { useSignal } from '../store';
import { ago, duration, useClock } from '../time';
import type { Person } from '../types';
import { WallView } from '../wall_view';
import '../styles/people.css';

type Order = 'id' | 'newest' | 'longest';

const ORDERS: Record<Order, (a: Person, b: Person) => number> = {
  id: (a, b) => a.global_id - b.global_id,
  newest: (a, b) => b.since - a.since,
  longest: (a, b) => a.since - b.since,
};

const HOUR_S = 3600;
const DAY_S = 86_400;
const MOST = 1000;

export function People() {
  const user = useSignal(me);
  const isLive = user?.live ?? false;
  const isOver = user?.live === false;
  // At the end of a run there is often nobody.
  const [endS, setEndS] = useState(HOUR_S);
  const lastS = isOver ? endS : PRESENT_S;
  const present = useSignal(people);
  const earlier = usePolled<{ identities: Person[]; next: number | null }>(
    lastS > PRESENT_S ? `identities?last_s=${lastS}&limit=${MOST}` : null,
  );
  const found = lastS > PRESENT_S ? (earlier.data?.identities ?? []) : present;
  const all = useSignal(cameras);
  const [camera, setCamera] = useState('');
  const [order, setOrder] = useState<Order>('id');
  useSignal(names);
  const view = useLiveView(isLive);
  const shown = found.filter((one) => !camera || one.camera_id === camera).sort(ORDERS[order]);
  const known = useSignal(isKnown);
  const isAsked = lastS > PRESENT_S ? earlier.data !== null : known;
  const span = lastS === PRESENT_S ? 'at the end' : `in the last ${lastS === HOUR_S ? 'hour' : 'day'}`;
  const when = isLive ? `in the last ${PRESENT_S} seconds` : `${span} of the run`;
  return (
    <Page
      title={isLive ? 'People now' : 'People'}
      note={isAsked && `${shown.length} in view ${when}`}
      actions={
        <>
          {isOver && (
            <label class="inline">
              Seen
              <select value={endS} onChange={(event) => setEndS(Number(event.currentTarget.value))}>
                <option value={PRESENT_S}>At the end</option>
                <option value={HOUR_S}>Last hour</option>
                <option value={DAY_S}>Last day</option>
              </select>
            </label>
          )}
          <label class="inline">
            Camera
            <select value={camera} onChange={(event) => setCamera(event.currentTarget.value)}>
              <option value="">All</option>
              {all.map(({ id }) => (
                <option key={id}>{id}</option>
              ))}
            </select>
          </label>
          <label class="inline">
            Order
            <select value={order} onChange={(event) => setOrder(event.currentTarget.value as Order)}>
              <option value="id">By number</option>
              <option value="newest">Newest first</option>
              <option value="longest">Longest first</option>
            </select>
          </label>
        </>
      }
    >
      {earlier.data?.next && <p class="soft">Only the first {MOST} by number are here.</p>}
      {earlier.problem && <Problem>{earlier.problem}</Problem>}
      {isAsked && shown.length === 0 && (
        <Empty>
          {isLive
            ? `Nobody is in view${camera && ` of ${camera}`}. People appear here as they come.`
            : `Nobody was in view${camera && ` of ${camera}`} ${when}. The map shows any moment, and the review what happened.`}
        </Empty>
      )}
      <ul class="people">
        {shown.map((person) => (
          <li key={person.global_id}>
            <PersonCard person={person} view={view} />
          </li>
        ))}
      </ul>
    </Page>
  );
}

// Crops of people need no smooth pictures.
const CROP_FPS = 2;

/** Pictures of all cameras, for crops of the people in them. */
export function useLiveView(isLive: boolean): WallView | undefined {
  const ids = useSignal(cameras)
    .filter(({ state }) => state !== 'removed')
    .map(({ id }) => id)
    .join('\n');
  const view = useMemo(
    () => (isLive && ids ? new WallView(ids.split('\n'), CROP_FPS) : undefined),
    [isLive, ids],
  );
  useEffect(() => view?.open(), [view]);
  return view;
}

function PersonCard({ person, view }: { person: Person; view: WallView | undefined }) {
  const now = useSignal(siteNow) ?? person.last_seen;
  const isLive = useSignal(me)?.live ?? false;
  const clock = useClock();
  return (
    <a class="person-card" href={linkTo('person', person.global_id)}>
      <PersonPicture id={person.global_id} view={view} />
      <span class="person-text">
        <span class="person-name">
          <PersonMark id={person.global_id} />
          <strong>{names.get().get(person.global_id) ?? ''}</strong>
        </span>
        <span>{person.camera_id}</span>
        <span class="soft" title={`since ${clock.full(person.since)}`}>
          for {duration(Math.max(person.last_seen - person.since, 0))}
        </span>
        <span class="soft">
          {isLive ? ago(now - person.last_seen) : `until ${clock.time(person.last_seen)}`}
        </span>
      </span>
      <span class="visually-hidden">{nameOf(person.global_id)}</span>
    </a>
  );
}
