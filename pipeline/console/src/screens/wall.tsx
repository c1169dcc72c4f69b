/** All cameras with the people in them; one of them large at `#/wall/CAMERA`. */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Icon } from '../icons';
import { useKeys } from '../keys';
import { Empty, IconButton, PersonMark, useTitle } from '../parts';
import { personAt } from '../picture_canvas';
import { go, linkTo, type Route } from '../router';
import { wallFps } from '../settings';
import { cameras, isKnown, nameOf, names, people, siteClock } from '../site';
import { useSignal } from '../store';
import { tilingOf, type Tiling } from '../tiling';
import { duration, useClock } from '../time';
import type { Camera } from '../types';
import { WallView, highlighted } from '../wall_view';
import '../styles/wall.css';

export function Wall({ route }: { route: Route }) {
  const all = useSignal(cameras).filter(({ state }) => state !== 'removed');
  const fps = useSignal(wallFps);
  const present = useSignal(people);
  const known = useSignal(isKnown);
  useSignal(names);
  const ids = all.map(({ id }) => id).join('\n');
  const view = useMemo(() => new WallView(ids ? ids.split('\n') : [], fps), [ids, fps]);
  useEffect(() => view.open(), [view]);
  const large = all.find(({ id }) => id === route.rest[0]);
  useTitle(large ? large.id : 'Wall');
  const running = all.filter(({ state }) => state === 'running').length;
  useKeys({ f: toggleFullScreen });
  if (all.length === 0) {
    return (
      <div class="page">
        <h1>Wall</h1>
        {known && (
          <Empty>
            No camera yet. Cameras of the site file appear here, and start as soon as a node runs them.
          </Empty>
        )}
      </div>
    );
  }
  return (
    <div class="wall" id="wall">
      <header class="wall-head">
        <h1>{large ? large.id : 'Wall'}</h1>
        {large ? (
          <a class="button" href={linkTo('wall')}>
            <Icon name="back" /> All cameras
          </a>
        ) : (
          <p class="soft">
            {running} of {all.length} cameras running
          </p>
        )}
        <p class="count" role="status">
          <Icon name="people" /> <strong>{present.length}</strong>
          <span class="soft"> {present.length === 1 ? 'person' : 'people'} now</span>
        </p>
        <IconButton icon="expand" label="Full screen (f)" onClick={toggleFullScreen} />
      </header>
      {large ? <Large camera={large} all={all} view={view} /> : <Grid all={all} view={view} />}
    </div>
  );
}

function toggleFullScreen(): void {
  if (document.fullscreenElement) void document.exitFullscreen();
  else void document.getElementById('wall')?.requestFullscreen();
}

const GAP = 8;

function Grid({ all, view }: { all: Camera[]; view: WallView }) {
  const box = useRef<HTMLDivElement>(null);
  const ratio = ratioOf(all);
  const tiling = useTiling(box, all.length, ratio);
  const { columns, width } = tiling;
  const step = (by: number) => moveFocus(box.current, by);
  useKeys({
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    ArrowDown: () => step(columns),
    ArrowUp: () => step(-columns),
  });
  return (
    <div class="grid-box" ref={box}>
      <div class="grid" style={{ gridTemplateColumns: `repeat(${columns}, ${width}px)`, gap: `${GAP}px` }}>
        {all.map((camera) => (
          <CameraTile key={camera.id} camera={camera} view={view} ratio={ratio} />
        ))}
      </div>
    </div>
  );
}

/** The shape of most cameras, width / height. */
function ratioOf(all: Camera[]): number {
  const ratios = all.map(({ width, height }) => (width && height ? width / height : 16 / 9));
  const middle = ratios.sort((a, b) => a - b)[Math.floor(ratios.length / 2)] ?? 16 / 9;
  return Math.min(Math.max(middle, 0.5), 2.4);
}

