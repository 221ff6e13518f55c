/**
 * What a command is, in one table: the only place that knows commands by name. Everything else asks for a column.
 * The position of a name is its id; id 0 stands for every name that is not in the table (a module's, a typing error).
 *
 * The rows are written as text in `keyspace-commands.ts` and `server-commands.ts`, one line per command:
 *
 *   command    outage       repeated     keys     on the connection, pace
 *   get        read         reads        1
 *   blpop      wait         differs      1..-2    blocking
 *   sort       by-argument  by-argument  by-argument  slow
 *
 * `by-argument` in a column: the arguments decide, in the file that answers for the column.
 */
import { KEYSPACE_COMMANDS } from './keyspace-commands.js';
import { SERVER_COMMANDS } from './server-commands.js';

/**
 * What becomes of a command while the upstream is away (SEMANTICS §1); `outageClassOf` decides by arguments:
 * - `read` answered by the outage store.
 * - `buffer` applied to the outage store, journaled, then answered with the store's reply.
 * - `refuse` only the real data can answer it.
 * - `wait` held for as long as the client itself would wait.
 * - `local` answered as Redis would, for it concerns nobody's data.
 * - `drop` applied to the outage store and not journaled; never in the table, only by a rule of the operator.
 */
export type OutageClass = (typeof OUTAGE_WORDS)[number] | 'drop';
const OUTAGE_WORDS = ['read', 'buffer', 'refuse', 'wait', 'local'] as const;

/**
 * What a second run would do that nobody asked for (I5); `isRead` and `isRepeatable` decide by arguments:
 * - `reads` it changes nothing.
 * - `same` it leaves Redis as one run leaves it, and nobody branches on its reply.
 * - `differs` it changes more than one run, or its reply would tell its client something untrue.
 */
export type Repeated = (typeof REPEATED_WORDS)[number];
const REPEATED_WORDS = ['reads', 'same', 'differs'] as const;

/**
 * What a command does to the connection that it runs on:
 * - `none` nothing: it may share a connection with other clients. Not written in the rows.
 * - `multi` … `unwatch` the transaction it opens, runs, drops or guards.
 * - `blocking` it waits for something to happen, and would make everybody behind it wait too.
 * - `wait` it blocks too, and speaks of the writes of its own connection (WAIT).
 * - `apart` it may disturb whoever shares its connection, for as long as it runs.
 * - `urgent` it must get through while the upstream is busy with a script, whatever the client's settings.
 * - `auth` `hello` `select` `name` `library` a setting that must be re-applied on any other connection; true once the
 *   upstream has said so.
 * - `tied` it speaks of its connection, or leaves something on it, and is answered like anything else: the client has the
 *   connection to itself from then on.
 * - `subscribe` `monitor` `sticky` from here on it is not one reply for each command: the client keeps the connection.
 * - `replicate` from here on the upstream speaks the replication protocol, which is not RESP.
 * - `quit` `reset` `hang-up` the end of the connection or of its state (`hang-up`: HTTP that strayed here: Redis hangs up
 *   on it so that a web page cannot talk to it, `securityWarningCommand`).
 * - `own` the sidecar's own command; no upstream knows it.
 */
export type SessionEffect = (typeof EFFECT_WORDS)[number];
const EFFECT_WORDS = [
  ...([
    'none',
    'multi',
    'exec',
    'discard',
    'watch',
    'unwatch',
    'blocking',
    'wait',
    'apart',
  ] as const),
  ...(['urgent', 'auth', 'hello', 'select', 'name', 'library', 'subscribe', 'monitor'] as const),
  ...(['tied', 'sticky', 'replicate', 'quit', 'reset', 'hang-up', 'own'] as const),
] as const;

/** `slow` commands may rightly keep the upstream busy for long: silence meanwhile does not mean that it is gone. */
export type Pace = 'quick' | 'slow';

export interface CommandSpec {
  /** Lower case. */
  readonly name: string;
  readonly effect: SessionEffect | 'by-argument';
  readonly pace: Pace;
  readonly outage: Exclude<OutageClass, 'drop'> | 'by-argument';
  readonly repeated: Repeated | 'by-argument';
  /** Where its keys stand, in the notation that `keys.ts` explains and reads. */
  readonly keys: string;
}

/** A command nobody knows may do anything, also to its connection; it gets one to itself. */
const OTHER = '  other                 refuse       differs      ?            apart';

/** By id. */
export const COMMANDS: readonly CommandSpec[] = [OTHER, KEYSPACE_COMMANDS, SERVER_COMMANDS]
  .flatMap((rows) => rows.split('\n'))
  .map((row) => row.trim())
  .filter((row) => row !== '' && !row.startsWith('#'))
  .map(specOf);

/** By id; index 0 is `other`. The bounded set of values of the label `command`. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map((command) => command.name);

export const OTHER_COMMAND = 0;

function specOf(row: string): CommandSpec {
  const [name = '', outage = '', repeated = '', keys = '', ...rest] = row.split(/\s+/);
  const effect = wordOf(EFFECT_WORDS, rest.find((word) => word !== 'slow') ?? 'none', row);
  return {
    name,
    effect,
    // What runs apart may take its time (DEBUG SLEEP).
    pace: rest.includes('slow') || effect === 'apart' ? 'slow' : 'quick',
    outage: wordOf(OUTAGE_WORDS, outage, row),
    repeated: wordOf(REPEATED_WORDS, repeated, row),
    keys,
  };
}

function wordOf<const T extends string>(
  words: readonly T[],
  word: string,
  row: string,
): T | 'by-argument' {
  if (word === 'by-argument') return word;
  const known = words.find((one) => one === word);
  if (known === undefined) throw new Error(`the command table has no word "${word}": ${row}`);
  return known;
}
