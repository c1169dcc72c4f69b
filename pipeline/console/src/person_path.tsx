/** The path of a person on the ground, where cameras are calibrated. */

import { colourOf } from './colours';
import { usePolled } from './polling';
import { smoothWays } from './smoothing';
import { useClock } from './time';
import type { Point, Trails } from './types';

const SIZE = 300;
const MARGIN = 14;
// Before the person was seen last.
const SHOWN_S = 300;

export function PathOnGround({ id, until, everyS }: { id: number; until: number | null; everyS: number }) {
  const clock = useClock();
  const path = until === null ? null : `map/trails?global_id=${id}&until=${until}&last_s=${SHOWN_S}`;
  const points = usePolled<Trails>(path, everyS).data?.people[0]?.points ?? [];
  if (points.length < 2) return null;
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
    <section class="sheet">
      <h2>Path on the ground</h2>
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
        {clock.time(points[0]![0])} to {clock.time(points.at(-1)![0])}, where the dot is. Lines of the grid are{' '}
        {stepOf(span)} m apart.
      </p>
    </section>
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
