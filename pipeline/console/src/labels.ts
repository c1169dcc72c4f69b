/** Where labels stand on a picture, so that none covers another. */

export type Spot = readonly [number, number];

interface Box {
  x: number;
  y: number;
  /** Half of the width and the height. */
  w: number;
  h: number;
}

// Of the height of the text: its lines, and its characters, which are narrower.
const HIGH = 1.25;
const WIDE = 0.64;
// How far around its place a label is looked for, in heights of the text.
const RINGS = [1.2, 2.5, 3.8];

/**
 * Gives labels their places one after the other, in text `em` units high.
 *
 * Each stands at its place (`on`) or around it, above first; null where all of that is taken.
 */
export class Labels {
  private readonly taken: Box[] = [];

  constructor(private readonly em: number) {}

  /** Nothing may stand on this dot. */
  keepClear([x, y]: Spot, radius: number): void {
    this.taken.push({ x, y, w: radius, h: radius });
  }

  /** The middle of the text, where it is free. */
  place(text: string, [x, y]: Spot, on = false): Spot | null {
    const w = (text.length * WIDE * this.em) / 2;
    const h = (HIGH * this.em) / 2;
    for (const [dx, dy] of around(w / this.em, on)) {
      const box = { x: x + dx * this.em, y: y + dy * this.em, w, h };
      if (this.taken.some((other) => overlap(box, other))) continue;
      this.taken.push(box);
      return [box.x, box.y];
    }
    return null;
  }
}

/** How far from its place a label is tried, in heights of the text; it is twice `half` wide. */
function* around(half: number, on: boolean): Generator<Spot> {
  if (on) yield [0, 0];
  for (const ring of RINGS) {
    const beside = half + ring - 0.4;
    yield* [[0, -ring], [0, ring], [beside, 0], [-beside, 0]] as Spot[];
    yield* [[beside, -ring], [-beside, -ring], [beside, ring], [-beside, ring]] as Spot[];
  }
}

function overlap(a: Box, b: Box): boolean {
  return Math.abs(a.x - b.x) < a.w + b.w && Math.abs(a.y - b.y) < a.h + b.h;
}
