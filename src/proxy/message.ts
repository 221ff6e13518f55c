/** Tells what an upstream sends by itself from what it was asked for. */
import { PUSH_TYPE } from '../resp/reply-framer.js';

const ARRAY_TYPE = 42; // '*'
const STATUS_TYPE = 43; // '+'
const KINDS = /^\*\d+\r\n\$\d+\r\n(?:[ps]?message|[ps]?subscribe|[ps]?unsubscribe)\r\n/;
/** As much of a frame as must be seen to tell what it is. */
export const MESSAGE_HEAD_BYTES = 40;

/**
 * Whether the frame that begins at `start` answers no command: a push, or, for a RESP2 subscriber, an array of a
 * message's shape. MONITOR's lines are status replies with a time stamp.
 */
export function isMessage(
  chunk: Buffer,
  start: number,
  end: number,
  isSubscriber: boolean,
): boolean {
  const type = chunk[start];
  if (type === PUSH_TYPE) return true;
  if (type === STATUS_TYPE)
    return /^\+\d+\.\d+ \[/.test(chunk.toString('latin1', start, Math.min(end, start + 24)));
  if (type !== ARRAY_TYPE || !isSubscriber) return false;
  return KINDS.test(chunk.toString('latin1', start, Math.min(end, start + MESSAGE_HEAD_BYTES)));
}
