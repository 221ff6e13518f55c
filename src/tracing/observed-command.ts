/**
 * What may be told about a command to a log or a trace: its name if it is one of the command table, how many keys it
 * names, sizes, times, and the code of an error. Never its arguments, nor the source of a script; the first key stands
 * here as bytes, and whoever shows it decides how.
 */
import { classify } from '../command/classify.js';
import { keysOf } from '../command/keys.js';
import { COMMANDS } from '../command/table.js';
import { splitArguments } from '../resp/arguments.js';
import type { SeenReply } from '../upstream/reply-watch.js';

/** `outage`: the outage store answered. */
export type ObservedRoute = 'shared' | 'pinned' | 'outage';

export interface ObservedCommand {
  /** In lower case; `other` for one that the table does not know, `unknown` for one that was too long to be kept. */
  readonly name: string;
  /** The first key that it names; a view. */
  readonly key: Buffer | null;
  /** How many keys it names, as far as its arguments tell. */
  readonly keys: number;
  readonly route: ObservedRoute;
  readonly db: number;
  /** From sending it to having its whole reply … */
  readonly durationMs: number;
  /** … of which this was spent waiting for the replies to earlier commands on its connection. */
  readonly behindMs: number;
  readonly requestBytes: number | null;
  /** The first word of an error, if Redis has it; `other` for one that it has not; null: no error. */
  readonly error: string | null;
}

const ASTERISK = 42;

/** What is to be told about the command that `reply` answers. */
export function observe(reply: SeenReply, isOutage: boolean): ObservedCommand {
  const { request, durationMs, servedMs, db, kind } = reply;
  return {
    ...nameAndKeys(request),
    route: isOutage ? 'outage' : kind,
    db,
    durationMs,
    behindMs: durationMs - servedMs,
    requestBytes: request?.length ?? null,
    error: reply.error === null ? null : errorCode(reply.error),
  };
}

function nameAndKeys(request: Buffer | null): Pick<ObservedCommand, 'name' | 'key' | 'keys'> {
  if (request?.[0] !== ASTERISK) return { name: 'unknown', key: null, keys: 0 };
  const args = splitArguments(request);
  const id = classify(args[0]!, 0, args[0]!.length);
  const keys = keysOf(id, args) ?? [];
  return { name: COMMANDS[id]!.name, key: keys[0] ?? null, keys: keys.length };
}

/** Codes that Redis has. A script may begin its own error with anything, which might be data. */
const ERROR_CODES: ReadonlySet<string> = new Set([
  ...[
    'ERR',
    'WRONGTYPE',
    'NOSCRIPT',
    'BUSY',
    'NOTBUSY',
    'UNKILLABLE',
    'OOM',
    'MISCONF',
    'READONLY',
  ],
  ...[
    'NOAUTH',
    'WRONGPASS',
    'NOPERM',
    'NOPROTO',
    'EXECABORT',
    'LOADING',
    'MASTERDOWN',
    'NOREPLICAS',
  ],
  ...['MOVED', 'ASK', 'CLUSTERDOWN', 'CROSSSLOT', 'TRYAGAIN', 'BUSYGROUP', 'NOGROUP', 'BUSYKEY'],
  ...['UNBLOCKED', 'INVALIDOBJ', 'IOERR', 'NOGOODSLAVE', 'INPROG', 'DENIED'],
]);
const LONGEST_CODE = 20;

function errorCode(error: Buffer): string {
  const [, word = ''] = /^-(\S+)/.exec(error.toString('latin1', 0, LONGEST_CODE)) ?? [];
  return ERROR_CODES.has(word) ? word : 'other';
}
