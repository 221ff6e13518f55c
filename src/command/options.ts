/**
 * The options of a command, found as Redis finds them: words in any case, each followed by as many arguments as it takes,
 * up to the first word that is none. Knows where they stand and how long they are; what they mean is for the columns.
 */

/** The options of one call. Names are upper case. */
export interface Options {
  /** Where each one stands that was given; of one that was given twice, the last. */
  readonly at: ReadonlyMap<string, number>;
  /** The first argument that is no option; as many as there are arguments when all of them are. */
  readonly end: number;
}

/** By name, how many arguments follow it. */
type Grammar = Readonly<Record<string, number>>;

/** MAXLEN and MINID: a number, with `=` or `~` before it or without. */
const THRESHOLD = -1;

const EXPIRY: Grammar = { EX: 1, PX: 1, EXAT: 1, PXAT: 1 };
const COMPARISON: Grammar = { IFEQ: 1, IFNE: 1, IFDEQ: 1, IFDNE: 1 };
const CONDITION: Grammar = { NX: 0, XX: 0, GT: 0, LT: 0 };

interface Syntax {
  /** The first option. */
  readonly from: number | ((args: readonly Buffer[]) => number);
  readonly options: Grammar;
  /** `FIELDS n …` may stand between them, with so many arguments per field. */
  readonly perField?: number;
}

const GEORADIUS: Grammar = { WITHCOORD: 0, WITHDIST: 0, WITHHASH: 0, ANY: 0, ASC: 0, DESC: 0 };

const SYNTAXES: Readonly<Record<string, Syntax>> = {
  set: { from: 3, options: { ...EXPIRY, ...COMPARISON, KEEPTTL: 0, NX: 0, XX: 0, GET: 0 } },
  msetex: { from: behindPairs, options: { ...EXPIRY, KEEPTTL: 0, NX: 0, XX: 0 } },
  getex: { from: 2, options: { ...EXPIRY, PERSIST: 0 } },
  bitfield: { from: 2, options: { GET: 2, SET: 3, INCRBY: 3, OVERFLOW: 1 } },
  hsetex: {
    from: 2,
    options: { ...EXPIRY, KEEPTTL: 0, NX: 0, XX: 0, FNX: 0, FXX: 0 },
    perField: 2,
  },
  hgetex: { from: 2, options: { ...EXPIRY, PERSIST: 0 }, perField: 1 },
  expire: { from: 3, options: CONDITION },
  hexpire: { from: 3, options: CONDITION, perField: 1 },
  zadd: { from: 2, options: { ...CONDITION, CH: 0, INCR: 0 } },
  geoadd: { from: 2, options: { NX: 0, XX: 0, CH: 0 } },
  georadius: { from: 6, options: { ...GEORADIUS, COUNT: 1, STORE: 1, STOREDIST: 1 } },
  georadiusbymember: { from: 5, options: { ...GEORADIUS, COUNT: 1, STORE: 1, STOREDIST: 1 } },
  sort: { from: 2, options: { BY: 1, LIMIT: 2, GET: 1, ASC: 0, DESC: 0, ALPHA: 0, STORE: 1 } },
  copy: { from: 3, options: { DB: 1, REPLACE: 0 } },
  restore: { from: 4, options: { REPLACE: 0, ABSTTL: 0, IDLETIME: 1, FREQ: 1 } },
  migrate: { from: 6, options: { COPY: 0, REPLACE: 0, AUTH: 1, AUTH2: 2 } },
  xadd: {
    from: 2,
    options: {
      ...{ NOMKSTREAM: 0, KEEPREF: 0, DELREF: 0, ACKED: 0, IDMP: 2, IDMPAUTO: 1 },
      ...{ MAXLEN: THRESHOLD, MINID: THRESHOLD, LIMIT: 1 },
    },
  },
  xread: { from: 1, options: { COUNT: 1, BLOCK: 1 } },
  xreadgroup: { from: 1, options: { GROUP: 2, COUNT: 1, BLOCK: 1, NOACK: 0, CLAIM: 1 } },
};

/** Longer words are no options. */
const LONGEST = 10;

/** The options of a call in the syntax of the command `syntax`, which must be one of the table above. */
export function optionsOf(syntax: string, args: readonly Buffer[]): Options {
  const { from, options, perField } = SYNTAXES[syntax]!;
  const at = new Map<string, number>();
  let end = typeof from === 'number' ? from : from(args);
  while (end < args.length) {
    const word = wordAt(args, end);
    if (word === 'FIELDS' && perField !== undefined) {
      const skipped = end + 2 + perField * countAt(args, end + 1);
      if (Number.isNaN(skipped)) break;
      end = skipped;
    } else if (Object.hasOwn(options, word)) {
      at.set(word, end);
      end += 1 + lengthOf(options[word]!, args, end);
    } else break;
  }
  return { at, end };
}

/** Whether any of `names` was given. */
export function hasAny({ at }: Options, ...names: readonly string[]): boolean {
  return names.some((name) => at.has(name));
}

/** The argument in upper case; empty when there is none or it is too long for a word. */
export function wordAt(args: readonly Buffer[], index: number): string {
  const argument = args[index];
  if (argument === undefined || argument.length > LONGEST) return '';
  return argument.toString('latin1').toUpperCase();
}

/** The count that an argument states, as Redis reads it; NaN when it is none. */
export function countAt(args: readonly Buffer[], index: number): number {
  const text = args[index]?.toString('latin1') ?? '';
  return /^(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : NaN;
}

/** `numkeys key value key value …` begins at 1. */
function behindPairs(args: readonly Buffer[]): number {
  const pairs = countAt(args, 1);
  return Number.isNaN(pairs) ? args.length + 1 : 2 + 2 * pairs;
}

function lengthOf(stated: number, args: readonly Buffer[], index: number): number {
  if (stated !== THRESHOLD) return stated;
  const sign = wordAt(args, index + 1);
  return sign === '=' || sign === '~' ? 2 : 1;
}
