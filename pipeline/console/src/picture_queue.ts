/** Puts the pictures of one camera together with the boxes of their frames, which come later. */

import type { Boxes } from './wall_feed';

export interface Waiting {
  timestamp: number;
  arrived: number;
  jpeg: Blob;
}

export interface Due {
  timestamp: number;
  jpeg: Blob | null;
  boxes: Boxes | null;
}

// Boxes come an interval of the association after their picture: it waits for them, up to this.
const MOST_LAG_MS = 8000;
const WINDOW_MS = 5000;
// Without a picture for this long, boxes are shown alone.
const QUIET_MS = 2000;
const MOST_ARRIVALS = 200;

/** The pictures of one camera that wait for their boxes. */
export class PictureQueue {
  private waiting: Waiting[] = [];
  private boxes = new Map<number, Boxes>();
  private arrivals = new Map<number, number>();
  private lastPicture = -Infinity;
  private alone: Boxes | null = null;
  // An interval of the association is usually a second.
  private lagMs = 1100;
  private lags: [at: number, lag: number][] = [];

  addPicture(picture: Waiting): void {
    this.waiting.push(picture);
    this.lastPicture = picture.arrived;
    this.arrivals.set(picture.timestamp, picture.arrived);
    if (this.arrivals.size > MOST_ARRIVALS) {
      this.arrivals.delete(this.arrivals.keys().next().value!);
    }
  }

  addBoxes(boxes: Boxes, now: number): void {
    const arrived = this.arrivals.get(boxes.timestamp);
    if (arrived !== undefined) {
      // As late as the latest boxes of the last seconds, so that pictures do not jump.
      this.lags = this.lags.filter(([at]) => at > now - WINDOW_MS);
      this.lags.push([now, now - arrived]);
      this.lagMs = Math.min(Math.max(...this.lags.map(([, lag]) => lag)), MOST_LAG_MS);
      this.boxes.set(boxes.timestamp, boxes);
    } else if (now - this.lastPicture > QUIET_MS) {
      this.alone = boxes;
    }
  }

  /** The newest picture whose time has come, with its boxes; null for none. */
  takeDue(now: number): Due | null {
    if (this.alone) {
      const { timestamp } = this.alone;
      const due = { timestamp, jpeg: null, boxes: this.alone };
      this.alone = null;
      return due;
    }
    let last: Waiting | undefined;
    while (this.waiting[0] && this.waiting[0].arrived + this.lagMs <= now) last = this.waiting.shift();
    if (!last) return null;
    const boxes = this.boxes.get(last.timestamp) ?? null;
    for (const timestamp of [...this.boxes.keys()]) {
      if (timestamp <= last.timestamp) this.boxes.delete(timestamp);
    }
    return { timestamp: last.timestamp, jpeg: last.jpeg, boxes };
  }
}
