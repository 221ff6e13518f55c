/** Where a blocking command carries its timeout, and the same command with another one. */
import { encodeCommand } from '../resp/encoder.js';

export interface BlockingTimeout {
  /** Milliseconds; 0 waits for ever. */
  readonly ms: number;
  /** The command with `ms` left to wait. */
  withTimeout(ms: number): Buffer;
}

const SECONDS_LAST = new Set(['blpop', 'brpop', 'brpoplpush', 'blmove', 'bzpopmin', 'bzpopmax']);
const SECONDS_FIRST = new Set(['blmpop', 'bzmpop']);
const STREAM_READS = new Set(['xread', 'xreadgroup']);
/** One more than the letters of STREAMS, so that no longer word looks like an option. */
const LONGEST_OPTION = 8;

/** Null when this is no command that waits for data, or its timeout is none: the upstream will say so. */
export function blockingTimeoutOf(args: readonly Buffer[]): BlockingTimeout | null {
  const name = args[0]!.toString('latin1').toLowerCase();
  if (SECONDS_LAST.has(name)) return timeoutAt(args, args.length - 1, 1000);
  if (SECONDS_FIRST.has(name)) return timeoutAt(args, 1, 1000);
  const block = STREAM_READS.has(name) ? blockOptionAt(args) : -1;
  return block === -1 ? null : timeoutAt(args, block + 1, 1);
}

/**
 * Where BLOCK stands among the options of XREAD or XREADGROUP, which end with STREAMS; -1 when it does not, and they do
 * not wait. Groups, consumers and keys may be called BLOCK or STREAMS as well.
 */
export function blockOptionAt(args: readonly Buffer[]): number {
  for (let index = 1; index < args.length; index += 1) {
    switch (args[index]!.toString('latin1', 0, LONGEST_OPTION).toLowerCase()) {
      case 'block':
        return index;
      case 'streams':
        return -1;
      case 'count':
        index += 1;
        break;
      case 'group':
        index += 2;
        break;
    }
  }
  return -1;
}

function timeoutAt(args: readonly Buffer[], index: number, unitMs: number): BlockingTimeout | null {
  const text = args[index]?.toString('latin1') ?? '';
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) return null;
  return {
    ms: value * unitMs,
    withTimeout: (ms) => {
      const left = unitMs === 1 ? String(Math.ceil(ms)) : (ms / unitMs).toFixed(3);
      return encodeCommand(args.map((argument, at) => (at === index ? left : argument)));
    },
  };
}
