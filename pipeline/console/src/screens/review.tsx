/** What happened, newest first, to look through and mark as reviewed. */

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, get, post, problemOf } from '../api';
import { Icon } from '../icons';
import { useKeys } from '../keys';
import { Dialog, Empty, Page, PersonMark, Problem } from '../parts';
import { linkTo } from '../router';
import { cameras, mayEdit, me, nameOf, names, onEvent } from '../site';
import { useSignal } from '../store';
import { useClock } from '../time';
import type { ReviewEvent } from '../types';
import '../styles/review.css';

const PAGE = 50;
const KINDS = ['enter', 'leave', 'dwell', 'line', 'new person', 'camera lost', 'camera back'] as const;
const KIND_TEXTS: Record<(typeof KINDS)[number], string> = {
  enter: 'Enters a zone',
  leave: 'Leaves a zone',
  dwell: 'Stays in a zone',
  line: 'Crosses a line',
  'new person': 'New person',
  'camera lost': 'Camera lost',
  'camera back': 'Camera back',
};
// Events that come together are asked for once.
const TOGETHER_MS = 3000;

interface Filter {
  kind: string;
  camera: string;
  reviewed: string;
}

interface Listed {
  events: ReviewEvent[];
  next: number | null;
}

export function Review() {
  const [filter, setFilter] = useState<Filter>({ kind: '', camera: '', reviewed: 'false' });
  const { listed, why, isKept, busy, older, update, report } = useListed(filter);
  const [chosen, setChosen] = useState<string | null>(null);
  const events = listed?.events ?? [];
  const [enlarged, setEnlarged] = useState(false);
  const index = events.findIndex(({ id }) => id === chosen);
  const step = (by: number) => {
    const next = events[Math.min(Math.max(index + by, 0), events.length - 1)];
    if (next) setChosen(next.id);
  };
  const mark = async (event: ReviewEvent) => {
    try {
      const made = await post<{ reviewed: boolean; by: string; at: number }>(`review/${event.id}`, {
        reviewed: !event.reviewed,
      });
      update({ ...event, reviewed: made.reviewed, by: made.by, reviewed_at: made.at });
    } catch (error) {
      report(problemOf(error));
    }
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    v: () => setEnlarged(hasPicture(events[index])),
    d: () => {
      const event = events[index];
      if (event && mayEdit()) void mark(event).then(() => step(1));
    },
  });
  if (!isKept) return <NothingKept />;
  return (
    <Page
      title="Review"
      note={
        <span class="key-note">
          J and K go on and back, D marks{events.some(hasPicture) ? ', V shows the picture' : ''}
        </span>
      }
      actions={<Filters filter={filter} onChange={setFilter} />}
    >
      {why && <Problem>{why}</Problem>}
      {listed && events.length === 0 && listed.next === null && (
        <Empty>
          {filter.reviewed === 'false' ? 'Everything has been reviewed.' : 'Nothing like that happened.'}
        </Empty>
      )}
      <ol class="events">
        {events.map((event) => (
          <Row
            key={event.id}
            event={event}
            isChosen={event.id === chosen}
            onChoose={() => setChosen(event.id)}
            onMark={() => void mark(event)}
            onPicture={() => (setChosen(event.id), setEnlarged(true))}
          />
        ))}
      </ol>
      {enlarged && hasPicture(events[index]) && (
        <Enlarged key={events[index].id} event={events[index]} onClose={() => setEnlarged(false)} />
      )}
      {listed && listed.next !== null && (
        <button type="button" disabled={busy} onClick={older}>
          {busy ? 'Looking…' : 'Earlier events'}
        </button>
      )}
    </Page>
  );
}

function hasPicture(event: ReviewEvent | undefined): event is ReviewEvent {
  return event !== undefined && (event.frame ?? event.picture) !== null;
}

/** The frame of the moment, or else the best picture of the stay, and which of both it is. */
function Enlarged({ event, onClose }: { event: ReviewEvent; onClose: () => void }) {
  const [isMissing, setMissing] = useState(false);
  const clock = useClock();
  const text = textOf(event);
  const of = event.frame
    ? 'The frame of this moment.'
    : 'The best picture of this stay, not of this moment: frames are kept by runs with --save-video.';
  return (
    <Dialog title={text} wide={event.frame !== null} onClose={onClose}>
      {isMissing ? (
        <Empty>There is no picture of this stay yet: it is made when the track ends.</Empty>
      ) : (
        <img
          class={event.frame ? 'moment-large' : 'moment-large crop'}
          src={`.${event.frame ?? event.picture}`}
          alt={text}
          onError={() => setMissing(true)}
        />
      )}
      <p class="soft">{[clock.full(event.at), event.camera_id].filter(Boolean).join(' · ')}</p>
      {!isMissing && <p class="soft">{of}</p>}
    </Dialog>
  );
}

/** Why there is nothing to review, and what to do. */
function NothingKept() {
  return (
    <Page title="Review">
      <Empty>
        What happened is kept in the run directory of the recorder, and this page was started without one.
        Start it on the machine of the recorder, with its folder: <code>fusetrack serve --config SITE.yaml --out RUN</code>.
        Until then, wall, people and map show what happens now.
      </Empty>
    </Page>
  );
}

