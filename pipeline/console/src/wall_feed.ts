/** Pictures and boxes of many cameras from one WebSocket, put together by their timestamps. */

import { socketUrl } from './api';
import type { Box, Point } from './types';

export interface SeenPerson {
  global_id: number | null;
  track_id: number;
  box: Box;
  confidence: number;
  ground: Point | null;
}

export interface Boxes {
  camera_id: string;
  timestamp: number;
  width: number;
  height: number;
  people: SeenPerson[];
}

/** What to show of a camera: a picture, the boxes of its frame, or boxes alone. */
export interface Shown {
  timestamp: number;
  picture: ImageBitmap | null;
  boxes: Boxes | null;
}

interface Waiting {
  timestamp: number;
  arrived: number;
  jpeg: Blob;
}

const AGAIN_MS = 2000;
// Boxes come an interval of the association after their picture: it waits for them, up to this.
const MOST_LAG_MS = 8000;
const STEP_MS = 40;

export class WallFeed {
  private socket: WebSocket | null = null;
  private timer = 0;
  private again = 0;
  private closed = false;
  private readonly tiles = new Map<string, Tile>();

  constructor(
    private readonly cameraIds: readonly string[],
    private readonly fps: number,
    private readonly show: (cameraId: string, shown: Shown) => void,
  ) {
    for (const id of cameraIds) this.tiles.set(id, new Tile());
  }

  open(): void {
    if (this.cameraIds.length === 0) return;
    this.connect();
    this.timer = window.setInterval(() => this.step(performance.now()), STEP_MS);
  }

  close(): void {
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.again);
    this.socket?.close();
  }

  private connect(): void {
    const cameras = this.cameraIds.map(encodeURIComponent).join(',');
    const socket = new WebSocket(socketUrl(`wall?cameras=${cameras}&fps=${this.fps}`));
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (typeof data === 'string') this.takeBoxes(JSON.parse(data) as Boxes);
      else this.takePicture(data);
    };
    socket.onclose = () => {
      if (!this.closed) this.again = window.setTimeout(() => this.connect(), AGAIN_MS);
    };
    this.socket = socket;
  }

  private takePicture(data: ArrayBuffer): void {
    const size = new DataView(data).getUint32(0);
    const text = new TextDecoder().decode(new Uint8Array(data, 4, size));
    const header = JSON.parse(text) as { camera_id: string; timestamp: number };
    const jpeg = new Blob([new Uint8Array(data, 4 + size)], { type: 'image/jpeg' });
    this.tiles.get(header.camera_id)?.addPicture({
      timestamp: header.timestamp,
      arrived: performance.now(),
      jpeg,
    });
  }

  private takeBoxes(boxes: Boxes): void {
    this.tiles.get(boxes.camera_id)?.addBoxes(boxes, performance.now());
  }

  private step(now: number): void {
    if (document.hidden) return;
    for (const [id, tile] of this.tiles) {
      const due = tile.takeDue(now);
      if (!due) continue;
      if (due.jpeg === null) this.show(id, { timestamp: due.timestamp, picture: null, boxes: due.boxes });
      else void this.decode(id, due.timestamp, due.jpeg, due.boxes);
    }
  }

  private async decode(id: string, timestamp: number, jpeg: Blob, boxes: Boxes | null): Promise<void> {
    try {
      const picture = await createImageBitmap(jpeg);
      if (!this.closed) this.show(id, { timestamp, picture, boxes });
    } catch {
      // A damaged picture is left out; the next one comes soon.
    }
  }
}

interface Due {
  timestamp: number;
  jpeg: Blob | null;
  boxes: Boxes | null;
}

// Without a picture for this long, boxes are shown alone.
const QUIET_MS = 2000;
const MOST_ARRIVALS = 200;

/** The pictures of one camera that wait for their boxes. */
export class Tile {
  private waiting: Waiting[] = [];
  private boxes = new Map<number, Boxes>();
  private arrivals = new Map<number, number>();
  private lastPicture = -Infinity;
  private alone: Boxes | null = null;
  // An interval of the association is usually a second.
  private lagMs = 1100;

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
      // As late as the latest boxes of the last time, so that pictures do not jump.
      this.lagMs = Math.min(Math.max(this.lagMs * 0.995, now - arrived), MOST_LAG_MS);
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
