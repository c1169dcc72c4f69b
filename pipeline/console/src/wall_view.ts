/** What the wall shows of each camera, drawn on the canvases that show it. */

import { draw, drawCrop } from './picture_canvas';
import { nameOf, names } from './site';
import { signal, type Signal } from './store';
import { WallFeed, type Shown } from './wall_feed';

/** The person whose boxes are emphasised in all cameras. */
export const highlighted = signal<number | null>(null);

// Names of people and times of pictures change less often than pictures.
const FIGURES_MS = 500;
// A larger crop is kept for this long.
const CROP_MS = 1500;

/** The wall of these cameras: at most `fps` pictures a second of each. */
export class WallView {
  private readonly feed: WallFeed;
  private readonly canvases = new Map<string, Set<HTMLCanvasElement>>();
  private readonly crops = new Map<number, Set<Crop>>();
  private readonly latest = new Map<string, Shown>();
  private readonly ids = new Map<string, Signal<readonly number[]>>();
  private readonly times = new Map<string, Signal<number | null>>();
  private readonly updated = new Map<string, number>();

  constructor(cameraIds: readonly string[], fps: number) {
    this.feed = new WallFeed(cameraIds, fps, (id, shown) => this.take(id, shown));
  }

  /** Show pictures until the returned function is called. */
  open(): () => void {
    this.feed.open();
    const stops = [highlighted, names].map((source) => source.subscribe(() => this.repaint()));
    return () => {
      this.feed.close();
      for (const stop of stops) stop();
      for (const { picture } of this.latest.values()) picture?.close();
      this.latest.clear();
    };
  }

  /** Keep the picture of a camera on this canvas until the returned function is called. */
  paintOn(cameraId: string, canvas: HTMLCanvasElement): () => void {
    const all = this.canvases.get(cameraId) ?? new Set();
    this.canvases.set(cameraId, all.add(canvas));
    const watch = new ResizeObserver(() => this.paint(cameraId));
    watch.observe(canvas);
    return () => {
      all.delete(canvas);
      watch.disconnect();
    };
  }

  /** Keep what a person looks like now on this canvas until the returned function is called. */
  cropOn(globalId: number, canvas: HTMLCanvasElement): () => void {
    const crop: Crop = { canvas, area: 0, at: -Infinity };
    const all = getOrAdd(this.crops, globalId, () => new Set<Crop>());
    all.add(crop);
    return () => all.delete(crop);
  }

  /** What is shown of a camera. */
  shown(cameraId: string): Shown | undefined {
    return this.latest.get(cameraId);
  }

  /** The global ids in the picture of a camera, ascending. */
  seen(cameraId: string): Signal<readonly number[]> {
    return getOrAdd(this.ids, cameraId, () => signal<readonly number[]>([]));
  }

  /** The timestamp of what is shown of a camera. */
  shownAt(cameraId: string): Signal<number | null> {
    return getOrAdd(this.times, cameraId, () => signal<number | null>(null));
  }

  private take(cameraId: string, shown: Shown): void {
    const before = this.latest.get(cameraId);
    // Without new boxes the picture stays that of the last ones: boxes alone, or a camera of one.
    const picture = shown.picture ?? before?.picture ?? null;
    if (before?.picture && before.picture !== picture) before.picture.close();
    this.latest.set(cameraId, { ...shown, picture });
    this.paint(cameraId);
    const now = performance.now();
    if (this.crops.size) this.paintCrops(shown, now);
    if (now - (this.updated.get(cameraId) ?? 0) < FIGURES_MS) return;
    this.updated.set(cameraId, now);
    this.shownAt(cameraId).set(shown.timestamp);
    if (shown.boxes) this.setSeen(cameraId, shown);
  }

  private setSeen(cameraId: string, { boxes }: Shown): void {
    const found = (boxes?.people ?? []).flatMap(({ global_id: id }) => (id === null ? [] : [id]));
    const ids = [...new Set(found)].sort((a, b) => a - b);
    if (ids.join() !== this.seen(cameraId).get().join()) this.seen(cameraId).set(ids);
  }

  private paint(cameraId: string): void {
    const shown = this.latest.get(cameraId);
    if (!shown) return;
    const options = { nameOf: shortName, highlighted: highlighted.get() };
    for (const canvas of this.canvases.get(cameraId) ?? []) draw(canvas, shown, options);
  }

  private paintCrops(shown: Shown, now: number): void {
    for (const person of shown.boxes?.people ?? []) {
      for (const crop of this.crops.get(person.global_id ?? -1) ?? []) {
        const [x1, y1, x2, y2] = person.box;
        const area = (x2 - x1) * (y2 - y1);
        // Of several cameras the one that shows the person largest.
        if (area < 0.8 * crop.area && now - crop.at < CROP_MS) continue;
        drawCrop(crop.canvas, shown, person.box);
        [crop.area, crop.at] = [area, now];
      }
    }
  }

  private repaint(): void {
    for (const cameraId of this.canvases.keys()) this.paint(cameraId);
  }
}

interface Crop {
  canvas: HTMLCanvasElement;
  area: number;
  at: number;
}

/** A name that fits on a box. */
function shortName(id: number): string {
  return names.get().has(id) ? nameOf(id).slice(0, 18) : String(id);
}

function getOrAdd<K, T>(map: Map<K, T>, key: K, make: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
