/** Feeds the reply framer chunk by chunk, as an upstream connection does, and notes where frames end. */
import { ReplyFramer, ReplyProtocolError } from '../../src/resp/reply-framer.js';

export interface ReplyReading {
  /** Offset behind each frame, replies and pushes. */
  readonly ends: readonly number[];
  /** Type byte of each frame. */
  readonly types: string;
  readonly error: string | null;
  /** How many bytes had been given when the error was found; 0 without one. */
  readonly errorAt: number;
  readonly isInFrame: boolean;
}

/** Frame by frame, as the client of a kept connection is served. */
export function readFrames(chunks: readonly Buffer[]): ReplyReading {
  const framer = new ReplyFramer();
  const ends: number[] = [];
  let types = '';
  let base = 0;
  for (const chunk of chunks) {
    for (let pos = 0; pos < chunk.length;) {
      try {
        pos = framer.scanFrame(chunk, pos, chunk.length);
      } catch (problem) {
        return { ends, types, ...failure(problem), errorAt: base + chunk.length };
      }
      if (framer.isInFrame) continue;
      ends.push(base + pos);
      types += String.fromCharCode(framer.frameType);
    }
    base += chunk.length;
  }
  return { ends, types, error: null, errorAt: 0, isInFrame: framer.isInFrame };
}

/** Up to `limit` replies at a time, as lanes are served: where each scan stopped with its last reply, and how many. */
export function countReplies(
  chunks: readonly Buffer[],
  limit: number,
): { replies: number; lastEnd: number; error: string | null; unfinishedBytes: number } {
  const framer = new ReplyFramer();
  let replies = 0;
  let lastEnd = 0;
  let base = 0;
  for (const chunk of chunks) {
    for (let pos = 0; pos < chunk.length;) {
      try {
        pos = framer.scan(chunk, pos, chunk.length, limit);
      } catch (problem) {
        return { replies, lastEnd, error: failure(problem).error, unfinishedBytes: 0 };
      }
      replies += framer.completed;
      if (framer.completed === limit) lastEnd = base + pos;
    }
    base += chunk.length;
  }
  return { replies, lastEnd, error: null, unfinishedBytes: framer.unfinishedBytes };
}

/** Anything but a protocol error is a fault of the framer. */
function failure(problem: unknown): { error: string; isInFrame: boolean } {
  if (!(problem instanceof ReplyProtocolError)) throw problem;
  return { error: problem.message, isInFrame: false };
}
