/** Corrections of who is who, which editors make. */

import { ApiError, get, post } from './api';
import { readNames } from './site';
import type { Correction } from './types';

export type Wanted =
  | { kind: 'merge'; global_id: number; into: number; anyway: boolean }
  | { kind: 'split'; global_id: number; at: number; camera_id?: string }
  | { kind: 'move'; camera_id: string; track_id: number; since: number | null; to: number | null }
  | { kind: 'name'; global_id: number; name: string }
  | { kind: 'undo'; number: number };

/** Make a correction; `seen` is the number of the last one that the page shows. */
export async function correct(wanted: Wanted, seen: number | null): Promise<Correction> {
  const made = await post<Correction>('corrections', { ...wanted, seen });
  await readNames();
  return made;
}

/** All corrections, oldest first. */
export async function readCorrections(): Promise<Correction[]> {
  return (await get<{ corrections: Correction[] }>('corrections')).corrections;
}

/** Who a person is now, where a correction was refused because that has changed. */
export function personNow(error: unknown): number | null {
  const now = error instanceof ApiError && error.status === 409 ? error.body['now'] : null;
  return typeof now === 'number' ? now : null;
}
