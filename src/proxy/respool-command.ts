/**
 * The command RESPOOL: what an operator asks and orders over any Redis client. Answered here, whatever the upstream does.
 * Errors and forms follow Redis' own container commands.
 */
import { cutRequests } from '../resp/cut-requests.js';
import { splitArguments } from '../resp/arguments.js';
import { encodeError, OK_REPLY } from '../resp/encoder.js';
import {
  encodeReply,
  SimpleString,
  type ReplyValue,
  type RespVersion,
} from '../resp/reply-encoder.js';
import { breakerFields, journalFields, statusFields } from './status-section.js';
import type { SidecarStatus } from './status.js';

/** What RESPOOL may see and do. Filled by the composition root. */
export interface Control {
  status(): SidecarStatus;
  /** Null where nothing can be away: the upstream is embedded. */
  readonly outage: OutageControl | null;
}

export interface OutageControl {
  /** Holds the breaker open or closed, or lets it decide again. */
  forceBreaker(to: 'open' | 'closed' | 'auto'): void;
  pauseReplay(): void;
  resumeReplay(): void;
  /** The oldest dead letters, oldest first, at most `limit`. */
  deadLetters(limit: number): readonly DeadLetterView[];
}

/** What the journal keeps of a dead letter, as far as it is shown. */
export interface DeadLetterView {
  readonly id: number;
  readonly seq: number;
  readonly wallMs: number;
  readonly db: number;
  readonly reason: string;
  /** Request frames, back to back. */
  readonly bytes: Buffer;
}

const HELP = [
  'RESPOOL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'STATUS',
  "    Show the sidecar's condition, breaker, journal and replay.",
  'BREAKER [OPEN|CLOSE|AUTO]',
  '    Show the breaker; hold it open or closed, or let it decide again.',
  'JOURNAL [LEN|PAUSE|RESUME]',
  '    Show the journal; the number of its records; stop replaying it, and go on.',
  'DEADLETTERS [<count>]',
  '    Show the oldest journaled commands that the upstream refused (default: 10).',
  'HELP',
  '    Print this help.',
];

const FORCES: ReadonlyMap<string, 'open' | 'closed' | 'auto'> = new Map([
  ['open', 'open'],
  ['close', 'closed'],
  ['auto', 'auto'],
]);

const EMBEDDED = encodeError('ERR the upstream is embedded: it has no breaker and no journal');
const SYNTAX_ERROR = encodeError('ERR syntax error');
const NOT_AN_INTEGER = encodeError('ERR value is not an integer or out of range');
const DEFAULT_DEAD_LETTERS = 10;

/** It shows nobody's data and changes nothing. */
export function isHarmlessRespool(args: readonly Buffer[]): boolean {
  const name = args[1]?.toString('latin1').toLowerCase();
  return name === undefined || name === 'help' || name === 'status';
}

/** The reply to `RESPOOL …`; `args` as they came, the command's name first. */
export function answerRespool(
  args: readonly Buffer[],
  control: Control,
  resp: RespVersion,
): Buffer {
  const [, subcommand, argument] = args.map((one) => one.toString('latin1'));
  if (subcommand === undefined) return wrongArity('respool');
  const name = subcommand.toLowerCase();
  const most = MOST_ARGUMENTS.get(name);
  if (most === undefined) return unknownSubcommand(subcommand);
  if (args.length > most) return wrongArity(`respool|${name}`);
  const answer = new Answer(control, resp);
  switch (name) {
    case 'status':
      return encodeReply(statusFields(control.status()), resp);
    case 'breaker':
      return answer.breaker(argument);
    case 'journal':
      return answer.journal(argument);
    case 'deadletters':
      return answer.deadLetters(argument);
    default:
      return encodeReply(
        HELP.map((line) => new SimpleString(line)),
        resp,
      );
  }
}

/** By subcommand, RESPOOL and itself included. */
const MOST_ARGUMENTS: ReadonlyMap<string, number> = new Map([
  ['help', 2],
  ['status', 2],
  ['breaker', 3],
  ['journal', 3],
  ['deadletters', 3],
]);

class Answer {
  constructor(
    private readonly control: Control,
    private readonly resp: RespVersion,
  ) {}

  breaker(argument: string | undefined): Buffer {
    const { control, resp } = this;
    if (argument === undefined) return encodeReply(breakerFields(control.status()), resp);
    const to = FORCES.get(argument.toLowerCase());
    if (to === undefined) return SYNTAX_ERROR;
    return this.order((outage) => outage.forceBreaker(to));
  }

  journal(argument: string | undefined): Buffer {
    const { control, resp } = this;
    switch (argument?.toLowerCase()) {
      case undefined:
        return encodeReply(journalFields(control.status()), resp);
      case 'len':
        return encodeReply(control.status().journal.records, resp);
      case 'pause':
        return this.order((outage) => outage.pauseReplay());
      case 'resume':
        return this.order((outage) => outage.resumeReplay());
      default:
        return SYNTAX_ERROR;
    }
  }

  deadLetters(argument: string | undefined): Buffer {
    if (argument !== undefined && !/^\d{1,9}$/.test(argument)) return NOT_AN_INTEGER;
    const limit = Number(argument ?? DEFAULT_DEAD_LETTERS);
    const letters = this.control.outage?.deadLetters(limit) ?? [];
    return encodeReply(letters.map(showDeadLetter), this.resp);
  }

  private order(what: (outage: OutageControl) => void): Buffer {
    const { outage } = this.control;
    if (outage === null) return EMBEDDED;
    what(outage);
    return OK_REPLY;
  }
}

function showDeadLetter(letter: DeadLetterView): ReplyValue {
  const { id, seq, wallMs, db, reason, bytes } = letter;
  return new Map<string, ReplyValue>([
    ['id', id],
    ['seq', seq],
    ['time', new Date(wallMs).toISOString()],
    ['db', db],
    ['reason', reason],
    ['commands', shorten(cutRequests(bytes), showCommand, 'commands')],
  ]);
}

// As SLOWLOG GET does it, so that a letter of megabytes can be looked at.
const MOST_SHOWN = 32;
const LONGEST_SHOWN_BYTES = 128;

function showCommand(frame: Buffer): ReplyValue {
  return shorten(splitArguments(frame), showArgument, 'arguments');
}

function showArgument(argument: Buffer): ReplyValue {
  const over = argument.length - LONGEST_SHOWN_BYTES;
  if (over <= 0) return argument;
  const note = Buffer.from(`... (${over} more bytes)`);
  return Buffer.concat([argument.subarray(0, LONGEST_SHOWN_BYTES), note]);
}

function shorten(
  items: readonly Buffer[],
  show: (item: Buffer) => ReplyValue,
  noun: string,
): ReplyValue[] {
  if (items.length <= MOST_SHOWN) return items.map(show);
  const shown = items.slice(0, MOST_SHOWN - 1).map(show);
  return [...shown, `... (${items.length - shown.length} more ${noun})`];
}

function wrongArity(name: string): Buffer {
  return encodeError(`ERR wrong number of arguments for '${name}' command`);
}

/** Redis: `addReplySubcommandSyntaxError`, which shows at most 128 characters of what it got. */
function unknownSubcommand(subcommand: string): Buffer {
  return encodeError(`ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try RESPOOL HELP.`);
}
