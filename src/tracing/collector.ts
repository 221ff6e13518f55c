/** The collector of spans, over HTTP: one request at a time, each ended by its own deadline, its answer bounded. */
import type { Clock } from '../base/clock.js';
import type { Delivery } from './span-queue.js';

const TIMEOUT_MS = 5000;
/** Nothing of the answer but its status is used. It is read so far only so that its connection can be used again. */
const MAX_ANSWER_BYTES = 64 * 1024;
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
    await skip(response.body);
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

async function skip(body: AsyncIterable<Uint8Array> | null): Promise<void> {
  if (body === null) return;
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    // Leaving the loop closes the connection.
    if (bytes > MAX_ANSWER_BYTES) return;
  }
}

/** `fetch` says that it failed, and its cause says why. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error && cause.message !== '' ? cause.message : message;
}
