/** The collector of spans, over HTTP: one request at a time, each ended by its own deadline. */
import type { Clock } from '../base/clock.js';
import type { Delivery } from './span-queue.js';

const TIMEOUT_MS = 5000;
const JSON_HEADERS = { 'content-type': 'application/json' } as const;
/** What OTLP/HTTP says when the same request may be taken another time. */
const COME_BACK: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Hands `body` to whoever answers `url`. Never rejects. */
export async function postTo(url: string, body: string, clock: Clock): Promise<Delivery> {
  const abort = new AbortController();
  const deadline = clock.after(TIMEOUT_MS, () => abort.abort());
  try {
    const { signal } = abort;
    const request = { method: 'POST', headers: JSON_HEADERS, body, signal } as const;
    const response = await fetch(url, { ...request, redirect: 'error' });
    await response.arrayBuffer();
    if (response.ok) return 'taken';
    const why = `it answered ${response.status}`;
    return { is: COME_BACK.has(response.status) ? 'away' : 'refused', why };
  } catch (error) {
    if (abort.signal.aborted) return { is: 'away', why: `no answer within ${TIMEOUT_MS} ms` };
    return { is: 'away', why: reasonOf(error) };
  } finally {
    deadline.cancel();
  }
}

/** `fetch` says that it failed, and its cause says why. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
