/**
 * Feeds the request framer as `downstream/connection` does, in its two ways: an unfinished frame is collected, or what
 * is understood of it is passed on and only the rest is kept.
 */
import {
  COMMAND,
  INLINE,
  NEED_MORE,
  PROTOCOL_ERROR,
  RequestFramer,
} from '../../src/resp/request-framer.js';
import type { RequestFrame, RequestLimits, RequestReading } from './request-model.js';

export type Keeping = 'collect' | 'pass-on';

/** The largest number of bytes that had to be kept between chunks is given to `kept`, where that matters. */
export function readRequests(
  chunks: readonly Buffer[],
  { maxBulkBytes, authenticated }: RequestLimits,
  keeping: Keeping = 'collect',
  kept: (bytes: number) => void = () => undefined,
): RequestReading {
  const framer = new RequestFramer(maxBulkBytes);
  framer.authenticated = authenticated;
  const frames: RequestFrame[] = [];
  let tail = Buffer.alloc(0);
  let tailAt = 0;
  let name = '';
  for (const chunk of chunks) {
    const buffer = tail.length === 0 ? chunk : Buffer.concat([tail, chunk]);
    let pos = 0;
    while (pos < buffer.length) {
      const found = framer.next(buffer, pos, buffer.length);
      if (found === PROTOCOL_ERROR) {
        return { frames, error: framer.error, errorAt: tailAt + buffer.length };
      }
      const nameEnd = framer.nameStart + framer.nameBytes;
      const isArray = found === COMMAND || framer.isInFrame;
      if (isArray && framer.nameIsKnown && name === '') {
        name = buffer.toString('latin1', framer.nameStart, nameEnd);
      }
      if (found === NEED_MORE) break;
      const kind = found === COMMAND ? 'command' : found === INLINE ? 'inline' : 'empty';
      frames.push({ kind, end: tailAt + framer.frameEnd, name: kind === 'command' ? name : '' });
      name = '';
      pos = framer.frameEnd;
    }
    if (keeping === 'pass-on' && pos < buffer.length && framer.isInFrame) {
      const understood = Math.min(framer.scannedBytes, buffer.length - pos);
      framer.dropped(understood);
      pos += understood;
    }
    tail = Buffer.from(buffer.subarray(pos));
    tailAt += pos;
    kept(tail.length);
  }
  return { frames, error: null, errorAt: 0 };
}
