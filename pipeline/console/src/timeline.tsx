/** The stays of a person, one lane for each camera. */

import { useState } from 'preact/hooks';
import { colourOf } from './colours';
import { PRESENT_S, siteNow } from './site';
import { useSignal } from './store';
import { duration, SHORT_S, useClock, type Clock } from './time';
import type { Stay } from './types';

const STEPS_S = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
  86_400, 172_800,
];
const SPANS: [string, number][] = [
  ['All', Infinity],
  ['Last hour', 3600],
  ['Last 10 min', 600],
];

/** The seconds between round moments of which at most `most + 1` lie in `span` seconds. */
export function stepOf(span: number, most: number): number {
  const weeks = 604_800 * Math.ceil(span / most / 604_800);
  return STEPS_S.find((one) => span / one <= most) ?? weeks;
}

/** How ticks with so many seconds between them are written, so that no two read the same. */
function tickOf(clock: Clock, step: number): (moment: number) => string {
  if (step >= 86_400) return clock.short;
  if (step >= 60) return clock.minute;
  return step < 1 ? clock.exact : clock.time;
}

/** The multiples of `step` between two times. */
export function ticksOf(start: number, end: number, step: number): number[] {
  const first = Math.ceil(start / step - 1e-9);
  const last = Math.floor(end / step + 1e-9);
  return Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => (first + index) * step);
}

export function Timeline(props: {
  id: number;
  stays: Stay[];
  chosen: string | null;
  onChoose: (key: string | null) => void;
  keyOf: (stay: Stay) => string;
}) {
  const { id, stays, chosen, onChoose, keyOf } = props;
  const [span, setSpan] = useState(Infinity);
  const now = useSignal(siteNow);
  const clock = useClock();
  const known = stays.filter(({ start }) => start !== null);
  if (known.length === 0) return null;
  const last = Math.max(...known.map(({ end }) => end ?? 0));
  // Whoever is still there is there until now.
  const end = now !== null && now - last < PRESENT_S ? Math.max(now, last) : last;
  const start = Math.max(Math.min(...known.map(({ start }) => start!)), end - span);
  const length = Math.max(end - start, 0.1);
  const place = (moment: number) => `${(100 * Math.min(Math.max(moment - start, 0), length)) / length}%`;
  const step = stepOf(length, matchMedia('(max-width: 44rem)').matches ? 3 : 6);
  const tick = tickOf(clock, step);
  const say = length < SHORT_S ? clock.exact : clock.time;
  const lanes = [...new Set(known.map(({ camera_id }) => camera_id))].sort();
  return (
    <section class="sheet">
      <header class="sheet-head">
        <h2>Where and when</h2>
        <span class="soft small">{clock.zone}</span>
        {last - Math.min(...known.map((stay) => stay.start!)) > 600 && (
          <span class="choice" role="group" aria-label="Shown time">
            {SPANS.map(([text, seconds]) => (
              <button key={text} type="button" aria-pressed={span === seconds} onClick={() => setSpan(seconds)}>
                {text}
              </button>
            ))}
          </span>
        )}
      </header>
      <div class="timeline">
        <div class="ticks" aria-hidden="true">
          {ticksOf(start, end, step).map((moment) => (
            <span key={moment} style={{ left: place(moment) }}>
              {tick(moment)}
            </span>
          ))}
        </div>
        {lanes.map((camera) => (
          <div key={camera} class="lane">
            <h3>{camera}</h3>
            <div class="plot">
              {known
                .filter((stay) => stay.camera_id === camera && (stay.end ?? end) >= start)
                .map((stay) => {
                  const to = stay.end ?? end;
                  const from = Math.max(stay.start!, start);
                  const text =
                    `${camera}: ${length < SHORT_S ? clock.exact(stay.start!) : clock.full(stay.start!)} to ${say(to)} ` +
                    `(${duration(to - stay.start!)}), confidence ${percent(stay.confidence)}`;
                  return (
                    <button
                      key={`${keyOf(stay)}/${stay.start}`}
                      type="button"
                      class="bar"
                      title={text}
                      aria-label={text}
                      aria-pressed={chosen === keyOf(stay)}
                      style={{
                        left: place(from),
                        width: `${(100 * (to - from)) / length}%`,
                        background: colourOf(id),
                      }}
                      onClick={() => onChoose(chosen === keyOf(stay) ? null : keyOf(stay))}
                    />
                  );
                })}
            </div>
          </div>
        ))}
      </div>
    </section>
  );
}

export function percent(part: number): string {
  return `${Math.round(100 * part)} %`;
}
