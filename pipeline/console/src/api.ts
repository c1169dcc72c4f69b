/** Requests to the API that serves this page. Paths are relative, so a proxy may add a prefix. */

import { signal } from './store';

/** A refused request: `detail` says why, `body` is the whole answer. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly body: Record<string, unknown> = {},
  ) {
    super(detail);
  }
}

/** Whether the last request was refused for want of a login. */
export const signedOut = signal(false);

export function get<T>(path: string, abort?: AbortSignal): Promise<T> {
  return send<T>(path, { signal: abort ?? null });
}

export function post<T>(path: string, body?: unknown, method = 'POST'): Promise<T> {
  if (body === undefined) return send<T>(path, { method });
  const headers = { 'Content-Type': 'application/json' };
  return send<T>(path, { method, headers, body: JSON.stringify(body) });
}

export async function send<T>(path: string, init: RequestInit): Promise<T> {
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path, { credentials: 'same-origin', ...init });
    // A request can be cancelled, and a connection end, while the answer is read.
    text = await answer.text();
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError(0, 'The server does not answer. Is it running, and the network up?');
  }
  const body = bodyOf(answer, text);
  if (answer.status === 401) signedOut.set(true);
  if (!answer.ok) throw new ApiError(answer.status, detailOf(answer, body), body);
  return body as T;
}

/** The address of a WebSocket of the API. */
export function socketUrl(path: string): string {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol.replace('http', 'ws');
  return url.href;
}

/** What to show of an error of a request; null for one that was only cancelled. */
export function problemOf(error: unknown): string | null {
  if (error instanceof DOMException && error.name === 'AbortError') return null;
  return error instanceof ApiError ? error.detail : String(error);
}

/** The body of an answer; an error may come from a proxy, as a page, and `logout` answers nothing. */
function bodyOf(answer: Response, text: string): Record<string, unknown> {
  if (text === '') return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    if (!answer.ok) return {};
    throw new ApiError(answer.status, 'The answer is not JSON. Does a proxy stand in between?');
  }
}

function detailOf(answer: Response, body: Record<string, unknown>): string {
  const detail = body['detail'];
  if (typeof detail === 'string') return detail;
  // FastAPI's answer to a value that does not fit.
  if (Array.isArray(detail) && detail[0]?.msg) return String(detail[0].msg);
  return `The server answered ${answer.status} ${answer.statusText}.`;
}
