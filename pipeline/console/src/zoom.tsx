/** Zoom and pan of an SVG: wheel, drag, two fingers, keys and buttons. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { clicked } from './geometry';
import { IconButton } from './parts';
import type { Point } from './types';

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Zoom {
  viewBox: string;
  /** How much of the whole is shown: 1 for all, 0.5 for half of its width. */
  share: number;
  /** Whether a click just ended a drag, and so means nothing. */
  dragged(): boolean;
  buttons: ComponentChildren;
}

const STEP = 1.4;
const LEAST_SHARE = 0.03;
// A finger that moves less than this has only touched.
const DRAG_PX = 5;

/** Zoom the SVG in `svg`, of which the whole is `width` by `height` units. */
export function useZoom(svg: { current: SVGSVGElement | null }, width: number, height: number): Zoom {
  const [box, setBox] = useState<Box | null>(null);
  const moved = useRef(false);
  const shown = box ?? { x: 0, y: 0, width, height };
  const current = useRef(shown);
  current.current = shown;
  const show = (next: Box) => setBox(bounded(next, width, height));
  const zoom = (factor: number, at?: Point) => {
    const { x, y, width: w, height: h } = current.current;
    const [px, py] = at ?? [x + w / 2, y + h / 2];
    const share = Math.min(Math.max(w / width / factor, LEAST_SHARE), 1);
    const k = (share * width) / w;
    show({ x: px - (px - x) * k, y: py - (py - y) * k, width: w * k, height: h * k });
  };
  const pan = (dx: number, dy: number) => {
    const { x, y, width: w, height: h } = current.current;
    show({ x: x + dx, y: y + dy, width: w, height: h });
  };
  useEffect(() => {
    const element = svg.current;
    if (!element) return;
    const fingers = new Map<number, PointerEvent>();
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? STEP : 1 / STEP, clicked(element, event));
    };
    const down = (event: PointerEvent) => {
      fingers.set(event.pointerId, event);
      if (fingers.size === 1) moved.current = false;
    };
    const move = (event: PointerEvent) => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const far = Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
      if (!moved.current && far < DRAG_PX) return;
      moved.current = true;
      const other = [...fingers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
      if (other) {
        const apart = (one: PointerEvent) =>
          Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        zoom(apart(event) / apart(before), clicked(element, other));
      } else {
        const [from, to] = [clicked(element, before), clicked(element, event)];
        pan(from[0] - to[0], from[1] - to[1]);
      }
      fingers.set(event.pointerId, event);
    };
    const up = (event: PointerEvent) => void fingers.delete(event.pointerId);
    element.addEventListener('wheel', wheel, { passive: false });
    element.addEventListener('pointerdown', down);
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
    addEventListener('pointercancel', up);
    return () => {
      element.removeEventListener('wheel', wheel);
      element.removeEventListener('pointerdown', down);
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', up);
      removeEventListener('pointercancel', up);
    };
  }, [svg, width, height]);
  const step = shown.width / 8;
  return {
    viewBox: `${shown.x} ${shown.y} ${shown.width} ${shown.height}`,
    share: shown.width / width,
    dragged: () => moved.current,
    buttons: (
      <div class="zoom" role="group" aria-label="Zoom">
        <IconButton icon="more" label="Zoom in" onClick={() => zoom(STEP)} />
        <IconButton icon="less" label="Zoom out" onClick={() => zoom(1 / STEP)} />
        {box && (
          <>
            <IconButton icon="back" label="To the left" onClick={() => pan(-step, 0)} />
            <IconButton icon="next" label="To the right" onClick={() => pan(step, 0)} />
            <IconButton icon="up" label="Up" onClick={() => pan(0, -step)} />
            <IconButton icon="down" label="Down" onClick={() => pan(0, step)} />
            <IconButton icon="expand" label="Show all" onClick={() => setBox(null)} />
          </>
        )}
      </div>
    ),
  };
}

/** The box within the whole; null for all of it. */
function bounded(box: Box, width: number, height: number): Box | null {
  if (box.width >= width) return null;
  const within = (start: number, size: number, whole: number) => Math.min(Math.max(start, 0), whole - size);
  return { ...box, x: within(box.x, box.width, width), y: within(box.y, box.height, height) };
}
