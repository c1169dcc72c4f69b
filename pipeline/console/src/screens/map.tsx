/** The ground from above: who walks where, and where people spent their time. */

import { useEffect, useState } from 'preact/hooks';
import { colourOf } from '../colours';
import { applied, pointsText } from '../geometry';
import { Ground, viewOf, type GroundView } from '../ground';
import { Empty, Page, PersonMark, Problem } from '../parts';
import { usePolled } from '../polling';
import { linkTo } from '../router';
import { cameras, me, nameOf, names, siteNow } from '../site';
import { useSignal } from '../store';
import { useClock } from '../time';
import type { GroundMap, Heat, Point, Trail, Trails } from '../types';
import '../styles/map.css';

// Who was not seen for longer than this has left the map.
const GONE_S = 2;
// More names would cover each other.
const MOST_NAMES = 12;
const HEAT_SPANS = [
  [900, '15 minutes'],
  [3600, 'an hour'],
  [86_400, 'a day'],
  [0, 'all of it'],
] as const;

export function SiteMap() {
  const map = usePolled<GroundMap>('map', 15);
  const live = useSignal(me)?.live ?? true;
  const [shows, setShows] = useState({ fields: true, places: true, trails: true, heat: false });
  const [heatS, setHeatS] = useState(3600);
  const [at, setAt] = useState<number | null>(null);
  const view = map.data && viewOf(map.data);
  const moment = at === null ? '' : `until=${at}&`;
  const trails = usePolled<Trails>(view ? `map/trails?${moment}last_s=30` : null, at === null && live ? 1 : 0);
  const tick = (name: keyof typeof shows, text: string) => (
    <label class="tick">
      <input
        type="checkbox"
        checked={shows[name]}
        onChange={(event) => setShows({ ...shows, [name]: event.currentTarget.checked })}
      />
      {text}
    </label>
  );
  const people = (trails.data?.people ?? []).filter((trail) => isThere(trail, trails.data?.until ?? null));
  return (
    <Page
      title="Map"
      note={people.length === 1 ? '1 person on the map' : `${people.length} people on the map`}
      actions={
        <>
          {tick('fields', 'Cameras')}
          {tick('places', 'Zones and lines')}
          {tick('trails', 'Trails')}
          {tick('heat', 'Heat')}
          <select
            aria-label="Heat of the last"
            value={heatS}
            onChange={(event) => setHeatS(Number(event.currentTarget.value))}
          >
            {HEAT_SPANS.map(([seconds, text]) => (
              <option key={seconds} value={seconds}>
                {text}
              </option>
            ))}
          </select>
        </>
      }
    >
      {(map.problem ?? trails.problem) && <Problem>{map.problem ?? trails.problem}</Problem>}
      {map.data && !view && (
        <Empty>
          Nothing is known of the ground yet. Calibrate a camera on the screen System, or place a floor plan
          in the site file with <code>plan</code>.
        </Empty>
      )}
      {map.data && view && (
        <>
          <Ground map={map.data} view={view} label="Map of the site" fields={shows.fields} places={shows.places}>
            {(size) => (
              <>
                {shows.heat && <HeatCells view={view} seconds={heatS} at={at} />}
                {people.map((trail) => (
                  <Walk
                    key={trail.global_id}
                    trail={trail}
                    view={view}
                    size={size / 80}
                    line={shows.trails}
                    named={people.length <= MOST_NAMES}
                  />
                ))}
              </>
            )}
          </Ground>
          <TimeSlider at={at} onChange={setAt} />
          <ul class="on-map" aria-label="People on the map">
            {people.map(({ global_id }) => (
              <li key={global_id}>
                <a href={linkTo('person', global_id)}>
                  <PersonMark id={global_id} /> {nameOf(global_id)}
                </a>
              </li>
            ))}
          </ul>
        </>
      )}
    </Page>
  );
}

function isThere(trail: Trail, until: number | null): boolean {
  const last = trail.points.at(-1);
  return last !== undefined && until !== null && until - last[0] <= GONE_S;
}

function Walk(props: {
  trail: Trail;
  view: GroundView;
  /** Of the dot, in units of the picture. */
  size: number;
  line: boolean;
  named: boolean;
}) {
  const { trail, view, size, line } = props;
  useSignal(names);
  const points = trail.points.map(([, x, y]): Point => applied(view.toView, [x, y]));
  const last = points.at(-1);
  if (!last) return null;
  const colour = colourOf(trail.global_id);
  const name = nameOf(trail.global_id);
  return (
    <g class="trail">
      {line && <polyline points={pointsText(points)} stroke={colour} />}
      <a href={linkTo('person', trail.global_id)} aria-label={name}>
        <circle cx={last[0]} cy={last[1]} r={size} fill={colour}>
          <title>{name}</title>
        </circle>
      </a>
      {props.named && (
        <text x={last[0]} y={last[1] + 2.6 * size} text-anchor="middle">
          {name}
        </text>
      )}
    </g>
  );
}

function HeatCells({ view, seconds, at }: { view: GroundView; seconds: number; at: number | null }) {
  const now = useSignal(siteNow);
  const [end, setEnd] = useState(at ?? now);
  useEffect(() => {
    // A live map asks again every ten seconds, not with each second of the clock.
    const wanted = at ?? now;
    if (wanted !== null && (end === null || at !== null || wanted - end >= 10)) setEnd(wanted);
  }, [at, now]);
  const since = end === null ? '' : `&since=${seconds ? end - seconds : -1e12}`;
  const heat = usePolled<Heat>(end === null ? null : `map/heat?until=${end}${since}`).data;
  if (!heat || heat.left === null || heat.low === null) return null;
  const { left, low, cell_m: cell } = heat;
  const most = Math.max(...heat.seconds.map((row) => Math.max(...row)), 1);
  return (
    <g class="heat">
      {heat.seconds.flatMap((row, j) =>
        row.map((value, i) => {
          if (!value) return null;
          const [x, y] = [left + i * cell, low + j * cell];
          const corners: Point[] = [[x, y], [x + cell, y], [x + cell, y + cell], [x, y + cell]];
          return (
            <polygon
              key={`${i} ${j}`}
              points={pointsText(corners.map((corner) => applied(view.toView, corner)))}
              fill-opacity={0.12 + 0.7 * Math.sqrt(value / most)}
            >
              <title>{value.toFixed(1)} s</title>
            </polygon>
          );
        }),
      )}
    </g>
  );
}

/** Chooses a moment of the past; at its end the map follows the present. */
function TimeSlider({ at, onChange }: { at: number | null; onChange: (at: number | null) => void }) {
  const now = useSignal(siteNow);
  const all = useSignal(cameras);
  const clock = useClock();
  const starts = all.flatMap(({ start }) => (start === null ? [] : [start]));
  if (now === null || starts.length === 0) return null;
  const first = Math.min(...starts);
  const choose = (value: number) => onChange(value >= now - 1 ? null : value);
  return (
    <div class="slider">
      <label>
        <span class="visually-hidden">Moment</span>
        <input
          type="range"
          min={first}
          max={now}
          step="any"
          value={at ?? now}
          aria-valuetext={clock.full(at ?? now)}
          onInput={(event) => choose(Number(event.currentTarget.value))}
        />
      </label>
      <output>{clock.full(at ?? now)}</output>
      <button type="button" disabled={at === null} onClick={() => onChange(null)}>
        To the end
      </button>
    </div>
  );
}