/** The events of a filter: the newest page at once and again as things happen, older ones on demand. */
function useListed(filter: Filter) {
  const [listed, setListed] = useState<Listed | null>(null);
  const [why, setWhy] = useState<string | null>(null);
  const [isKept, setKept] = useState(true);
  const [busy, setBusy] = useState(false);
  const path = pathOf(filter);
  const current = useRef(path);
  current.current = path;
  const newest = useCallback(async () => {
    try {
      const found = await get<Listed>(path);
      if (current.current !== path) return;
      setWhy(null);
      setKept(true);
      setListed((old) => (old ? joined(found, old) : found));
    } catch (error) {
      if (current.current !== path) return;
      setKept(!(error instanceof ApiError && error.status === 404));
      setWhy(problemOf(error));
    }
  }, [path]);
  useEffect(() => {
    setListed(null);
    void newest();
    let timer = 0;
    const stop = onEvent(() => {
      if (!timer) timer = window.setTimeout(() => ((timer = 0), void newest()), TOGETHER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [newest]);
  const older = async () => {
    setBusy(true);
    try {
      const found = await get<Listed>(`${path}&before=${listed?.next}`);
      if (current.current === path) {
        setListed((old) => ({ events: [...(old?.events ?? []), ...found.events], next: found.next }));
      }
    } catch (error) {
      setWhy(problemOf(error));
    }
    setBusy(false);
  };
  const update = (event: ReviewEvent) =>
    setListed((old) => old && { ...old, events: old.events.map((one) => (one.id === event.id ? event : one)) });
  return { listed, why, isKept, busy, older: () => void older(), update, report: setWhy };
}

/** The newest page before what is listed already; what was marked since stays in sight. */
function joined(page: Listed, old: Listed): Listed {
  const known = new Set(old.events.map(({ id }) => id));
  const added = page.events.filter(({ id }) => !known.has(id));
  const events = [...added, ...old.events].sort((a, b) => b.at - a.at);
  return { events, next: old.next };
}

function pathOf({ kind, camera, reviewed }: Filter): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (kind) query.set('kind', kind);
  if (camera) query.set('camera', camera);
  if (reviewed) query.set('reviewed', reviewed);
  return `review?${query}`;
}

function Filters({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const all = useSignal(cameras);
  const choice = (key: keyof Filter, label: string, options: [string, string][]) => (
    <select
      aria-label={label}
      value={filter[key]}
      onChange={(event) => onChange({ ...filter, [key]: event.currentTarget.value })}
    >
      {options.map(([value, text]) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
  return (
    <>
      {choice('reviewed', 'Reviewed or not', [
        ['false', 'To review'],
        ['true', 'Reviewed'],
        ['', 'All'],
      ])}
      {choice('kind', 'Kind', [['', 'Every kind'], ...KINDS.map((kind): [string, string] => [kind, KIND_TEXTS[kind]])])}
      {choice('camera', 'Camera', [['', 'Every camera'], ...all.map(({ id }): [string, string] => [id, id])])}
    </>
  );
}

function Row(props: {
  event: ReviewEvent;
  isChosen: boolean;
  onChoose: () => void;
  onMark: () => void;
  onPicture: () => void;
}) {
  const { event, isChosen } = props;
  const row = useRef<HTMLLIElement>(null);
  const clock = useClock();
  useSignal(names);
  const user = useSignal(me);
  useEffect(() => {
    if (isChosen) row.current?.scrollIntoView({ block: 'nearest' });
  }, [isChosen]);
  const marked = event.by && `${event.reviewed ? 'reviewed' : 'opened again'} by ${event.by}`;
  return (
    <li
      ref={row}
      class={event.reviewed ? 'event reviewed' : 'event'}
      aria-current={isChosen ? 'true' : undefined}
      onClick={props.onChoose}
    >
      <time dateTime={new Date(event.at * 1000).toISOString()}>{clock.full(event.at)}</time>
      {hasPicture(event) ? (
        <button
          type="button"
          class="moment"
          title={event.frame ? 'The frame of this moment' : 'The best picture of this stay'}
          aria-label={`${event.frame ? 'Frame of the moment' : 'Picture of the stay'}: ${textOf(event)}`}
          onClick={(click) => (click.stopPropagation(), props.onPicture())}
        >
          {/* The track of the moment may still be open: then there is none yet. */}
          {event.picture ? (
            <img
              src={`.${event.picture}`}
              alt=""
              loading="lazy"
              onError={(failed) => (failed.currentTarget.hidden = true)}
            />
          ) : (
            <Icon name="picture" />
          )}
        </button>
      ) : (
        <span class="moment" />
      )}
      {event.global_id === null ? <Icon name="warning" /> : <PersonMark id={event.global_id} />}
      <span class="what">
        <span>{textOf(event)}</span>
        <span class="soft">
          {[event.camera_id, marked].filter(Boolean).join(' · ')}
        </span>
      </span>
      {event.global_id !== null && (
        <a class="button" href={linkTo('person', event.global_id)}>
          Person
        </a>
      )}
      <button
        type="button"
        aria-pressed={event.reviewed}
        disabled={user?.role !== 'editor'}
        onClick={(click) => (click.stopPropagation(), props.onMark())}
      >
        <Icon name="check" /> Reviewed
      </button>
    </li>
  );
}

/** The sentence, with the name that the person was given. */
function textOf({ global_id, text }: ReviewEvent): string {
  return global_id === null ? text : text.replace(`person ${global_id}`, nameOf(global_id));
}
