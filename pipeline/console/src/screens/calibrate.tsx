/** Calibrate a camera: points of its picture and the same places on the ground. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { get, post, problemOf } from '../api';
import { applied, clicked, pointsText } from '../geometry';
import { Ground, viewOf } from '../ground';
import { IconButton, Page, Problem } from '../parts';
import { usePolled } from '../polling';
import type { Route } from '../router';
import { cameras, me } from '../site';
import { useSignal } from '../store';
import type { Calibration, Fit, GridLine, GroundMap, Point } from '../types';
import '../styles/calibrate.css';

const LEAST = 4;
const FIT_MS = 250;

/** Pixels x and y of the picture, metres x and y on the ground; null where it is not given yet. */
interface Pair {
  picture: Point | null;
  ground: Point | null;
}

interface Row extends Pair {
  key: number;
}

export function Calibrate({ route }: { route: Route }) {
  const id = route.rest[0] ?? '';
  return <CalibrateCamera key={id} id={id} />;
}

function CalibrateCamera({ id }: { id: string }) {
  const state = usePolled<Calibration>(`calibration/${encodeURIComponent(id)}`);
  const map = usePolled<GroundMap>('map').data;
  const user = useSignal(me);
  const [rows, setRows] = useState<Row[]>([]);
  const [chosen, setChosen] = useState<number | null>(null);
  const [said, setSaid] = useState<string | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const whole = rows.filter(({ picture, ground }) => picture && ground);
  const { fit, problem } = useFit(id, whole);
  const known = state.data;

  const set = (key: number, part: Partial<Pair>) =>
    setRows((old) => old.map((row) => (row.key === key ? { ...row, ...part } : row)));
  const place = (part: 'picture' | 'ground', point: Point) => {
    setSaid(null);
    const row = rows.find(({ key }) => key === chosen);
    if (row) return set(row.key, { [part]: point });
    const key = Math.max(0, ...rows.map((one) => one.key)) + 1;
    setRows([...rows, { key, picture: null, ground: null, [part]: point }]);
    setChosen(key);
  };
  const save = async () => {
    setFailed(null);
    try {
      const points = whole.map(({ picture, ground }) => [...picture!, ...ground!]);
      const path = `calibration/${encodeURIComponent(id)}`;
      const made = await post<{ file: string }>(path, { points, seen: known?.seen }, 'PUT');
      setSaid(`Saved to ${made.file}.`);
      state.reload();
    } catch (error) {
      setFailed(problemOf(error));
    }
  };
  const view = map && viewOf(map);
  const errors = new Map(whole.map(({ key }, index) => [key, fit?.error_m[index] ?? null]));
  return (
    <Page
      title={`Calibrate ${id}`}
      note="Click a place in the picture, then the same place on the plan or enter its metres"
      actions={
        <>
          <Cameras id={id} />
          <button
            type="button"
            class="primary"
            disabled={!fit || !known?.file || user?.role !== 'editor'}
            onClick={() => void save()}
          >
            Save{known?.file ? ` to ${known.file}` : ''}
          </button>
        </>
      }
    >
      {(state.problem ?? failed ?? problem) && <Problem>{state.problem ?? failed ?? problem}</Problem>}
      {known && !known.file && (
        <p class="soft">
          Nothing can be saved here: start the API with <code>--config SITE.yaml</code>.
        </p>
      )}
      <p role="status" class="fit-line">{said ?? fitText(fit, whole.length)}</p>
      {known && (
        <div class="calibrate">
          <Picture
            id={id}
            size={[known.width, known.height]}
            grid={fit ? fit.grid : rows.length ? [] : known.grid}
            rows={rows}
            chosen={chosen}
            onPlace={(point) => place('picture', point)}
          />
          {map && view && (
            <Plan
              map={map}
              rows={rows}
              chosen={chosen}
              onPlace={(point) => place('ground', rounded(point, 3))}
            />
          )}
        </div>
      )}
      {known && (
        <Points
          rows={rows}
          chosen={chosen}
          errors={errors}
          onChoose={setChosen}
          onChange={set}
          onAdd={() => {
            const key = Math.max(0, ...rows.map((one) => one.key)) + 1;
            setRows([...rows, { key, picture: null, ground: null }]);
            setChosen(key);
          }}
          onRemove={(key) => {
            setRows(rows.filter((row) => row.key !== key));
            setChosen(null);
          }}
        />
      )}
    </Page>
  );
}

