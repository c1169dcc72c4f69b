/** What an editor can correct of a person, and what has been corrected. */

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { problemOf } from './api';
import { correct, personNow, readCorrections, type Wanted } from './corrections';
import { Icon } from './icons';
import { Dialog, PersonMark, Problem } from './parts';
import { PersonPicture } from './person_picture';
import { go, linkTo } from './router';
import { mayEdit, nameOf, names, onEvent, people } from './site';
import { useClock } from './time';
import type { Correction, Identity, Link, Stay } from './types';

/** The correction that is asked for at the moment. */
export type Asked =
  | { kind: 'name' }
  | { kind: 'merge' }
  | { kind: 'split'; at: number | null }
  | { kind: 'move'; stay: Stay };

export function CorrectionsOf(props: {
  id: number;
  identity: Identity;
  links: Link[];
  asked: Asked | null;
  onAsk: (asked: Asked | null) => void;
  onDone: () => void;
}) {
  const { id, identity, links, asked, onAsk, onDone } = props;
  const [history, setHistory] = useState<Correction[]>([]);
  const read = () => void readCorrections().then(setHistory, () => setHistory([]));
  useEffect(() => {
    read();
    return onEvent(({ type }) => type === 'correction' && read());
  }, []);
  const own = history.filter(({ global_ids }) => global_ids.includes(id)).reverse();
  const seen = history.at(-1)?.number ?? 0;
  const close = (made?: Correction) => {
    onAsk(null);
    if (!made) return;
    read();
    onDone();
  };
  const common = { id, seen, onClose: close };
  return (
    <>
      {own.length > 0 && <History own={own} seen={seen} onDone={() => close(own[0])} />}
      {asked?.kind === 'name' && <NameDialog {...common} />}
      {asked?.kind === 'merge' && <MergeDialog {...common} links={links} />}
      {asked?.kind === 'split' && <SplitDialog {...common} identity={identity} at={asked.at} />}
      {asked?.kind === 'move' && <MoveDialog {...common} stay={asked.stay} links={links} />}
    </>
  );
}

