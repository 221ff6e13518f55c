/** A stream that never opens: what a transport returns when it knows at once that there is nobody to talk to. */
import type { ByteStream, ByteStreamHandlers } from '../base/byte-stream.js';
import type { Clock } from '../base/clock.js';

/** Calls `onClose(cause)` on the event loop, once; every method does nothing. */
export function closedStream(handlers: ByteStreamHandlers, cause: Error, clock: Clock): ByteStream {
  clock.endOfTick(() => handlers.onClose(cause));
  return { pendingBytes: 0, write: () => true, pause() {}, resume() {}, end() {}, reset() {} };
}
