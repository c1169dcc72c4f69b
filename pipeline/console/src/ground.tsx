/** The ground as a picture: the floor plan where there is one, cameras, zones and lines. */

import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
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
  /** What stands on the ground, with the size of the picture that is shown now, in its units. */
  children?: (size: number) => ComponentChildren;
}) {
  const { map, view } = props;
  const svg = useRef<SVGSVGElement>(null);
  const zoom = useZoom(svg, view.width, view.height);
  const size = Math.max(view.width, view.height) * zoom.share;
  const place = (event: MouseEvent) => {
    if (!props.onPlace || !svg.current || zoom.dragged()) return;
    props.onPlace(applied(view.toGround, clicked(svg.current, event)));
  };
  const shown = (points: readonly Point[]) => points.map((point) => applied(view.toView, point));
  return (
    <div class="ground-frame">
      <svg
        ref={svg}
        class="ground"
        viewBox={zoom.viewBox}
        style={{ fontSize: `${size / 50}px`, touchAction: zoom.share < 1 ? 'none' : 'pan-y' }}
        role="group"
        aria-label={props.label}
        onClick={place}
      >
        {map.plan ? (
          <image href={`.${map.plan.url}`} width={view.width} height={view.height} />
        ) : (
          <MetreGrid map={map} view={view} />
        )}
        {props.fields &&
          map.cameras.map(({ camera_id, field, eye }) => (
            <g key={camera_id} class="field">
              <polygon points={pointsText(shown(field))} />
              <Label at={applied(view.toView, eye ?? middle(field))} dy="-1.1em">
                {camera_id}
              </Label>
            </g>
          ))}
        {props.places &&
          map.zones.map(({ name, points }) => (
            <g key={name} class="zone">
              <polygon points={pointsText(shown(points))} />
              <Label at={applied(view.toView, middle(points))}>{name}</Label>
            </g>
          ))}
        {props.places &&
          map.lines.map(({ name, points }) => (
            <g key={name} class="line">
              <polyline points={pointsText(shown(points))} />
              <Label at={applied(view.toView, middle(points))}>{name}</Label>
            </g>
          ))}
        {props.children?.(size)}
      </svg>
      {zoom.buttons}
    </div>
  );
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

function Label({ at, dy, children }: { at: Point; dy?: string; children: ComponentChildren }) {
  return (
    <text x={at[0]} y={at[1]} dy={dy ?? 0} text-anchor="middle" dominant-baseline="middle">
      {children}
    </text>
  );
}

function middle(points: readonly Point[]): Point {
  const count = Math.max(points.length, 1);
  const sum = (axis: 0 | 1) => points.reduce((total, point) => total + point[axis], 0);
  return [sum(0) / count, sum(1) / count];
}