/** The fit of the points, as they are now. */
function useFit(id: string, rows: readonly Row[]): { fit: Fit | null; problem: string | null } {
  const [state, setState] = useState<{ fit: Fit | null; problem: string | null }>({ fit: null, problem: null });
  const query = rows
    .map(({ picture, ground }) => `point=${[...(picture ?? []), ...(ground ?? [])].join(',')}`)
    .join('&');
  useEffect(() => {
    if (rows.length < LEAST) {
      setState({ fit: null, problem: null });
      return;
    }
    const abort = new AbortController();
    const ask = async () => {
      try {
        const fit = await get<Fit>(`calibration/${encodeURIComponent(id)}/fit?${query}`, abort.signal);
        setState({ fit, problem: null });
      } catch (error) {
        const problem = problemOf(error);
        if (problem !== null) setState({ fit: null, problem });
      }
    };
    const timer = setTimeout(() => void ask(), FIT_MS);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, query]);
  return state;
}

function fitText(fit: Fit | null, count: number): string {
  if (count < LEAST) return `${count} of at least ${LEAST} points, no three of them on a line.`;
  if (!fit) return '';
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const off = `Off by ${mean(fit.error_px).toFixed(1)} pixels and ${mean(fit.error_m).toFixed(2)} m on average.`;
  return count === LEAST ? `${off} Four points always fit: a fifth shows a mistake.` : off;
}

function Cameras({ id }: { id: string }) {
  const all = useSignal(cameras);
  return (
    <select
      aria-label="Camera"
      value={id}
      onChange={(event) => (location.hash = `#/calibrate/${encodeURIComponent(event.currentTarget.value)}`)}
    >
      {all.map((camera) => (
        <option key={camera.id} value={camera.id}>
          {camera.id}
        </option>
      ))}
    </select>
  );
}

function Picture(props: {
  id: string;
  size: Point;
  grid: GridLine[];
  rows: readonly Row[];
  chosen: number | null;
  onPlace: (point: Point) => void;
}) {
  const [width, height] = props.size;
  const svg = useRef<SVGSVGElement>(null);
  const [missing, setMissing] = useState(false);
  return (
    <figure>
      <svg
        ref={svg}
        class="snapshot"
        viewBox={`0 0 ${width} ${height}`}
        style={{ fontSize: `${width / 45}px` }}
        role="img"
        aria-label={`Picture of ${props.id} with the points`}
        onClick={(event) => svg.current && props.onPlace(rounded(clicked(svg.current, event), 1))}
      >
        <image
          href={`./cameras/${encodeURIComponent(props.id)}/snapshot.jpg`}
          width={width}
          height={height}
          preserveAspectRatio="none"
          onError={() => setMissing(true)}
        />
        <g class="grid">
          {props.grid.map(({ points }, number) => (
            <polyline key={number} points={pointsText(points)} />
          ))}
        </g>
        <Marks points={props.rows.map(({ key, picture }) => [key, picture])} chosen={props.chosen} size={width / 90} />
      </svg>
      <figcaption class="soft">
        {missing
          ? 'The camera has no picture now; points can still be entered below.'
          : `Picture of ${props.id}, ${width} by ${height} pixels`}
      </figcaption>
    </figure>
  );
}

