/** What a user has chosen; it stays in this browser. */

import { kept } from './store';

export type Theme = 'system' | 'light' | 'dark';

export const theme = kept<Theme>('theme', 'system');
/** An IANA name; empty for the time zone of the browser. */
export const timeZone = kept('timeZone', '');
/** Whether single keys are shortcuts. */
export const shortcuts = kept('shortcuts', true);
/** Pictures a second and camera on the wall. */
export const wallFps = kept('wallFps', 5);

// `theme.js` shows what is kept, also before the first paint.
theme.subscribe(() => dispatchEvent(new Event('theme')));

export function zoneName(): string {
  return timeZone.get() || Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** Every time zone that the browser knows. */
export function timeZones(): string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone').filter((name) => name !== 'UTC')];
}
