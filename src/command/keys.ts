/**
 * The keys that a command names, found by the column "keys" of the command table:
 *
 *   -        none
 *   1        the first argument                    1+2     the first and the second
 *   1..      from the first to the last            1..-2   to the last but one
 *   1../2    every second one from the first on
 *   #1       the first says how many follow it     1+#2    one more, before the number
 *   #1/2     the first says how many pairs follow it, each of a key and a value
 *   ?        cannot be told from the arguments: all of them, or any
 *
 * Equals COMMAND GETKEYS, except where a command reaches keys that it does not name (SORT … BY, GET): null, too.
 */
import { countAt, hasAny, optionsOf, wordAt } from './options.js';
import { COMMANDS } from './table.js';

type Arguments = readonly Buffer[];
/** Null: it cannot be told. */
type Keys = readonly Buffer[] | null;
type Finder = (args: Arguments) => Keys;

const STAR = '*'.charCodeAt(0);

/**
 * The keys named by the command `id` called with `args` (the name first), in their order, as views; null when that cannot
 * be told from the arguments (KEYS, SCAN, an unknown command, one that Redis will not understand). Scripts may reach
 * keys that they do not name, against the rules of Redis.
 */
export function keysOf(id: number, args: readonly Buffer[]): readonly Buffer[] | null {
  return FINDERS[id]!(args);
}

/** By id: 1 where the command may name keys. */
export const MAY_NAME_KEYS = Uint8Array.from(COMMANDS, ({ keys }) => (keys === '-' ? 0 : 1));

const SPECIAL: Readonly<Record<string, Finder>> = {
  georadius: (args) => withDestinations('georadius', args),
  georadiusbymember: (args) => withDestinations('georadiusbymember', args),
  sort: sortKeys,
  sort_ro: sortKeys,
  migrate: migrateKeys,
  xread: (args) => streamKeys('xread', args),
  xreadgroup: (args) => streamKeys('xreadgroup', args),
};

const FINDERS: readonly Finder[] = COMMANDS.map(({ name, keys }) =>
  keys === 'by-argument' ? SPECIAL[name]! : finderOf(keys),
);

function finderOf(notation: string): Finder {
  if (notation === '-') return () => [];
  if (notation === '?') return () => null;
  const [, leading, counted, ranged] =
    /^(?:(\d(?:\+\d)*)|(?:\d\+)?(#\d(?:\/\d)?)|(\d\.\.(?:-\d)?(?:\/\d)?))$/.exec(notation) ?? [];
  if (counted !== undefined) return countedKeys(notation, counted);
  if (ranged !== undefined) return rangedKeys(ranged);
  if (leading === undefined) throw new Error(`the command table has no keys "${notation}"`);
  const positions = leading.split('+').map(Number);
  if (positions.length === 1) return (args) => args.slice(positions[0], positions[0]! + 1);
  return (args) => positions.filter((at) => at < args.length).map((at) => args[at]!);
}

function rangedKeys(notation: string): Finder {
  const [, from, last = '-1', step = '1'] = /^(\d)\.\.(-\d)?(?:\/(\d))?$/.exec(notation)!;
  const behind = Number(last) + 1;
  return (args) => everyNth(args.slice(Number(from), args.length + behind), Number(step));
}

function countedKeys(notation: string, counted: string): Finder {
  const [, at, step = '1'] = /^#(\d)(?:\/(\d))?$/.exec(counted)!;
  const first = notation === counted ? null : Number(notation.split('+')[0]);
  return (args) => {
    const start = Number(at) + 1;
    const end = start + countAt(args, Number(at)) * Number(step);
    if (Number.isNaN(end) || end > args.length) return null;
    const keys = everyNth(args.slice(start, end), Number(step));
    return first === null ? keys : [args[first]!, ...keys];
  };
}

function everyNth(args: Arguments, step: number): Arguments {
  return step === 1 ? args : args.filter((_, index) => index % step === 0);
}

/** `… STREAMS key key id id`. */
function streamKeys(syntax: 'xread' | 'xreadgroup', args: Arguments): Keys {
  const { end } = optionsOf(syntax, args);
  const words = args.length - end - 1;
  if (wordAt(args, end) !== 'STREAMS' || words < 2 || words % 2 !== 0) return null;
  return args.slice(end + 1, end + 1 + words / 2);
}

/** The first argument, and those behind STORE and STOREDIST. */
function withDestinations(
  syntax: 'sort' | 'georadius' | 'georadiusbymember',
  args: Arguments,
): Keys {
  const { at, end } = optionsOf(syntax, args);
  if (end !== args.length) return null;
  const stores = [at.get('STORE'), at.get('STOREDIST')].filter((store) => store !== undefined);
  return [1, ...stores.map((store) => store + 1)].flatMap((index) => args.slice(index, index + 1));
}

/** SORT looks at other keys, made from a pattern and each element; a pattern without a star is none. */
function sortKeys(args: Arguments): Keys {
  const options = optionsOf('sort', args);
  if (hasAny(options, 'GET')) return null;
  const by = options.at.get('BY');
  if (by !== undefined && args[by + 1]?.includes(STAR) !== false) return null;
  return withDestinations('sort', args);
}

/** `MIGRATE host port key db timeout`, or an empty key and `KEYS key …` at the end. */
function migrateKeys(args: Arguments): Keys {
  const { end } = optionsOf('migrate', args);
  if (wordAt(args, end) === 'KEYS' && args[3]?.length === 0) return args.slice(end + 1);
  return end < args.length ? null : args.slice(3, 4);
}