function History(props: { own: Correction[]; seen: number; onDone: () => void }) {
  const clock = useClock();
  const maker = useMaker(props.seen, props.onDone);
  return (
    <section class="sheet">
      <h2>Corrections</h2>
      {maker.problem}
      <ol class="history">
        {props.own.map((one) => (
          <li key={one.number} class={one.undone_by === null ? '' : 'undone'}>
            <span>{one.text}</span>
            <span class="soft small">
              {one.by}, {clock.full(one.at)}
              {one.undone_by !== null && ', taken back'}
            </span>
            {mayEdit() && one.undone_by === null && one.kind !== 'undo' && (
              <button
                type="button"
                disabled={maker.busy}
                onClick={() => void maker.make({ kind: 'undo', number: one.number })}
              >
                <Icon name="undo" /> Undo
              </button>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

interface Maker {
  busy: boolean;
  problem: ComponentChildren;
  make: (wanted: Wanted) => Promise<void>;
}

/** Makes corrections, and says why one was refused and who the person is now. */
function useMaker(seen: number, done: (made: Correction) => void): Maker {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const now = personNow(error);
  const make = async (wanted: Wanted) => {
    setBusy(true);
    try {
      done(await correct(wanted, seen));
      setError(null);
    } catch (failed) {
      setError(failed);
    }
    setBusy(false);
  };
  const problem = error !== null && (
    <Problem>
      {problemOf(error)} {now !== null && <a href={linkTo('person', now)}>Go to {nameOf(now)}</a>}
    </Problem>
  );
  return { busy, problem, make };
}

interface Common {
  id: number;
  seen: number;
  onClose: (made?: Correction) => void;
}

function Form(props: {
  maker: Maker;
  text: string;
  isReady: boolean;
  onSubmit: () => void;
  onClose: () => void;
  children: ComponentChildren;
}) {
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (props.isReady) props.onSubmit();
      }}
    >
      {props.children}
      {props.maker.problem}
      <div class="form-foot">
        <button type="button" onClick={props.onClose}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={!props.isReady || props.maker.busy}>
          {props.text}
        </button>
      </div>
    </form>
  );
}

function NameDialog({ id, seen, onClose }: Common) {
  const maker = useMaker(seen, onClose);
  const [name, setName] = useState(names.get().get(id) ?? '');
  return (
    <Dialog title={`Name person ${id}`} onClose={() => onClose()}>
      <Form
        maker={maker}
        text="Save"
        isReady={name.trim() !== ''}
        onClose={() => onClose()}
        onSubmit={() => void maker.make({ kind: 'name', global_id: id, name: name.trim() })}
      >
        <label>
          Name
          <input autofocus maxLength={100} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </label>
        <p class="soft small">The number stays; the name is shown beside it everywhere, also in exports.</p>
      </Form>
    </Dialog>
  );
}

function MergeDialog({ id, seen, links, onClose }: Common & { links: Link[] }) {
  const [into, setInto] = useState<number | null>(null);
  const [anyway, setAnyway] = useState(false);
  const maker = useMaker(seen, (made) => {
    onClose(made);
    if (into !== null) go(linkTo('person', into));
  });
  return (
    <Dialog title={`Merge ${nameOf(id)} into another person`} onClose={() => onClose()}>
      <Form
        maker={maker}
        text="Merge"
        isReady={into !== null}
        onClose={() => onClose()}
        onSubmit={() => void maker.make({ kind: 'merge', global_id: id, into: into!, anyway })}
      >
        <PersonChoice id={id} links={links} chosen={into} onChoose={setInto} />
        {into !== null && (
          <div class="versus">
            <PersonPicture id={id} />
            <Icon name="move" />
            <PersonPicture id={into} />
            <p>
              Everything of <PersonMark id={id} /> becomes <PersonMark id={into} />, and stays so whatever
              the cameras show later. You can undo it.
            </p>
          </div>
        )}
        {maker.problem && (
          <label class="tick">
            <input
              type="checkbox"
              checked={anyway}
              onChange={(event) => setAnyway(event.currentTarget.checked)}
            />
            Merge even if both were seen at one time: one of the tracks is false
          </label>
        )}
      </Form>
    </Dialog>
  );
}

/** Another person: who could have been meant, who is there now, or any number. */
function PersonChoice(props: {
  id: number;
  links: Link[];
  chosen: number | null;
  onChoose: (id: number | null) => void;
}) {
  const { id, links, chosen, onChoose } = props;
  const likely = useMemo(() => {
    const could = links.flatMap(({ runners_up }) => runners_up.map(({ global_id }) => global_id));
    const present = people.get().map(({ global_id }) => global_id);
    return [...new Set([...could, ...present])].filter((one) => one !== id).slice(0, 12);
  }, [id, links]);
  return (
    <>
      <label>
        Number of the person
        <input
          type="number"
          min={0}
          autofocus
          value={chosen ?? ''}
          onInput={({ currentTarget: { value } }) => {
            const number = Number(value);
            onChoose(value !== '' && Number.isInteger(number) && number >= 0 && number !== id ? number : null);
          }}
        />
      </label>
      {likely.length > 0 && (
        <div class="likely" role="group" aria-label="Likely people">
          {likely.map((one) => (
            <button key={one} type="button" aria-pressed={chosen === one} aria-label={nameOf(one)} onClick={() => onChoose(one)}>
              <PersonPicture id={one} />
              <PersonMark id={one} />
            </button>
          ))}
        </div>
      )}
    </>
  );
}

function SplitDialog({ id, seen, identity, at, onClose }: Common & { identity: Identity; at: number | null }) {
  const clock = useClock();
  const starts = identity.stays.flatMap(({ start }) => (start === null ? [] : [start]));
  const known = starts.filter((start) => start > (identity.first_seen ?? -Infinity));
  const [moment, setMoment] = useState<number | null>(at ?? known[0] ?? null);
  const maker = useMaker(seen, onClose);
  const choices = [...new Set(at === null ? known : [at, ...known])].sort((a, b) => a - b);
  return (
    <Dialog title={`Split ${nameOf(id)}`} onClose={() => onClose()}>
      <Form
        maker={maker}
        text="Split"
        isReady={moment !== null}
        onClose={() => onClose()}
        onSubmit={() => void maker.make({ kind: 'split', global_id: id, at: moment! })}
      >
        <label>
          From when on is it another person?
          <select value={String(moment ?? '')} onChange={(event) => setMoment(Number(event.currentTarget.value))}>
            {choices.map((one) => {
              const stay = identity.stays.find(({ start }) => start === one);
              return (
                <option key={one} value={String(one)}>
                  {clock.exact(one)} {stay ? `in ${stay.camera_id}` : ''}
                </option>
              );
            })}
          </select>
        </label>
        <label>
          Exact moment, seconds UTC
          <input
            type="number"
            step="any"
            value={moment ?? ''}
            onInput={({ currentTarget: { value } }) => setMoment(value === '' ? null : Number(value))}
          />
        </label>
        <p class="soft small">
          What is before stays <PersonMark id={id} />; what is after becomes a new person. You can undo it.
        </p>
      </Form>
    </Dialog>
  );
}

function MoveDialog({ id, seen, stay, links, onClose }: Common & { stay: Stay; links: Link[] }) {
  const [to, setTo] = useState<number | null>(null);
  const maker = useMaker(seen, onClose);
  const { camera_id, track_id } = stay;
  const since = sinceOf(stay, links);
  const own = links.filter((one) => one.camera_id === camera_id && one.track_id === track_id);
  return (
    <Dialog title={`${camera_id}, track ${track_id} is not ${nameOf(id)}`} onClose={() => onClose()}>
      <Form
        maker={maker}
        text={to === null ? 'Make a new person' : 'Move'}
        isReady
        onClose={() => onClose()}
        onSubmit={() => void maker.make({ kind: 'move', camera_id, track_id, since, to })}
      >
        <p>Who is it? Without a number it becomes a new person.</p>
        <PersonChoice id={id} links={own} chosen={to} onChoose={setTo} />
      </Form>
    </Dialog>
  );
}

/** Where the part of the track begins that is this stay; null for the start of the track. */
function sinceOf(stay: Stay, links: Link[]): number | null {
  const parts = links.filter((one) => one.camera_id === stay.camera_id && one.track_id === stay.track_id);
  return parts.find(({ since }) => since !== null && since === stay.start)?.since ?? null;
}