function useTiling(box: { current: HTMLDivElement | null }, count: number, ratio: number): Tiling {
  const [tiling, setTiling] = useState<Tiling>({ columns: Math.ceil(Math.sqrt(count)), width: 300 });
  useEffect(() => {
    const measure = () => {
      const place = box.current;
      if (!place) return;
      const caption = parseFloat(getComputedStyle(document.documentElement).fontSize) * 2.1;
      setTiling(tilingOf(count, place.clientWidth, place.clientHeight, ratio, caption, GAP));
    };
    const watch = new ResizeObserver(measure);
    if (box.current) watch.observe(box.current);
    measure();
    return () => watch.disconnect();
  }, [count, ratio]);
  return tiling;
}

function moveFocus(box: HTMLElement | null, by: number): void {
  const stages = [...(box?.querySelectorAll<HTMLElement>('.stage') ?? [])];
  const at = stages.indexOf(document.activeElement as HTMLElement);
  stages[at < 0 ? 0 : at + by]?.focus();
}

function CameraTile(props: { camera: Camera; view: WallView; ratio?: number }) {
  const { camera, view, ratio } = props;
  const seen = useSignal(view.seen(camera.id));
  return (
    <article class="tile" data-camera={camera.id}>
      <button
        type="button"
        class="stage"
        style={ratio ? { aspectRatio: String(ratio) } : undefined}
        aria-label={`Enlarge ${camera.id}: ${describe(camera, seen)}`}
        onClick={() => go(linkTo('wall', camera.id))}
      >
        <Picture camera={camera} view={view} />
      </button>
      <footer>
        <State camera={camera} />
        <strong class="tile-name">{camera.id}</strong>
        <Marks ids={seen} />
        <Figures camera={camera} view={view} />
      </footer>
    </article>
  );
}

function describe(camera: Camera, seen: readonly number[]): string {
  const who = seen.length ? seen.map(nameOf).join(', ') : 'nobody';
  return `${camera.state}, ${who}`;
}

/** The canvas of a camera, and why it shows nothing where it does not run. */
function Picture({ camera, view }: { camera: Camera; view: WallView }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const clock = useClock();
  useEffect(() => (canvas.current ? view.paintOn(camera.id, canvas.current) : undefined), [view, camera.id]);
  const isFine = camera.state === 'running';
  return (
    <>
      <canvas ref={canvas} class={isFine ? '' : 'faded'} />
      {!isFine && (
        <span class="stage-note">
          <strong>{camera.state}</strong>
          {camera.reason && <span>{camera.reason}</span>}
          {camera.since !== null && <span>since {clock.full(camera.since)}</span>}
        </span>
      )}
    </>
  );
}

function State({ camera }: { camera: Camera }) {
  const kind = camera.state !== 'running' ? 'off' : camera.overloaded ? 'slow' : 'on';
  const text = camera.overloaded ? 'overloaded' : camera.state;
  return (
    <span class={`state ${kind}`} title={camera.reason || text}>
      <i class="dot" />
      <span class={kind === 'on' ? 'visually-hidden' : ''}>{text}</span>
    </span>
  );
}

const MOST_MARKS = 6;

function Marks({ ids }: { ids: readonly number[] }) {
  return (
    <span class="marks">
      {ids.slice(0, MOST_MARKS).map((id) => (
        <a
          key={id}
          href={linkTo('person', id)}
          title={nameOf(id)}
          aria-label={nameOf(id)}
          onMouseEnter={() => highlighted.set(id)}
          onMouseLeave={() => highlighted.set(null)}
          onFocus={() => highlighted.set(id)}
          onBlur={() => highlighted.set(null)}
        >
          <PersonMark id={id} />
        </a>
      ))}
      {ids.length > MOST_MARKS && <span class="soft">+{ids.length - MOST_MARKS}</span>}
    </span>
  );
}

