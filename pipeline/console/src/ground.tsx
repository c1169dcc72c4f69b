/** The ground as a picture: the floor plan where there is one, cameras, zones and lines. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Labels } from './labels';
import { applied, clicked, inverse, pointsText, type Matrix } from './geometry';
import type { GroundMap, Point } from './types';
import { useZoom } from './zoom';
import './styles/ground.css';

// Without a plan, so many units are a metre.
const PER_METRE = 20;

export interface GroundView {
  width: number;
  height: number;
  /** From metres to the units of the picture, and back. */
  toView: Matrix;
  toGround: Matrix;
}

/** How the ground is shown; null where nothing is known of it. */
export function viewOf(map: GroundMap): GroundView | null {
  if (map.plan) {
    const { width, height, to_ground } = map.plan;
    return { width, height, toGround: to_ground, toView: inverse(to_ground) };
  }
  if (!map.bounds) return null;
  const { left, low, right, high } = map.bounds;
  const toView = [
    [PER_METRE, 0, -left * PER_METRE],
    [0, -PER_METRE, high * PER_METRE],
    [0, 0, 1],
  ];
  const [width, height] = [(right - left) * PER_METRE, (high - low) * PER_METRE];
  return { width, height, toView, toGround: inverse(toView) };
}

export function Ground(props: {
  map: GroundMap;
  view: GroundView;
  label: string;
  /** What is shown beside the plan. */
  fields?: boolean;
  places?: boolean;
  /** A place on the ground was clicked. */
  onPlace?: (ground: Point) => void;
  /** What stands on the ground, with the height of its text in units of the picture, and the labels
   * that are there already. */
  children?: (em: number, labels: Labels) => ComponentChildren;
}) {
  const { map, view } = props;
  const svg = useRef<SVGSVGElement>(null);
  const zoom = useZoom(svg, view.width, view.height);
  const em = useTextHeight(svg, view.width * zoom.share, view.height * zoom.share);
  const place = (event: MouseEvent) => {
    if (!props.onPlace || !svg.current || zoom.dragged()) return;
    props.onPlace(applied(view.toGround, clicked(svg.current, event)));
  };
  const shown = (points: readonly Point[]) => points.map((point) => applied(view.toView, point));
  const labels = new Labels(em);
  const cameras = props.fields
    ? map.cameras
        .filter(({ at, field }) => at || field.length > 0)
        .map((camera) => ({ ...camera, at: applied(view.toView, camera.at ?? middle(camera.field)) }))
    : [];
  for (const { at } of cameras) labels.keepClear(at, em / 2);
  const named = [
    ...cameras.map(({ camera_id, at }) => ({ name: camera_id, spot: labels.place(camera_id, at) })),
    ...(props.places ? [...map.zones, ...map.lines] : []).map(({ name, points }) => ({
      name,
      spot: labels.place(name, applied(view.toView, middle(points)), true),
    })),
  ];
  return (
    <div class="ground-frame">
      <svg
        ref={svg}
        class="ground"
        viewBox={zoom.viewBox}
        style={{ fontSize: `${em}px`, touchAction: zoom.share < 1 ? 'none' : 'pan-y' }}
        role="group"
        aria-label={props.label}
        onClick={place}
      >
        {map.plan ? (
          <image href={`.${map.plan.url}`} width={view.width} height={view.height} />
        ) : (
          <MetreGrid map={map} view={view} />
        )}
        {cameras.map(({ camera_id, field }) => (
          <polygon key={camera_id} class="field" points={pointsText(shown(field))} />
        ))}
        {props.places &&
          map.zones.map(({ name, points }) => (
            <polygon key={name} class="zone" points={pointsText(shown(points))} />
          ))}
        {props.places &&
          map.lines.map(({ name, points }) => (
            <polyline key={name} class="line" points={pointsText(shown(points))} />
          ))}
        {props.children?.(em, labels)}
        {cameras.map(({ camera_id, at }) => (
          <circle key={camera_id} class="camera" cx={at[0]} cy={at[1]} r={0.4 * em}>
            <title>{camera_id}</title>
          </circle>
        ))}
        {named.map(({ name, spot }, number) => (
          <Label key={number} at={spot}>
            {name}
          </Label>
        ))}
      </svg>
      {zoom.buttons}
    </div>
  );
}

const TEXT_REM = 0.82;

/** The height of text in units of an SVG that shows so many of them, so that it can be read. */
function useTextHeight(svg: { current: SVGSVGElement | null }, width: number, height: number): number {
  const [shown, setShown] = useState({ width: 800, height: 600, rem: 16 });
  useEffect(() => {
    if (!svg.current) return;
    const element = svg.current;
    const watch = new ResizeObserver(() => {
      const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
      setShown({ width: element.clientWidth || 1, height: element.clientHeight || 1, rem });
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, [svg]);
  return TEXT_REM * shown.rem * Math.max(width / shown.width, height / shown.height);
}

function MetreGrid({ map, view }: { map: GroundMap; view: GroundView }) {
  if (!map.bounds) return null;
  const { left, low, right, high } = map.bounds;
  const every = Math.max(right - left, high - low) > 60 ? 10 : 1;
  const lines: [Point, Point][] = [];
  for (let x = Math.ceil(left / every) * every; x <= right; x += every) lines.push([[x, low], [x, high]]);
  for (let y = Math.ceil(low / every) * every; y <= high; y += every) lines.push([[left, y], [right, y]]);
  return (
    <g class="metres">
      {lines.map((line, number) => (
        <polyline key={number} points={pointsText(line.map((point) => applied(view.toView, point)))} />
      ))}
    </g>
  );
}

/** A label at its place of `Labels`; none where that has no room. */
export function Label({ at, children }: { at: readonly [number, number] | null; children: ComponentChildren }) {
  return at === null ? null : (
    <text x={at[0]} y={at[1]} text-anchor="middle" dominant-baseline="central">
      {children}
    </text>
  );
}

function middle(points: readonly Point[]): Point {
  const count = Math.max(points.length, 1);
  const sum = (axis: 0 | 1) => points.reduce((total, point) => total + point[axis], 0);
  return [sum(0) / count, sum(1) / count];
}
