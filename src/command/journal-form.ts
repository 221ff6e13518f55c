/**
 * What a write looks like in the journal, so that replay does later what its client was told now. Times of expiry become
 * absolute (a value that is to expire in a minute must not begin its minute when replay comes), and an entry of a stream
 * gets the id that its client knows. Everything else goes in as it came.
 *
 *   SET k v EX 60        →  SET k v PXAT 1789000060000
 *   SETEX k 60 v         →  SET k v PXAT 1789000060000
 *   EXPIRE k 60          →  PEXPIREAT k 1789000060000
 *   XADD s * f v         →  xAdd s 1789000000000-0 f v
 *
 * The odd letter case is the journal's memory of the star: Redis does not mind it, and no other id may be exchanged when
 * the upstream's stream turns out to be past it (a client that chose an id itself wants the error).
 */
import { splitArguments } from '../resp/arguments.js';
import { encodeCommand } from '../resp/encoder.js';
import { optionsOf } from './options.js';
import { COMMANDS } from './table.js';

type Arguments = readonly Buffer[];
type Words = readonly (string | Buffer)[];
/** The words to journal; null: as it came. */
type Rewrite = (args: Arguments, reply: Buffer, wallMs: number) => Words | null;

const REWRITES: Readonly<Record<string, Rewrite>> = {
  set: (args, _, wallMs) => withAbsoluteOption('set', args, wallMs),
  getex: (args, _, wallMs) => withAbsoluteOption('getex', args, wallMs),
  msetex: (args, _, wallMs) => withAbsoluteOption('msetex', args, wallMs),
  hsetex: (args, _, wallMs) => withAbsoluteOption('hsetex', args, wallMs),
  hgetex: (args, _, wallMs) => withAbsoluteOption('hgetex', args, wallMs),
  setex: ([, key, time, value], _, wallMs) => [
    'SET',
    key!,
    value!,
    'PXAT',
    later(time!, 1000n, wallMs),
  ],
  psetex: ([, key, time, value], _, wallMs) => [
    'SET',
    key!,
    value!,
    'PXAT',
    later(time!, 1n, wallMs),
  ],
  expire: (args, _, wallMs) => withAbsoluteTime('PEXPIREAT', args, 1000n, wallMs),
  pexpire: (args, _, wallMs) => withAbsoluteTime('PEXPIREAT', args, 1n, wallMs),
  hexpire: (args, _, wallMs) => withAbsoluteTime('HPEXPIREAT', args, 1000n, wallMs),
  hpexpire: (args, _, wallMs) => withAbsoluteTime('HPEXPIREAT', args, 1n, wallMs),
  xadd,
};

const BY_ID = COMMANDS.map(({ name }) => REWRITES[name] ?? null);

/** By id: 0 where the frame goes into the journal as it came, so that nobody need take it apart. */
export const NEEDS_JOURNAL_FORM = Uint8Array.from(BY_ID, (rewrite) => (rewrite === null ? 0 : 1));

/**
 * The frame to journal for the command `id` that the outage store answered with `reply` (no error) at `wallMs` (Unix
 * time). `args` are those of `frame`, null when nobody has split it yet. Returns `frame` itself when nothing is to be
 * changed; otherwise a frame of its own.
 */
export function journalForm(
  id: number,
  frame: Buffer,
  args: readonly Buffer[] | null,
  reply: Buffer,
  wallMs: number,
): Buffer {
  const rewrite = BY_ID[id]!;
  if (rewrite === null) return frame;
  const words = rewrite(args ?? splitArguments(frame), reply, wallMs);
  return words === null ? frame : encodeCommand(words);
}

/** What XADD is called in the journal when the outage store gave the id; these bytes are in a record or they are not. */
export const XADD_WITH_TOLD_ID = Buffer.from('xAdd');
const STAR = '*'.charCodeAt(0);
const BULK = '$'.charCodeAt(0);
const MINUS = '-'.charCodeAt(0);

/**
 * Where the id stands in a journaled XADD whose id was given by the outage store, and may therefore be exchanged for
 * another one; -1 for every other command: where a client chose the id, the upstream's error is the answer.
 */
export function toldIdAt(args: readonly Buffer[]): number {
  return args[0]!.equals(XADD_WITH_TOLD_ID) ? xaddIdAt(args) : -1;
}

/** Where the id stands in an XADD, behind its options. */
export function xaddIdAt(args: readonly Buffer[]): number {
  return optionsOf('xadd', args).end;
}

/** For replay, when the upstream's stream is already past a told id: the same with `*`. Null where `toldIdAt` is -1. */
export function xaddWithStar(frame: Buffer): Buffer | null {
  const args = splitArguments(frame);
  const position = toldIdAt(args);
  return position === -1 ? null : encodeCommand(replaced(args, position, '*').with(0, 'XADD'));
}

function xadd(args: Arguments, reply: Buffer): Words | null {
  const position = xaddIdAt(args);
  const asked = args[position]!;
  const isAsked = asked[asked.length - 1] === STAR;
  // With NOMKSTREAM the reply may be a null.
  if (isAsked && reply[0] === BULK && reply[1] !== MINUS)
    return replaced(args, position, splitBulk(reply)).with(0, XADD_WITH_TOLD_ID);
  return args[0]!.equals(XADD_WITH_TOLD_ID) ? replaced(args, 0, 'XADD') : null;
}

function splitBulk(reply: Buffer): Buffer {
  const start = reply.indexOf('\n') + 1;
  return reply.subarray(start, reply.length - 2);
}

/** The last expiry among the options is the only one: Redis refuses two. */
function withAbsoluteOption(syntax: string, args: Arguments, wallMs: number): Words | null {
  if (syntax === 'set' && args.length === 3) return null;
  const { at } = optionsOf(syntax, args);
  for (const [option, unit] of RELATIVE) {
    const position = at.get(option);
    if (position !== undefined) {
      return replaced(args, position, 'PXAT').with(
        position + 1,
        later(args[position + 1]!, unit, wallMs),
      );
    }
  }
  return null;
}

const RELATIVE = [
  ['EX', 1000n],
  ['PX', 1n],
] as const;

function withAbsoluteTime(name: string, args: Arguments, unit: bigint, wallMs: number): Words {
  return replaced(args, 0, name).with(2, later(args[2]!, unit, wallMs));
}

function replaced(args: Arguments, position: number, word: string | Buffer): (string | Buffer)[] {
  return (args as Words).with(position, word);
}

/** `time` was accepted by the outage store, so it is a number; exact also where doubles are not. */
function later(time: Buffer, unitMs: bigint, wallMs: number): string {
  return String(BigInt(time.toString('latin1')) * unitMs + BigInt(Math.trunc(wallMs)));
}
