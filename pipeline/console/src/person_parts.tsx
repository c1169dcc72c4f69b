/** Sections of the screen of a person: a stay, pictures by camera, and why. */

import { Icon } from './icons';
import { IconButton, PersonMark, Problem } from './parts';
import { linkTo } from './router';
import { me, nameOf } from './site';
import { useSignal } from './store';
import { duration, SHORT_S, useClock } from './time';
import { percent } from './timeline';
import type { Link, Stay, Thumbnail } from './types';

type Key = { camera_id: string; track_id: number; start: number | null };

export function StayDetail(props: {
  stay: Stay;
  links: Link[];
  picture: Thumbnail | undefined;
  onMove: (() => void) | undefined;
  onSplit: (() => void) | undefined;
  onClose: () => void;
}) {
  const { stay, links, picture, onMove, onSplit, onClose } = props;
  const clock = useClock();
  const isLive = useSignal(me)?.live ?? false;
  const own = links.filter((one) => one.camera_id === stay.camera_id && one.track_id === stay.track_id);
  return (
    <section class="sheet stay" aria-label="The chosen track">
      {picture && <img src={picture.url} alt={`Best picture of the track in ${stay.camera_id}`} />}
      <div>
        <header class="sheet-head">
          <h2>
            {stay.camera_id}, track {stay.track_id}
          </h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        {stay.start !== null && (
          <p>
            {clock.exact(stay.start)} to {stay.end === null ? (isLive ? 'now' : 'the end') : clock.exact(stay.end)}
            {stay.end !== null && <span class="soft"> ({duration(stay.end - stay.start)})</span>}
          </p>
        )}
        {own.map((link) => (
          <p key={link.at} class="reason">
            <Confidence value={link.confidence} /> {link.reason}
            <RunnersUp link={link} />
          </p>
        ))}
        <div class="actions">
          {onMove && (
            <button type="button" onClick={onMove}>
              <Icon name="move" /> Not this person
            </button>
          )}
          {onSplit && (
            <button type="button" onClick={onSplit}>
              <Icon name="split" /> Another person from here on
            </button>
          )}
        </div>
      </div>
    </section>
  );
}

export function Pictures(props: {
  id: number;
  thumbnails: Thumbnail[];
  onChoose: (key: string) => void;
  keyOf: (one: Key) => string;
}) {
  const { id, thumbnails, onChoose, keyOf } = props;
  const clock = useClock();
  const starts = thumbnails.flatMap(({ start }) => (start === null ? [] : [start]));
  const say = Math.max(...starts) - Math.min(...starts) < SHORT_S ? clock.exact : clock.time;
  const places = [...new Set(thumbnails.map(({ camera_id }) => camera_id))].sort();
  if (places.length === 0) {
    return (
      <section class="sheet">
        <h2>Pictures</h2>
        <p class="soft small">
          None were kept. A run keeps the best picture of each track with recording.thumbnails.
        </p>
      </section>
    );
  }
  return (
    <section class="sheet">
      <h2>Pictures</h2>
      <div class="pictures">
        {places.map((camera) => (
          <figure key={camera}>
            <figcaption>{camera}</figcaption>
            <div>
              {thumbnails
                .filter(({ camera_id }) => camera_id === camera)
                .map((one) => (
                  <button key={one.url} type="button" onClick={() => onChoose(keyOf(one))}>
                    <img src={one.url} alt={`${nameOf(id)} in ${camera}`} loading="lazy" />
                    <span>{one.start === null ? '' : say(one.start)}</span>
                  </button>
                ))}
            </div>
          </figure>
        ))}
      </div>
    </section>
  );
}

const MOST_LINKS = 30;

export function Why({ links, problem }: { links: Link[]; problem: string | null }) {
  const clock = useClock();
  const shown = [...links].sort((a, b) => a.at - b.at).slice(-MOST_LINKS).reverse();
  const hasOthers = shown.some(({ runners_up }) => runners_up.length > 0);
  return (
    <section class="sheet">
      <h2>Why these tracks are one person</h2>
      {problem && <Problem>{problem}</Problem>}
      {!problem && shown.length === 0 && <p class="soft small">No decision yet.</p>}
      {shown.length > 0 && (
        <div class="scroll decisions" tabIndex={0} role="region" aria-label="Decisions">
          <table>
            <thead>
              <tr>
                <th scope="col">Decided</th>
                <th scope="col">Track</th>
                <th scope="col">Confidence</th>
                <th scope="col">Reason</th>
                {hasOthers && <th scope="col">Could have been</th>}
              </tr>
            </thead>
            <tbody>
              {shown.map((link) => (
                <tr key={`${link.camera_id}/${link.track_id}/${link.since}/${link.at}`}>
                  <td>{clock.full(link.at)}</td>
                  <td>
                    {link.camera_id} <span class="soft">{link.track_id}</span>
                  </td>
                  <td>
                    <Confidence value={link.confidence} />
                  </td>
                  <td class="reason">
                    {link.reason}
                    {link.kind === 'corrected' && <span class="tag">corrected</span>}
                  </td>
                  {hasOthers && (
                    <td>
                      <RunnersUp link={link} />
                    </td>
                  )}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {links.length > MOST_LINKS && (
        <p class="soft small">
          The last {MOST_LINKS} of {links.length} decisions.
        </p>
      )}
    </section>
  );
}

function Confidence({ value }: { value: number }) {
  return (
    <span class="confidence">
      <meter min={0} max={1} value={value} aria-label="Confidence" />
      {percent(value)}
    </span>
  );
}

function RunnersUp({ link }: { link: Link }) {
  return (
    <span class="runners">
      {link.runners_up.map(({ global_id, confidence }) => (
        <a key={global_id} href={linkTo('person', global_id)} title={nameOf(global_id)}>
          <PersonMark id={global_id} /> {percent(confidence)}
        </a>
      ))}
    </span>
  );
}
