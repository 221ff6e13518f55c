/**
 * The kinds of values an option can have: duration, size, integer, choice, text, path, boolean. A kind turns the text
 * of one value into a typed one or says what would be allowed; it knows neither the option's name nor where the text
 * came from. Addresses and URLs have files of their own.
 */

/** The outcome of reading one text: a value, or why it is none (continues the words "is not allowed: "). */
export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why?: string };

/** How the text of one value becomes a `T`. */
export interface Kind<T> {
  /** Stands for the value in help and documentation: `duration`. */
  readonly placeholder: string;
  /** What is allowed, for people: it completes "allowed: …". */
  readonly allowed: string;
  parse(text: string): Parsed<T>;
}

/** A text that is not allowed, where the kind's `allowed` says all there is to say. */
export const REJECTED: Parsed<never> = { ok: false };

/** A text that is allowed, and what it means. */
export function accepted<T>(value: T): Parsed<T> {
  return { ok: true, value };
}

/** A bounded quantity written as a number and a unit; the value is in the smallest unit, rounded. */
interface Quantity {
  readonly placeholder: string;
  readonly units: Readonly<Record<string, number>>;
  readonly examples: string;
  readonly min: string;
  readonly max: string;
}

function quantity({ placeholder, units, examples, min, max }: Quantity): Kind<number> {
  const read = (text: string): number | null => {
    const match = /^(\d{1,15}(?:\.\d{1,3})?)([a-z]*)$/.exec(text.toLowerCase());
    if (match === null) return null;
    const amount = Number(match[1]);
    if (amount === 0 && match[2] === '') return 0;
    const factor = units[match[2]!];
    return factor === undefined ? null : Math.round(amount * factor);
  };
  const limit = (text: string): number => {
    const value = read(text);
    if (value === null) throw new Error(`the limit ${text} is not a ${placeholder}`);
    return value;
  };
  const minValue = limit(min);
  const maxValue = limit(max);
  return {
    placeholder,
    allowed: `a ${placeholder} from ${min} to ${max}, as in ${examples}`,
    parse(text) {
      const value = read(text);
      return value === null || value < minValue || value > maxValue ? REJECTED : accepted(value);
    },
  };
}

/** A duration in milliseconds, written `500ms`, `10s`, `2m`, `1h` or `0`. */
export function duration(min: string, max: string): Kind<number> {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  return quantity({ placeholder: 'duration', units, examples: '500ms, 10s, 2m', min, max });
}

/** A size in bytes, written `64kb`, `256mb`, `2gb` (powers of 1024, as Redis has them), or as plain bytes. */
export function size(min: string, max: string): Kind<number> {
  const units = { '': 1, b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };
  return quantity({ placeholder: 'size', units, examples: '64kb, 256mb, 1gb', min, max });
}

/** A whole number within bounds, both included. */
export function integer(min: number, max: number): Kind<number> {
  return {
    placeholder: 'number',
    allowed: `a whole number from ${min} to ${max}`,
    parse(text) {
      if (!/^\d{1,15}$/.test(text)) return REJECTED;
      const value = Number(text);
      return value < min || value > max ? REJECTED : accepted(value);
    },
  };
}

/** A share of the whole, above 0 and at most 1. */
export const ratio: Kind<number> = {
  placeholder: 'ratio',
  allowed: 'a number above 0 and at most 1, as in 0.01',
  parse(text) {
    const value = Number(text);
    return /^[01]?\.?\d{1,9}$/.test(text) && value > 0 && value <= 1 ? accepted(value) : REJECTED;
  },
};

/** One of a few words. */
export function choice<const T extends string>(...words: readonly T[]): Kind<T> {
  return {
    placeholder: words.join('|'),
    allowed: enumerate(words.map((word) => `"${word}"`)),
    parse(text) {
      const word = words.find((candidate) => candidate === text);
      return word === undefined ? REJECTED : accepted(word);
    },
  };
}

function enumerate(words: readonly string[]): string {
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

/** What `kind` allows, or the one word `word`, which stands for null (as `off` does). */
export function orWord<T>(kind: Kind<T>, word: string): Kind<T | null> {
  return {
    placeholder: `${kind.placeholder}|${word}`,
    allowed: `${kind.allowed}, or "${word}"`,
    parse: (text) => (text === word ? accepted(null) : kind.parse(text)),
  };
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  yes: true,
  true: true,
  on: true,
  '1': true,
  no: false,
  false: false,
  off: false,
  '0': false,
};

/** Yes or no, also as true/false, on/off and 1/0. */
export const yesOrNo: Kind<boolean> = {
  placeholder: 'yes|no',
  allowed: '"yes" or "no" (true, false, on, off, 1 and 0 mean the same)',
  parse(text) {
    const value = Object.hasOwn(BOOLEANS, text.toLowerCase())
      ? BOOLEANS[text.toLowerCase()]
      : undefined;
    return value === undefined ? REJECTED : accepted(value);
  },
};

const COMMAND_NAME = /^[a-z][a-z0-9._:-]{0,31}(?:\|[a-z0-9._:-]{1,31})?$/;

/** Names of commands, separated by commas or spaces, in lower case: `flushall`, or `config|set` for one subcommand. */
export const commandNames: Kind<readonly string[]> = {
  placeholder: 'names',
  allowed: 'names of commands separated by commas or spaces, as in "flushall, config|set"',
  parse(text) {
    const names = text
      .toLowerCase()
      .split(/[ ,]+/)
      .filter((name) => name !== '');
    const isFine = names.length > 0 && names.every((name) => COMMAND_NAME.test(name));
    return isFine ? accepted(names) : REJECTED;
  },
};

/** Text on one line, up to 1,000 characters, without control characters; what it names is the option's business. */
export function text(placeholder: string): Kind<string> {
  return {
    placeholder,
    allowed: `a ${placeholder} of 1 to 1000 characters without control characters`,
    parse: (value) => (isPlainText(value) ? accepted(value) : REJECTED),
  };
}

/** A path, relative to the working directory. Whether it can be read is found out where it is read. */
export function path(placeholder: 'file' | 'directory'): Kind<string> {
  return {
    placeholder,
    allowed: `the path of a ${placeholder}`,
    parse: (value) => (isPlainText(value) ? accepted(value) : REJECTED),
  };
}

function isPlainText(value: string): boolean {
  return value.length > 0 && value.length <= 1000 && !/[\x00-\x1f\x7f]/.test(value);
}
