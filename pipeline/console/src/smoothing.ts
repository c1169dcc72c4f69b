/** Positions on the ground without their trembling, as `pipeline/analytics/speed.py` does it. */

/** A moment, seconds, and x and y, metres. */
type Position = readonly [number, number, number];

// Positions on each side that a mean takes in: two and a half seconds of means of half a second.
const AROUND = 2;
// What lies further apart is not one way.
const GAP_S = 2;

/** The ways without gaps of a person, each with running means; its ends stay where they are. */
export function smoothWays(points: readonly Position[]): Position[][] {
  return waysOf(points).map((way) => way.map((_, index) => meanAround(way, index)));
}

function waysOf(points: readonly Position[]): Position[][] {
  const ways: Position[][] = [];
  for (const point of points) {
    const way = ways.at(-1);
    if (way && point[0] - way.at(-1)![0] <= GAP_S) way.push(point);
    else ways.push([point]);
  }
  return ways;
}

function meanAround(way: readonly Position[], index: number): Position {
  const around = Math.min(AROUND, index, way.length - 1 - index);
  const near = way.slice(index - around, index + around + 1);
  const mean = (axis: 1 | 2) => near.reduce((sum, point) => sum + point[axis], 0) / near.length;
  return [way[index]![0], mean(1), mean(2)];
}
