/** One person: where and when, pictures, why, and what an editor can correct. */

import { useEffect, useState } from 'preact/hooks';
import { CorrectionsOf, type Asked } from '../correct';
import { Icon } from '../icons';
import { Empty, Page, PersonMark, Problem } from '../parts';
import { PathOnGround } from '../person_path';
import { Pictures, StayDetail, Why } from '../person_parts';
import { usePolled } from '../polling';
import type { Route } from '../router';
import { me, nameOf, names, onEvent, people } from '../site';
import { useSignal } from '../store';
import { duration, useClock } from '../time';
import { Timeline } from '../timeline';
import type { Identity, Link, Person as Present, Thumbnail } from '../types';
import { Live } from './person_live';
import '../styles/people.css';
import '../styles/person.css';

// A person changes with each track, and while in view.
const EVERY_S = 5;

export function Person({ route }: { route: Route }) {
  const id = Number(route.rest[0]);
  if (!Number.isInteger(id) || id < 0) {
    return (
      <Page title="Person">
        <Empty>A person has a number, as in #/person/7.</Empty>
      </Page>
    );
  }
  return <Known key={id} id={id} />;
}

function Known({ id }: { id: number }) {
  const user = useSignal(me);
  const everyS = user?.live ? EVERY_S : 0;
  const identity = usePolled<Identity>(`identities/${id}`, everyS);
  const links = usePolled<{ links: Link[] }>(`identities/${id}/links`, everyS);
  const pictures = usePolled<{ thumbnails: Thumbnail[] }>(`identities/${id}/thumbnails`, everyS);
  const present = useSignal(people).find(({ global_id }) => global_id === id);
  const [chosen, setChosen] = useState<string | null>(null);
  const [asked, setAsked] = useState<Asked | null>(null);
  useSignal(names);
  useReload(id, identity.reload, links.reload);
  const data = identity.data;
  const all = links.data?.links ?? [];
  const thumbnails = pictures.data?.thumbnails ?? [];
  const stay = data?.stays.find((one) => keyOf(one) === chosen) ?? null;
  const isEditor = user?.role === 'editor';
  return (
    <Page
      title={nameOf(id)}
      mark={<PersonMark id={id} />}
      note={data ? <Summary data={data} present={present} /> : undefined}
      actions={isEditor && data && <Actions onAsk={setAsked} />}
    >
      {identity.problem && <Problem>{identity.problem}</Problem>}
      {data && (
        <div class="person">
          <div class="person-main">
            <Timeline id={id} stays={data.stays} chosen={chosen} onChoose={setChosen} keyOf={keyOf} />
            {stay && (
              <StayDetail
                stay={stay}
                links={all}
                picture={thumbnails.find((one) => keyOf(one) === chosen)}
                onMove={isEditor ? () => setAsked({ kind: 'move', stay }) : undefined}
                onSplit={
                  isEditor && stay.start !== null
                    ? () => setAsked({ kind: 'split', at: stay.start! })
                    : undefined
                }
                onClose={() => setChosen(null)}
              />
            )}
            <Pictures id={id} thumbnails={thumbnails} onChoose={setChosen} keyOf={keyOf} />
            <Why links={all} problem={links.problem} />
          </div>
          <div class="person-side">
            {present && user?.live && <Live person={present} />}
            <PathOnGround id={id} until={data.last_seen} everyS={everyS} />
            <CorrectionsOf
              id={id}
              identity={data}
              links={all}
              asked={asked}
              onAsk={setAsked}
              onDone={() => {
                identity.reload();
                links.reload();
                pictures.reload();
              }}
            />
          </div>
        </div>
      )}
    </Page>
  );
}

/** The key of a stay: several parts of a track may be of the same person. */
function keyOf(one: { camera_id: string; track_id: number; start: number | null }): string {
  return `${one.camera_id}/${one.track_id}`;
}

function useReload(id: number, ...reloads: (() => void)[]): void {
  useEffect(
    () =>
      onEvent((event) => {
        const isOurs = event.type === 'identity' && event['global_id'] === id;
        if (isOurs || event.type === 'correction') for (const reload of reloads) reload();
      }),
    [id, ...reloads],
  );
}

function Summary({ data, present }: { data: Identity; present: Present | undefined }) {
  const clock = useClock();
  const isLive = useSignal(me)?.live ?? false;
  const places = new Set(data.stays.map(({ camera_id }) => camera_id)).size;
  const seconds = data.stays.reduce((sum, { start, end }) => sum + ((end ?? 0) - (start ?? 0)), 0);
  return (
    <>
      {present && (
        <strong class="now">
          in {present.camera_id} {isLive ? 'now' : 'at the end'} ·{' '}
        </strong>
      )}
      {data.first_seen !== null && data.last_seen !== null && (
        <>
          {clock.day(data.first_seen)} {clock.time(data.first_seen)} to {clock.full(data.last_seen)} ·{' '}
        </>
      )}
      {places} {places === 1 ? 'camera' : 'cameras'}, {data.stays.length} tracks, {duration(seconds)} in view
    </>
  );
}

function Actions({ onAsk }: { onAsk: (asked: Asked) => void }) {
  return (
    <>
      <button type="button" onClick={() => onAsk({ kind: 'name' })}>
        <Icon name="edit" /> Name
      </button>
      <button type="button" onClick={() => onAsk({ kind: 'merge' })}>
        <Icon name="merge" /> Merge
      </button>
      <button type="button" onClick={() => onAsk({ kind: 'split', at: null })}>
        <Icon name="split" /> Split
      </button>
    </>
  );
}