function Plan(props: {
  map: GroundMap;
  rows: readonly Row[];
  chosen: number | null;
  onPlace: (point: Point) => void;
}) {
  const view = viewOf(props.map);
  if (!view) return null;
  return (
    <figure>
      <Ground
        map={props.map}
        view={view}
        label="The ground"
        fields
        places
        onPlace={props.onPlace}
      >
        {(em) => (
          <Marks
            points={props.rows.map(({ key, ground }) => [key, ground && applied(view.toView, ground)])}
            chosen={props.chosen}
            size={0.55 * em}
          />
        )}
      </Ground>
      <figcaption class="soft">The ground from above</figcaption>
    </figure>
  );
}

function Marks(props: { points: [number, Point | null][]; chosen: number | null; size: number }) {
  return (
    <>
      {props.points.map(
        ([key, point]) =>
          point && (
            <g key={key} class={key === props.chosen ? 'point chosen' : 'point'}>
              <circle cx={point[0]} cy={point[1]} r={props.size} />
              <text x={point[0] + 1.4 * props.size} y={point[1]}>
                {key}
              </text>
            </g>
          ),
      )}
    </>
  );
}

function Points(props: {
  rows: readonly Row[];
  chosen: number | null;
  errors: ReadonlyMap<number, number | null>;
  onChoose: (key: number | null) => void;
  onChange: (key: number, part: Partial<Pair>) => void;
  onAdd: () => void;
  onRemove: (key: number) => void;
}) {
  return (
    <div class="table points">
      <table>
        <caption class="visually-hidden">Points</caption>
        <thead>
          <tr>
            {['Point', 'Pixel x', 'Pixel y', 'Ground x (m)', 'Ground y (m)', 'Off by'].map((text) => (
              <th key={text} scope="col">
                {text}
              </th>
            ))}
            <td />
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={row.key}>
              <th scope="row">
                <button
                  type="button"
                  aria-pressed={row.key === props.chosen}
                  onClick={() => props.onChoose(row.key === props.chosen ? null : row.key)}
                >
                  {row.key}
                </button>
              </th>
              {(['picture', 'ground'] as const).flatMap((part) =>
                ([0, 1] as const).map((axis) => (
                  <td key={`${part}${axis}`}>
                    <Coordinate
                      label={`Point ${row.key}, ${part === 'picture' ? 'pixel' : 'ground'} ${'xy'[axis]}`}
                      value={row[part]?.[axis] ?? null}
                      step={part === 'picture' ? 1 : 0.05}
                      onChange={(value) => props.onChange(row.key, { [part]: changed(row[part], axis, value) })}
                    />
                  </td>
                )),
              )}
              <td class="number">{offText(props.errors.get(row.key))}</td>
              <td>
                <IconButton icon="close" label={`Remove point ${row.key}`} onClick={() => props.onRemove(row.key)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p>
        <button type="button" onClick={props.onAdd}>
          Add a point
        </button>{' '}
        {props.chosen !== null && (
          <button type="button" onClick={() => props.onChoose(null)}>
            Next point
          </button>
        )}
      </p>
    </div>
  );
}

function Coordinate(props: {
  label: string;
  value: number | null;
  step: number;
  onChange: (value: number) => void;
}) {
  return (
    <input
      type="number"
      aria-label={props.label}
      step={props.step}
      value={props.value === null ? '' : Number(props.value.toFixed(3))}
      onChange={(event) => {
        const value = event.currentTarget.valueAsNumber;
        if (Number.isFinite(value)) props.onChange(value);
      }}
    />
  );
}

function offText(metres: number | null | undefined): string {
  return metres === null || metres === undefined ? '' : `${metres.toFixed(2)} m`;
}

function changed(point: Point | null, axis: 0 | 1, value: number): Point {
  const [x, y] = point ?? [0, 0];
  return axis === 0 ? [value, y] : [x, value];
}

function rounded([x, y]: Point, digits: number): Point {
  return [Number(x.toFixed(digits)), Number(y.toFixed(digits))];
}
