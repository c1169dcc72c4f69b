/** The path of a person on the ground, where cameras are calibrated. */

import { colourOf } from './colours';
import { applied, pointsText } from './geometry';
import { Ground, viewOf } from './ground';
import { usePolled } from './polling';
import { smoothWays } from './smoothing';
import { useClock } from './time';
import type { GroundMap, Point, Trail, Trails } from './types';

const SIZE = 300;
const MARGIN = 14;
// Before the person was seen last.
const SHOWN_S = 300;

export function PathOnGround({ id, until, everyS }: { id: number; until: number | null; everyS: number }) {
  const map = usePolled<GroundMap>('map');
  const path = until === null ? null : `map/trails?global_id=${id}&until=${until}&last_s=${SHOWN_S}`;
  const points = usePolled<Trails>(path, everyS).data?.people[0]?.points ?? [];
  if (points.length < 2 || (!map.data && !map.problem)) return null;
  return (
    <section class="sheet">
      <h2>Path on the ground</h2>
      {map.data?.plan ? <OnPlan id={id} map={map.data} points={points} /> : <OnGrid id={id} points={points} />}
    </section>
  );
}

type Points = Trail['points'];

function Span({ points }: { points: Points }) {
  const clock = useClock();
  return (
    <>
      {clock.time(points[0]![0])} to {clock.time(points.at(-1)![0])}, where the dot is.
    </>
  );
}

function OnPlan({ id, map, points }: { id: number; map: GroundMap; points: Points }) {
  const view = viewOf(map)!;
  const ways = smoothWays(points).map((way) => way.map(([, x, y]) => applied(view.toView, [x, y])));
  const last = ways.at(-1)!.at(-1)!;
  return (
    <>
      <Ground map={map} view={view} label="Path on the plan" places>
        {(em) => (
          <g class="trail">
            {ways.map((way, number) => (
              <polyline key={number} points={pointsText(way)} stroke={colourOf(id)} />
            ))}
            <circle cx={last[0]} cy={last[1]} r={0.6 * em} fill={colourOf(id)} />
          </g>
        )}
      </Ground>
      <p class="soft small">
        <Span points={points} />
      </p>
    </>
  );
}

function OnGrid({ id, points }: { id: number; points: Points }) {
  const ways = smoothWays(points);
  const xs = points.map(([, x]) => x);
  const ys = points.map(([, , y]) => y);
  const [left, low] = [Math.min(...xs), Math.min(...ys)];
  const [wide, high] = [Math.max(...xs) - left, Math.max(...ys) - low];
  const span = Math.max(wide, high, 1);
  const scale = (SIZE - 2 * MARGIN) / span;
  const height = 2 * MARGIN + Math.max(high, span / 3) * scale;
  // The ground's y grows upwards.
  const place = ([, x, y]: readonly [number, number, number]): Point => [
    MARGIN + (x - left) * scale,
    height - MARGIN - (y - low) * scale,
  ];
  const last = place(points.at(-1)!);
  return (
    <>
      <svg class="path" viewBox={`0 0 ${SIZE} ${height}`} role="img" aria-label={`Path of ${span.toFixed(0)} m across`}>
        {grid(left, low, span, scale, height)}
        {ways.map((way) => (
          <polyline
            key={way[0]![0]}
            points={way.map((point) => place(point).map((one) => one.toFixed(1)).join()).join(' ')}
            stroke={colourOf(id)}
          />
        ))}
        <circle cx={last[0]} cy={last[1]} r="6" fill={colourOf(id)} stroke="#fff" />
      </svg>
      <p class="soft small">
        <Span points={points} /> Lines of the grid are {stepOf(span)} m apart.
      </p>
    </>
  );
}

function stepOf(span: number): number {
  return [1, 2, 5, 10, 20, 50, 100].find((step) => span / step <= 8) ?? 200;
}

function grid(left: number, low: number, span: number, scale: number, height: number) {
  const step = stepOf(span);
  const lines = [];
  for (let at = Math.ceil((left - MARGIN / scale) / step) * step; at <= left + span + MARGIN / scale; at += step) {
    const x = MARGIN + (at - left) * scale;
    lines.push(<line key={`x${at}`} x1={x} x2={x} y1={0} y2={height} />);
  }
  const top = low + (height - MARGIN) / scale;
  for (let at = Math.ceil((low - MARGIN / scale) / step) * step; at <= top; at += step) {
    const y = height - MARGIN - (at - low) * scale;
    lines.push(<line key={`y${at}`} y1={y} y2={y} x1={0} x2={SIZE} />);
  }
  return <g class="grid-lines">{lines}</g>;
}
