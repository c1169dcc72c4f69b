/** Find people by a description, a picture, or both. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { problemOf, send } from '../api';
import { Icon } from '../icons';
import { Empty, Page, PersonMark, Problem } from '../parts';
import { PersonPicture } from '../person_picture';
import { linkTo } from '../router';
import { cameras, nameOf, names } from '../site';
import { useSignal } from '../store';
import { useClock } from '../time';
import { percent } from '../timeline';
import type { Found, SearchAnswer } from '../types';
import '../styles/people.css';
import '../styles/search.css';

export function Search() {
  const all = useSignal(cameras);
  const [text, setText] = useState('');
  const [picture, setPicture] = useState<File | null>(null);
  const [camera, setCamera] = useState('');
  const [answer, setAnswer] = useState<SearchAnswer | null>(null);
  const [why, setWhy] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  useSignal(names);
  const isReady = text.trim() !== '' || picture !== null;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady) return;
    setBusy(true);
    setWhy(null);
    try {
      setAnswer(await find(text.trim(), picture, camera));
    } catch (error) {
      setAnswer(null);
      setWhy(problemOf(error));
    }
    setBusy(false);
  };
  return (
    <Page title="Search" note="By what people wear, or by a picture of one">
      <form class="search" role="search" onSubmit={(event) => void submit(event)}>
        <label class="grow">
          <span>Description</span>
          <input
            type="search"
            autofocus
            maxLength={2000}
            placeholder="red jacket, black backpack"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <label>
          <span>Camera</span>
          <select value={camera} onChange={(event) => setCamera(event.currentTarget.value)}>
            <option value="">All</option>
            {all.map(({ id }) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        </label>
        <PictureField picture={picture} onChoose={setPicture} />
        <button type="submit" class="primary" disabled={!isReady || busy}>
          <Icon name="search" /> {busy ? 'Searching…' : 'Search'}
        </button>
      </form>
      {why && <Problem>{why}</Problem>}
      {answer ? (
        <Results answer={answer} />
      ) : (
        !why && (
          <Empty>
            Words are about clothes and what is carried. What people are (gender, age, ethnicity, feelings) is
            never searched for. Each search is logged.
          </Empty>
        )
      )}
    </Page>
  );
}

async function find(text: string, picture: File | null, camera: string): Promise<SearchAnswer> {
  const query = new URLSearchParams();
  if (text) query.set('text', text);
  if (camera) query.set('camera', camera);
  const headers = picture ? { 'Content-Type': picture.type || 'application/octet-stream' } : undefined;
  return send<SearchAnswer>(`search?${query}`, { method: 'POST', body: picture, headers });
}

/** A picture that is chosen, dropped or pasted. */
function PictureField(props: { picture: File | null; onChoose: (picture: File | null) => void }) {
  const { picture, onChoose } = props;
  const input = useRef<HTMLInputElement>(null);
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (!picture) return setUrl(null);
    const made = URL.createObjectURL(picture);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [picture]);
  useEffect(() => {
    const pasted = ({ clipboardData }: ClipboardEvent) => {
      const file = clipboardData?.files[0];
      if (file?.type.startsWith('image/')) onChoose(file);
    };
    addEventListener('paste', pasted);
    return () => removeEventListener('paste', pasted);
  }, [onChoose]);
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) onChoose(file);
  };
  return (
    <div class="picture-field" onDrop={dropped} onDragOver={(event) => event.preventDefault()}>
      <label>
        <span>Picture</span>
        <input
          ref={input}
          type="file"
          accept="image/*"
          class="visually-hidden"
          onChange={(event) => onChoose(event.currentTarget.files?.[0] ?? null)}
        />
        <span class="button">
          {url ? <img src={url} alt="The chosen picture" /> : <Icon name="picture" />}
          {picture ? picture.name.slice(0, 18) : 'Choose, drop or paste'}
        </span>
      </label>
      {picture && (
        <button
          type="button"
          onClick={() => {
            if (input.current) input.current.value = '';
            onChoose(null);
          }}
        >
          Remove
        </button>
      )}
    </div>
  );
}

function Results({ answer }: { answer: SearchAnswer }) {
  const { found, closest } = answer;
  const unknown = answer.unknown_words;
  return (
    <>
      <p role="status" class="verdict">
        {answer.verdict}
      </p>
      {unknown.length > 0 && <p class="soft">Not understood: {unknown.join(', ')}.</p>}
      {answer.notes.map((note) => (
        <p key={note} class="soft">
          {note}
        </p>
      ))}
      {found.length > 0 && <FoundPeople title="Found" all={found} />}
      {closest.length > 0 && (
        <FoundPeople title={found.length ? 'Less likely' : 'The closest, but too unlikely'} all={closest} />
      )}
      <p class="soft small">
        Among {answer.people} people in {answer.tracks} tracks.
      </p>
    </>
  );
}

function FoundPeople({ title, all }: { title: string; all: Found[] }) {
  const clock = useClock();
  return (
    <section class="found">
      <h2>{title}</h2>
      <ul class="people">
        {all.map((one) => (
          <li key={one.global_id}>
            <a class="person-card" href={linkTo('person', one.global_id)}>
              <PersonPicture id={one.global_id} />
              <span class="person-text">
                <span class="person-name">
                  <PersonMark id={one.global_id} />
                  <strong>{percent(one.probability)}</strong>
                </span>
                {names.get().has(one.global_id) && <span>{nameOf(one.global_id)}</span>}
                <span>{one.cameras.join(', ')}</span>
                <span class="soft">{clock.full(one.first_seen)}</span>
                <span class="soft">to {clock.full(one.last_seen)}</span>
              </span>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