/** The rate that is followed and how late the picture is. */
function Figures({ camera, view }: { camera: Camera; view: WallView }) {
  const shownAt = useSignal(view.shownAt(camera.id));
  const now = siteClock();
  const rate = camera.followed_fps ?? camera.fps;
  const late = shownAt === null || now === null ? null : Math.max(now - shownAt, 0);
  return (
    <span class="figures soft">
      <span title={`${rate.toFixed(1)} frames a second followed, of ${camera.fps.toFixed(1)}`}>
        {rate.toFixed(rate < 10 ? 1 : 0)} fps
      </span>
      {late !== null && <span title="How long ago the picture was taken">{late < 100 ? `${late.toFixed(1)} s` : duration(late)}</span>}
    </span>
  );
}

/** One camera as large as fits, its people and facts beside it, and the others below. */
function Large({ camera, all, view }: { camera: Camera; all: Camera[]; view: WallView }) {
  const seen = useSignal(view.seen(camera.id));
  const at = all.indexOf(camera);
  const other = (by: number) => go(linkTo('wall', all[(at + by + all.length) % all.length]!.id));
  useKeys({
    Escape: () => go(linkTo('wall')),
    ArrowRight: () => other(1),
    ArrowLeft: () => other(-1),
  });
  return (
    <div class="large">
      <LargePicture camera={camera} view={view} />
      <aside>
        <section>
          <h2>
            {seen.length} {seen.length === 1 ? 'person' : 'people'} in view
          </h2>
          <ul class="in-view">
            {seen.map((id) => (
              <li key={id}>
                <a
                  href={linkTo('person', id)}
                  onMouseEnter={() => highlighted.set(id)}
                  onMouseLeave={() => highlighted.set(null)}
                  onFocus={() => highlighted.set(id)}
                  onBlur={() => highlighted.set(null)}
                >
                  <PersonMark id={id} /> {nameOf(id)}
                </a>
              </li>
            ))}
          </ul>
        </section>
        <CameraFacts camera={camera} />
      </aside>
      {all.length > 1 && (
        <div class="strip" role="group" aria-label="Other cameras">
          {all
            .filter(({ id }) => id !== camera.id)
            .map((one) => (
              <CameraTile key={one.id} camera={one} view={view} ratio={ratioOf([one])} />
            ))}
        </div>
      )}
    </div>
  );
}

function LargePicture({ camera, view }: { camera: Camera; view: WallView }) {
  const find = (event: MouseEvent) => {
    const shown = view.shown(camera.id);
    const canvas = (event.currentTarget as HTMLElement).querySelector('canvas');
    return shown && canvas ? personAt(canvas, shown, event.clientX, event.clientY) : null;
  };
  const open = (event: MouseEvent) => {
    const id = find(event)?.global_id;
    if (id != null) go(linkTo('person', id));
  };
  return (
    <div
      class="stage"
      role="img"
      aria-label={`Live picture of ${camera.id}`}
      onClick={open}
      onMouseMove={(event) => highlighted.set(find(event)?.global_id ?? null)}
      onMouseLeave={() => highlighted.set(null)}
    >
      <Picture camera={camera} view={view} />
    </div>
  );
}

function CameraFacts({ camera }: { camera: Camera }) {
  const clock = useClock();
  const facts: [string, string][] = [
    ['State', camera.state + (camera.reason ? `: ${camera.reason}` : '')],
    ['Since', camera.since === null ? '' : clock.full(camera.since)],
    ['Picture', camera.width ? `${camera.width} × ${camera.height}, ${camera.fps.toFixed(1)} fps` : ''],
    ['Followed', camera.followed_fps === null ? '' : `${camera.followed_fps.toFixed(1)} fps`],
    ['Delay', camera.delay_s === null ? '' : duration(camera.delay_s)],
    ['Frames', `${camera.frames.toLocaleString('en')}, ${camera.dropped.toLocaleString('en')} left out`],
    ['Source', camera.source],
  ];
  return (
    <section>
      <h2>Camera</h2>
      <dl class="facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </section>
  );
}
