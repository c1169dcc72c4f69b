/** Draws a picture with boxes on a canvas, and finds the box at a point of it. */

import { colourOf } from './colours';
import type { Box } from './types';
import type { SeenPerson, Shown } from './wall_feed';

/** Where the picture lies on the canvas, and how large a pixel of the frame is there. */
interface Fit {
  left: number;
  top: number;
  width: number;
  height: number;
  scale: number;
}

export interface DrawOptions {
  nameOf: (globalId: number) => string;
  /** The person to emphasise; null for none. */
  highlighted: number | null;
}

export function draw(canvas: HTMLCanvasElement, shown: Shown, options: DrawOptions): void {
  const context = canvas.getContext('2d', { alpha: false });
  if (!context) return;
  // Lines and labels grow with the picture: a wall of 4K is looked at from afar.
  const ratio = matchSize(canvas) * Math.min(Math.max(canvas.clientWidth / 520, 0.85), 2.2);
  context.fillStyle = '#0a0b0d';
  context.fillRect(0, 0, canvas.width, canvas.height);
  const fit = fitOf(canvas, shown);
  if (shown.picture) context.drawImage(shown.picture, fit.left, fit.top, fit.width, fit.height);
  for (const person of shown.boxes?.people ?? []) drawBox(context, person, fit, ratio, options);
}

/** Draw the part of a picture in a box, with a margin, so that it fills the canvas. */
export function drawCrop(canvas: HTMLCanvasElement, { picture, boxes }: Shown, box: Box): void {
  const context = canvas.getContext('2d', { alpha: false });
  if (!context || !picture || !boxes?.width) return;
  matchSize(canvas);
  const scale = picture.width / boxes.width;
  const [x1, y1, x2, y2] = box;
  const shape = canvas.width / canvas.height;
  const height = Math.max((y2 - y1) * 1.08, (x2 - x1) / shape);
  const width = height * shape;
  const left = (x1 + x2 - width) / 2;
  const top = (y1 + y2 - height) / 2;
  context.fillStyle = '#0a0b0d';
  context.fillRect(0, 0, canvas.width, canvas.height);
  const from = [left * scale, top * scale, width * scale, height * scale] as const;
  context.drawImage(picture, ...from, 0, 0, canvas.width, canvas.height);
  canvas.dataset['drawn'] = '';
}

/** The person whose box is smallest around a point of the page; null for none. */
export function personAt(
  canvas: HTMLCanvasElement,
  shown: Shown,
  clientX: number,
  clientY: number,
): SeenPerson | null {
  const place = canvas.getBoundingClientRect();
  const ratio = canvas.width / place.width;
  const fit = fitOf(canvas, shown);
  const x = ((clientX - place.left) * ratio - fit.left) / fit.scale;
  const y = ((clientY - place.top) * ratio - fit.top) / fit.scale;
  const around = (shown.boxes?.people ?? []).filter(
    ({ box: [x1, y1, x2, y2] }) => x >= x1 && x <= x2 && y >= y1 && y <= y2,
  );
  return around.sort((a, b) => areaOf(a) - areaOf(b))[0] ?? null;
}

function areaOf({ box: [x1, y1, x2, y2] }: SeenPerson): number {
  return (x2 - x1) * (y2 - y1);
}

function matchSize(canvas: HTMLCanvasElement): number {
  const ratio = Math.min(devicePixelRatio || 1, 2);
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return ratio;
}

function fitOf(canvas: HTMLCanvasElement, { picture, boxes }: Shown): Fit {
  const frameWidth = boxes?.width || picture?.width || 16;
  const [width, height] = picture ? [picture.width, picture.height] : [frameWidth, boxes?.height || 9];
  const scale = Math.min(canvas.width / width, canvas.height / height);
  const shown = { width: width * scale, height: height * scale };
  return {
    left: (canvas.width - shown.width) / 2,
    top: (canvas.height - shown.height) / 2,
    ...shown,
    scale: shown.width / frameWidth,
  };
}

function drawBox(
  context: CanvasRenderingContext2D,
  person: SeenPerson,
  fit: Fit,
  ratio: number,
  { nameOf, highlighted }: DrawOptions,
): void {
  const [x1, y1, x2, y2] = person.box;
  const left = fit.left + x1 * fit.scale;
  const top = fit.top + y1 * fit.scale;
  const width = (x2 - x1) * fit.scale;
  const height = (y2 - y1) * fit.scale;
  const isIt = highlighted !== null && person.global_id === highlighted;
  context.globalAlpha = highlighted === null || isIt ? 1 : 0.3;
  // A light line under the coloured one keeps it visible on every picture.
  context.lineJoin = 'round';
  context.strokeStyle = 'rgb(255 255 255 / 65%)';
  context.lineWidth = (isIt ? 6 : 3.5) * ratio;
  context.strokeRect(left, top, width, height);
  context.strokeStyle = colourOf(person.global_id);
  context.lineWidth = (isIt ? 4 : 2) * ratio;
  context.strokeRect(left, top, width, height);
  if (person.global_id !== null) {
    label(context, nameOf(person.global_id), colourOf(person.global_id), left, top, ratio);
  }
  context.globalAlpha = 1;
}

function label(
  context: CanvasRenderingContext2D,
  text: string,
  colour: string,
  left: number,
  top: number,
  ratio: number,
): void {
  const size = 12 * ratio;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const width = context.measureText(text).width + 8 * ratio;
  const height = size + 5 * ratio;
  const y = Math.max(top - height, 0);
  const x = Math.max(Math.min(left - ratio, context.canvas.width - width), 0);
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
  context.fillStyle = '#fff';
  context.textBaseline = 'middle';
  context.fillText(text, x + 4 * ratio, y + height / 2 + ratio / 2);
}
