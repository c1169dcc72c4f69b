/** Times as text, in the time zone that the user chose. */

import { useSignal } from './store';
import { timeZone, zoneName } from './settings';

// Earlier timestamps are not real times: they count from the start of a video.
const FIRST_REAL_TIME = 366 * 86_400;

/** Within a shorter time, times are told with tenths of seconds. */
export const SHORT_S = 120;

export interface Clock {
  /** `14:02:31` */
  time(moment: number): string;
  /** `14:02` */
  minute(moment: number): string;
  /** `30 Nov` */
  short(moment: number): string;
  /** `14:02:31.5` */
  exact(moment: number): string;
  /** `30 Nov 14:02:31`, without the date where it is today's */
  full(moment: number): string;
  /** `30 Nov 2026` */
  day(moment: number): string;
  /** The name of the zone. */
  zone: string;
}

/** The clock of the chosen time zone; the component is drawn again when another one is chosen. */
export function useClock(): Clock {
  useSignal(timeZone);
  return clockOf(zoneName());
}

const clocks = new Map<string, Clock>();

export function clockOf(zone: string): Clock {
  let clock = clocks.get(zone);
  if (!clock) clocks.set(zone, (clock = makeClock(zone)));
  return clock;
}

function makeClock(zone: string): Clock {
  const of = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, ...options });
    return (moment: number) => format.format(moment * 1000);
  };
  const hours = { hour: '2-digit', minute: '2-digit', second: '2-digit' } as const;
  const time = of(hours);
  const tenths = of({ ...hours, fractionalSecondDigits: 1 });
  const day = of({ day: 'numeric', month: 'short', year: 'numeric' });
  const short = of({ day: 'numeric', month: 'short' });
  const minute = of({ hour: '2-digit', minute: '2-digit' });
  const isReal = (moment: number) => moment >= FIRST_REAL_TIME;
  return {
    zone,
    time: (moment) => (isReal(moment) ? time(moment) : elapsed(moment, false)),
    minute: (moment) => (isReal(moment) ? minute(moment) : elapsed(moment, false)),
    short: (moment) => (isReal(moment) ? short(moment) : elapsed(moment, false)),
    exact: (moment) => (isReal(moment) ? tenths(moment) : elapsed(moment, true)),
    day: (moment) => (isReal(moment) ? day(moment) : ''),
    full(moment) {
      if (!isReal(moment)) return elapsed(moment, false);
      const isToday = day(moment) === day(Date.now() / 1000);
      return isToday ? time(moment) : `${short(moment)} ${time(moment)}`;
    },
  };
}

/** `01:02`, or `1:01:02.5` with tenths. */
export function elapsed(seconds: number, tenths: boolean): string {
  const all = Math.max(Math.round(seconds * 10), 0);
  const [minutes, rest] = [Math.floor(all / 600), all % 600];
  const two = (value: number) => String(value).padStart(2, '0');
  const text = `${two(minutes % 60)}:${two(Math.floor(rest / 10))}` + (tenths ? `.${rest % 10}` : '');
  return minutes >= 60 ? `${Math.floor(minutes / 60)}:${text}` : text;
}

/** `12 s`, `4 min 10 s`, `23 h 59 min`. */
export function duration(seconds: number): string {
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds) % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `now`, `12 s ago`, `4 min ago`. */
export function ago(seconds: number): string {
  if (seconds < 2) return 'now';
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}
