/** Pictures and boxes of many cameras from one WebSocket, put together by their timestamps. */

import { socketUrl } from './api';
import { PictureQueue } from './picture_queue';
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

const AGAIN_MS = 2000;
const STEP_MS = 40;

export class WallFeed {
  private socket: WebSocket | null = null;
  private timer = 0;
  private again = 0;
  private closed = false;
  private readonly queues = new Map<string, PictureQueue>();

  constructor(
    private readonly cameraIds: readonly string[],
    private readonly fps: number,
    private readonly show: (cameraId: string, shown: Shown) => void,
  ) {
    for (const id of cameraIds) this.queues.set(id, new PictureQueue());
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
    this.queues.get(header.camera_id)?.addPicture({
      timestamp: header.timestamp,
      arrived: performance.now(),
      jpeg,
    });
  }

  private takeBoxes(boxes: Boxes): void {
    this.queues.get(boxes.camera_id)?.addBoxes(boxes, performance.now());
  }

  private step(now: number): void {
    if (document.hidden) return;
    for (const [id, queue] of this.queues) {
      const due = queue.takeDue(now);
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
