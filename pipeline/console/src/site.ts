/** The site as every screen sees it: cameras, people now, names, and the events as they occur. */

import { get, problemOf, signedOut, socketUrl } from './api';
import { signal } from './store';
import type { Camera, Me, Person } from './types';

export interface SiteEvent {
  id?: string;
  type: string;
  [more: string]: unknown;
}

export const me = signal<Me | null>(null);
export const cameras = signal<Camera[]>([]);
export const people = signal<Person[]>([]);
/** The time of the site, seconds UTC; null before the first message. */
export const siteNow = signal<number | null>(null);
/** Whether the site has answered once: before, nobody knows that there is nothing. */
export const isKnown = signal(false);
export const names = signal<ReadonlyMap<number, string>>(new Map());
/** Why the last request for the site failed; null while it answers. */
export const problem = signal<string | null>(null);

/** A person counts as there for this many seconds after the last observation. */
export const PRESENT_S = 10;
const EVERY_S = 1;
const LATER_S = 3;

const listeners = new Set<(event: SiteEvent) => void>();

/** Call `heard` for each event of the site, until the returned function is called. */
export function onEvent(heard: (event: SiteEvent) => void): () => void {
  listeners.add(heard);
  return () => listeners.delete(heard);
}

/** The time of the site at this moment, as far as it is known. */
export function siteClock(): number | null {
  const now = siteNow.get();
  return now === null ? null : now + (performance.now() - readAt) / 1000;
}

/** Whether the user may correct. */
export function mayEdit(): boolean {
  return me.get()?.role === 'editor';
}

/** What to call a person: the name, or the global id. */
export function nameOf(globalId: number): string {
  return names.get().get(globalId) ?? `Person ${globalId}`;
}

/** Ask who the user is, and follow the site from then on. */
export async function start(): Promise<void> {
  try {
    const answer = await get<Me>('me');
    me.set(answer);
    signedOut.set(false);
    problem.set(null);
    if (!started) {
      started = true;
      void poll();
      void readNames();
      if (answer.live) follow();
    }
  } catch (error) {
    problem.set(problemOf(error));
    if (!signedOut.get()) setTimeout(() => void start(), LATER_S * 1000);
  }
}

let started = false;
let readAt = 0;

async function poll(): Promise<void> {
  try {
    const [all, now] = await Promise.all([
      get<{ cameras: Camera[] }>('cameras'),
      get<{ now: number | null; identities: Person[] }>(
        `identities?last_s=${PRESENT_S}&limit=1000`,
      ),
    ]);
    cameras.set(all.cameras);
    people.set(now.identities);
    readAt = performance.now();
    siteNow.set(now.now);
    isKnown.set(true);
    problem.set(null);
  } catch (error) {
    problem.set(problemOf(error));
  }
  setTimeout(again, (problem.get() ? LATER_S : EVERY_S) * 1000);
}

function again(): void {
  if (document.hidden || signedOut.get()) setTimeout(again, 300);
  else void poll();
}

/** Read the names that people were given. */
export async function readNames(): Promise<void> {
  try {
    const { names: found } = await get<{ names: Record<string, string> }>('names');
    names.set(new Map(Object.entries(found).map(([id, name]) => [Number(id), name])));
  } catch {
    // Without names people are shown by their global ids.
  }
}

function follow(after = ''): void {
  const socket = new WebSocket(socketUrl(after ? `events?after=${after}` : 'events'));
  let last = after;
  socket.onmessage = ({ data }: MessageEvent<string>) => {
    const event = JSON.parse(data) as SiteEvent;
    last = event.id ?? last;
    if (event.type === 'correction') void readNames();
    for (const heard of [...listeners]) heard(event);
  };
  socket.onclose = () => setTimeout(() => follow(last), LATER_S * 1000);
}
