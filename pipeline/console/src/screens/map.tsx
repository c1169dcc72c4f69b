/** The ground from above: who walks where, and where people spent their time. */

import { useState } from 'preact/hooks';
import { colourOf } from '../colours';
import { applied, pointsText } from '../geometry';
import { Ground, Label, viewOf, type GroundView } from '../ground';
import type { Labels } from '../labels';
import { Empty, Page, PersonMark, Problem } from '../parts';
import { usePolled } from '../polling';
import { linkTo } from '../router';
import { smoothWays } from '../smoothing';
import { cameras, me, nameOf, names, siteNow } from '../site';
import { useSignal } from '../store';
import { duration, useClock } from '../time';
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
  useSignal(names);
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
  const heat = useHeat(shows.heat, heatS, at);
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
          {shows.heat && (
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
          )}
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
            {(em, labels) => (
              <>
                {heat && <HeatCells heat={heat} view={view} />}
                {shows.trails && people.map((trail) => <Way key={trail.global_id} trail={trail} view={view} />)}
                {people.map((trail) => (
                  <Dot
                    key={trail.global_id}
                    trail={trail}
                    view={view}
                    size={0.6 * em}
                    labels={people.length <= MOST_NAMES ? labels : null}
                  />
                ))}
              </>
            )}
          </Ground>
          {shows.heat && <HeatLegend heat={heat} />}
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

function waysOf(trail: Trail, view: GroundView): Point[][] {
  return smoothWays(trail.points).map((way) => way.map(([, x, y]) => applied(view.toView, [x, y])));
}

function Way({ trail, view }: { trail: Trail; view: GroundView }) {
  return (
    <g class="trail">
      {waysOf(trail, view).map((way, number) => (
        <polyline key={number} points={pointsText(way)} stroke={colourOf(trail.global_id)} />
      ))}
    </g>
  );
}

function Dot(props: {
  trail: Trail;
  view: GroundView;
  /** In units of the picture. */
  size: number;
  labels: Labels | null;
}) {
  const { trail, view, size } = props;
  const last = waysOf(trail, view).at(-1)?.at(-1);
  if (!last) return null;
  const name = nameOf(trail.global_id);
  return (
    <g class="trail">
      <a href={linkTo('person', trail.global_id)} aria-label={name}>
        <circle cx={last[0]} cy={last[1]} r={size} fill={colourOf(trail.global_id)}>
          <title>{name}</title>
        </circle>
      </a>
      {props.labels && <Label at={props.labels.place(name, last)}>{name}</Label>}
    </g>
  );
}

/** Where people spent their time until the chosen moment; null while it is not shown or not known. */
function useHeat(shown: boolean, seconds: number, at: number | null): Heat | null {
  const now = useSignal(siteNow);
  // A live map asks again every ten seconds, not with each second of the clock.
  const end = at ?? (now === null ? null : 10 * Math.ceil(now / 10));
  const since = end === null ? '' : `&since=${seconds ? end - seconds : -1e12}`;
  return usePolled<Heat>(shown && end !== null ? `map/heat?until=${end}${since}` : null).data;
}

/** From yellow for a short time to dark red for the longest. */
function heatOf(share: number): string {
  const root = Math.sqrt(share);
  return `hsl(${Math.round(52 - 52 * root)} 92% ${Math.round(60 - 26 * root)}%)`;
}

function mostOf(heat: Heat): number {
  return Math.max(0, ...heat.seconds.map((row) => Math.max(...row)));
}

function HeatCells({ heat, view }: { heat: Heat; view: GroundView }) {
  if (heat.left === null || heat.low === null) return null;
  const { left, low, cell_m: cell } = heat;
  const most = mostOf(heat);
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
              fill={heatOf(value / most)}
            >
              <title>{duration(value)}</title>
            </polygon>
          );
        }),
      )}
    </g>
  );
}

const LEGEND_STEPS = [0.02, 0.1, 0.25, 0.5, 1];

/** What the colours of the heat mean. */
function HeatLegend({ heat }: { heat: Heat | null }) {
  if (!heat) return null;
  const most = mostOf(heat);
  if (!most) return <p class="soft">Nobody was on the map in this time.</p>;
  return (
    <p class="heat-legend">
      <span class="soft">
        Time on {heat.cell_m} by {heat.cell_m} m, all people together:
      </span>
      {LEGEND_STEPS.map((share) => (
        <span key={share}>
          <i style={{ background: heatOf(share) }} /> {duration(share * most)}
        </span>
      ))}
    </p>
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
