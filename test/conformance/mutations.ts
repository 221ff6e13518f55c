/**
 * From an argument list that works to many that do not, or only just: wrong arity, keys of another
 * type, numbers that are none or too large, empty and binary and long words, misspelt keywords.
 */
import { BINARY, KEYS_OF_ALL_TYPES, LONG, type Words } from './fixture.js';
import type { Sentence, Value } from './sentences.js';

/** An argument list and what was done to it. */
export interface Mutant {
  readonly label: string;
  readonly words: Words;
}

const NUMBERS = [
  ...['0', '-1', '-0', '+1', '01', '1.5', 'abc', '', ' 1', '1 ', '0x10', '1e3', 'nan'],
  ...['4294967296', '9007199254740993', '9223372036854775807', '9223372036854775808'],
  ...['-9223372036854775808', '-9223372036854775809', '99999999999999999999999', BINARY],
];

const DOUBLES = [
  ...['0', '-1', '1e400', 'inf', '-inf', '+inf', 'nan', 'abc', '', '1.7976931348623157e308'],
  ...['-1e-320', ' 1', '1 ', '0x1p3', '(1', BINARY],
];

const STRINGS = ['', BINARY, LONG, '0', '-1', 'word with spaces', '"quoted"', '*', '$', '>'];

/** Arguments where large or odd numbers mean waiting for ever, not an error. */
const WAITING = new Set(['timeout', 'milliseconds']);

/** Every mutant of one sentence, arity first. */
export function mutantsOf(sentence: Sentence): Mutant[] {
  return [
    ...arityMutants(sentence),
    ...sentence.flatMap((value, i) => mutants(sentence, value, i)),
  ];
}

/** Only what spoils keywords and numbers: for sentences that have been mutated elsewhere already. */
export function shortMutantsOf(sentence: Sentence): Mutant[] {
  return sentence.flatMap((value, position) => {
    const spoilt = value.type === 'token' ? tokens(value) : briefly(value);
    return spoilt.map((bytes) => replaced(sentence, position, value, bytes));
  });
}

function arityMutants(sentence: Sentence): Mutant[] {
  const words = sentence.map((value) => value.bytes);
  const mayWait = sentence.some(({ name }) => WAITING.has(name));
  const many = Array.from({ length: 40 }, (_, i) => `extra${i}`);
  return [
    { label: 'no arguments', words: [] },
    ...words.map((_, count) => ({ label: `${count} arguments`, words: words.slice(0, count) })),
    { label: 'one more', words: [...words, 'extra'] },
    { label: 'two more', words: [...words, 'extra', 'words'] },
    { label: 'many more', words: [...words, ...many] },
    { label: 'twice', words: [...words, ...words] },
    ...(mayWait ? [] : [{ label: 'reversed', words: [...words].reverse() }]),
  ];
}

function mutants(sentence: Sentence, value: Value, position: number): Mutant[] {
  return spoilt(value).map((bytes) => replaced(sentence, position, value, bytes));
}

function spoilt(value: Value): readonly (string | Buffer)[] {
  switch (value.type) {
    case 'key':
      return KEYS_OF_ALL_TYPES.filter((key) => key !== value.bytes);
    case 'integer':
      return WAITING.has(value.name) ? NUMBERS.filter(isNoTime) : NUMBERS;
    case 'double':
      return WAITING.has(value.name) ? DOUBLES.filter(isNoTime) : DOUBLES;
    case 'string':
      return value.name === 'min-idle-time' ? NUMBERS : STRINGS;
    case 'token':
      return tokens(value);
  }
}

function briefly(value: Value): readonly (string | Buffer)[] {
  if (value.type === 'integer' && !WAITING.has(value.name)) return ['-1', 'abc', ''];
  if (value.type === 'double' && !WAITING.has(value.name)) return ['nan', 'abc'];
  return [];
}

function tokens({ bytes }: Value): string[] {
  const word = bytes.toString();
  return [word.toLowerCase(), `${word.slice(0, 1)}${word.slice(1).toLowerCase()}`, `${word}X`, ''];
}

/** Refused by whoever reads a timeout, so nothing waits: hexadecimal and tiny floats are times. */
function isNoTime(bytes: string | Buffer): boolean {
  const text = bytes.toString();
  return /^\s|\s$/.test(text) || !(Number(text) >= 0 || /^(0x|-1e-)/.test(text));
}

function replaced(
  sentence: Sentence,
  position: number,
  value: Value,
  bytes: string | Buffer,
): Mutant {
  const words = sentence.map((each, index) => (index === position ? bytes : each.bytes));
  return { label: `${value.name} replaced`, words };
}
