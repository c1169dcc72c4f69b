/** The path of a person on the ground, where cameras are calibrated. */

import { colourOf } from './colours';
import { usePolled } from './polling';
import type { PathPoint, Point } from './types';

const SIZE = 300;
const MARGIN = 14;
// A longer gap is not walked in a straight line.
const GAP_S = 3;

export function PathOnGround({ id, everyS }: { id: number; everyS: number }) {
  const path = usePolled<{ points: PathPoint[] }>(`identities/${id}/path?limit=500`, everyS);
  const points = averaged(path.data?.points ?? []);
  if (points.length < 2) return null;
  const xs = points.map(({ ground }) => ground[0]);
  const ys = points.map(({ ground }) => ground[1]);
  const [left, low] = [Math.min(...xs), Math.min(...ys)];
  const span = Math.max(Math.max(...xs) - left, Math.max(...ys) - low, 1);
  const scale = (SIZE - 2 * MARGIN) / span;
  // The ground's y grows upwards.
  const place = ([x, y]: Point) =>
    `${(MARGIN + (x - left) * scale).toFixed(1)},${(SIZE - MARGIN - (y - low) * scale).toFixed(1)}`;
  const last = place(points.at(-1)!.ground).split(',');
  return (
    <section class="sheet">
      <h2>Path on the ground</h2>
      <svg class="path" viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label={`Path of ${span.toFixed(0)} m across`}>
        {grid(left, low, span, scale)}
        {piecesOf(points).map((piece) => (
          <polyline key={piece[0]!.timestamp} points={piece.map(({ ground }) => place(ground)).join(' ')} stroke={colourOf(id)} />
        ))}
        <circle cx={last[0]} cy={last[1]} r="6" fill={colourOf(id)} stroke="#fff" />
      </svg>
      <p class="soft small">Lines of the grid are {stepOf(span)} m apart; the dot is the last place.</p>
    </section>
  );
}

interface Placed {
  timestamp: number;
  ground: Point;
}

// Cameras that see a person at once differ a little.
const TOGETHER_S = 0.5;

/** One place for each half a second: the mean over cameras and frames. */
function averaged(points: PathPoint[]): Placed[] {
  const bins = new Map<number, Point[]>();
  for (const { timestamp, ground } of points) {
    if (ground === null) continue;
    const bin = Math.floor(timestamp / TOGETHER_S);
    bins.set(bin, [...(bins.get(bin) ?? []), ground]);
  }
  return [...bins].map(([bin, places]) => ({
    timestamp: bin * TOGETHER_S,
    ground: [mean(places.map(([x]) => x)), mean(places.map(([, y]) => y))],
  }));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function piecesOf(points: Placed[]): Placed[][] {
  const pieces: Placed[][] = [];
  for (const point of points) {
    const piece = pieces.at(-1);
    if (piece && point.timestamp - piece.at(-1)!.timestamp < GAP_S) piece.push(point);
    else pieces.push([point]);
  }
  return pieces;
}

function stepOf(span: number): number {
  return [1, 2, 5, 10, 20, 50, 100].find((step) => span / step <= 8) ?? 200;
}

function grid(left: number, low: number, span: number, scale: number) {
  const step = stepOf(span);
  const lines = [];
  for (let at = Math.ceil(left / step) * step; at <= left + span; at += step) {
    const x = MARGIN + (at - left) * scale;
    lines.push(<line key={`x${at}`} x1={x} x2={x} y1={0} y2={SIZE} />);
  }
  for (let at = Math.ceil(low / step) * step; at <= low + span; at += step) {
    const y = SIZE - MARGIN - (at - low) * scale;
    lines.push(<line key={`y${at}`} y1={y} y2={y} x1={0} x2={SIZE} />);
  }
  return <g class="grid-lines">{lines}</g>;
}
