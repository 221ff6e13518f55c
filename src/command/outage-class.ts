/**
 * The column "outage" of the command table, where the arguments decide. The rule behind every line (SEMANTICS §1): a write
 * may be taken in when its effect does not depend on what is already there, or nobody branches on its reply; what asks
 * the real data a question is refused, for the outage store would answer it from an empty one. An option that is not
 * known may be a question: refused, too.
 */
import { blockOptionAt } from './blocking-timeout.js';
import { subcommand } from './effect.js';
import { hasAny, optionsOf, wordAt } from './options.js';
import { COMMANDS, type OutageClass } from './table.js';

export type { OutageClass } from './table.js';

/** By id: the class whatever the arguments are, or that they decide. */
export const OUTAGE_CLASSES: readonly (OutageClass | 'by-argument')[] = COMMANDS.map(
  ({ outage }) => outage,
);

type Arguments = readonly Buffer[];

/** How the arguments of one command decide, and the same in words. */
interface Decision {
  readonly decide: (args: Arguments) => OutageClass;
  readonly inWords: string;
}

const EXPIRE: Decision = {
  decide: (args) => bufferedUnless(hasMore('expire', args)),
  inWords: 'buffer; with NX, XX, GT or LT refuse',
};
const HEXPIRE: Decision = {
  decide: (args) => bufferedUnless(hasAny(optionsOf('hexpire', args), 'NX', 'XX', 'GT', 'LT')),
  inWords: EXPIRE.inWords,
};

/** CLIENT subcommands that speak only of the client's own connection. */
const OWN_CONNECTION: ReadonlySet<string> = new Set([
  ...['setname', 'getname', 'setinfo', 'id', 'info', 'list', 'no-evict', 'no-touch', 'capa'],
  ...['help', 'trackinginfo', 'getredir'],
]);

/** By name: every command whose row says `by-argument`. */
const DECISIONS: Readonly<Record<string, Decision>> = {
  set: {
    // KEEPTTL would give a value for ever whose key expires upstream before replay.
    decide: (args) => bufferedUnless(args.length !== 3 && asks('set', args)),
    inWords: 'buffer; with NX, XX, GET, KEEPTTL or a comparison refuse',
  },
  msetex: {
    decide: (args) => bufferedUnless(asks('msetex', args)),
    inWords: 'buffer; with NX, XX or KEEPTTL refuse',
  },
  hsetex: {
    decide: (args) => bufferedUnless(asks('hsetex', args)),
    inWords: 'buffer; with NX, XX, FNX, FXX or KEEPTTL refuse',
  },
  bitfield: { decide: bitfield, inWords: 'of GET alone read, of SET alone buffer; else refuse' },
  expire: EXPIRE,
  expireat: EXPIRE,
  pexpire: EXPIRE,
  pexpireat: EXPIRE,
  hexpire: HEXPIRE,
  hexpireat: HEXPIRE,
  hpexpire: HEXPIRE,
  hpexpireat: HEXPIRE,
  zadd: {
    decide: (args) =>
      bufferedUnless(hasAny(optionsOf('zadd', args), 'NX', 'XX', 'GT', 'LT', 'INCR')),
    inWords: 'buffer; with NX, XX, GT, LT or INCR refuse',
  },
  geoadd: {
    decide: (args) => bufferedUnless(hasAny(optionsOf('geoadd', args), 'NX', 'XX')),
    inWords: 'buffer; with NX or XX refuse',
  },
  georadius: {
    decide: (args) => readUnlessStored('georadius', args),
    inWords: 'read; with STORE refuse',
  },
  georadiusbymember: {
    decide: (args) => readUnlessStored('georadiusbymember', args),
    inWords: 'read; with STORE refuse',
  },
  sort: { decide: (args) => readUnlessStored('sort', args), inWords: 'read; with STORE refuse' },
  xadd: {
    decide: (args) =>
      bufferedUnless(hasAny(optionsOf('xadd', args), 'NOMKSTREAM', 'IDMP', 'IDMPAUTO')),
    inWords: 'buffer; with NOMKSTREAM, IDMP or IDMPAUTO refuse',
  },
  xread: {
    decide: (args) => (blockOptionAt(args) === -1 ? 'read' : 'wait'),
    inWords: 'read; with BLOCK wait',
  },
  xreadgroup: {
    decide: xreadgroup,
    inWords: 'of new entries only (>) wait; of the history refuse',
  },
  client: {
    decide: (args) => (OWN_CONNECTION.has(subcommand(args)) ? 'local' : 'refuse'),
    inWords: `${[...OWN_CONNECTION].map((word) => word.toUpperCase()).join(', ')} local; else refuse`,
  },
  memory: {
    decide: (args) => (subcommand(args) === 'usage' ? 'read' : 'refuse'),
    inWords: 'USAGE read; else refuse',
  },
};

const DECIDERS = COMMANDS.map(({ name, outage }) =>
  outage === 'by-argument' ? DECISIONS[name]!.decide : () => outage,
);

/** The class of the command `id` called with `args` (the name first), in any number. */
export function outageClassOf(id: number, args: Arguments): OutageClass {
  return DECIDERS[id]!(args);
}

/** The column for people: `buffer`, or which arguments make it what. */
export function describeOutageClass(id: number): string {
  const { name, outage } = COMMANDS[id]!;
  return outage === 'by-argument' ? DECISIONS[name]!.inWords : outage;
}

function bufferedUnless(isQuestion: boolean): OutageClass {
  return isQuestion ? 'refuse' : 'buffer';
}

/** Anything but a time of expiry among the options. */
function asks(syntax: 'set' | 'msetex' | 'hsetex', args: Arguments): boolean {
  const { at, end } = optionsOf(syntax, args);
  return end !== args.length || [...at.keys()].some((name) => !EXPIRY.has(name));
}

const EXPIRY: ReadonlySet<string> = new Set(['EX', 'PX', 'EXAT', 'PXAT']);

function hasMore(syntax: 'expire', args: Arguments): boolean {
  const { at, end } = optionsOf(syntax, args);
  return at.size > 0 || end < args.length;
}

function readUnlessStored(
  syntax: 'sort' | 'georadius' | 'georadiusbymember',
  args: Arguments,
): OutageClass {
  return hasAny(optionsOf(syntax, args), 'STORE', 'STOREDIST') ? 'refuse' : 'read';
}

function bitfield(args: Arguments): OutageClass {
  const operations = optionsOf('bitfield', args);
  if (operations.end !== args.length || hasAny(operations, 'INCRBY')) return 'refuse';
  if (!hasAny(operations, 'SET')) return 'read';
  return bufferedUnless(hasAny(operations, 'GET'));
}

/** New entries arrive with the upstream; what a consumer already has, only the upstream knows. */
function xreadgroup(args: Arguments): OutageClass {
  const { end } = optionsOf('xreadgroup', args);
  if (wordAt(args, end) !== 'STREAMS') return 'refuse';
  const ids = args.slice(end + 1 + (args.length - end - 1) / 2);
  return ids.length > 0 && ids.every((id) => id.length === 1 && id[0] === NEW) ? 'wait' : 'refuse';
}

const NEW = '>'.charCodeAt(0);
