import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitInline } from '../../src/resp/inline.js';
import { chooseFrom, integerBelow, property, randomBytes } from '../helpers/fuzz.js';

function split(line: string): string[] | null {
  const words = splitInline(Buffer.from(line, 'latin1'));
  return words?.map((word) => word.toString('latin1')) ?? null;
}

test('words are separated by white space of any kind and amount', () => {
  assert.deepEqual(split('GET key'), ['GET', 'key']);
  assert.deepEqual(split('  GET\t \tkey  \r'), ['GET', 'key']);
  assert.deepEqual(split('a\rb\nc'), ['a', 'b', 'c']);
  assert.deepEqual(split('\v\fa \v b'), ['a', 'b']);
});

test('a line without words has none', () => {
  for (const line of ['', ' ', '\r', '\t\v\f']) assert.deepEqual(split(line), []);
});

test('vertical tab and form feed are part of a word, as in sds.c', () => {
  assert.deepEqual(split('ECHO a\vb\fc'), ['ECHO', 'a\vb\fc']);
  assert.deepEqual(split('"a"\vb'), ['a', 'b']);
});

test('double quotes understand escapes', () => {
  assert.deepEqual(split('"a b"'), ['a b']);
  assert.deepEqual(split('""'), ['']);
  assert.deepEqual(split('"\\n\\r\\t\\b\\a\\\\\\""'), ['\n\r\t\b\x07\\"']);
  assert.deepEqual(split('"\\x41\\xff\\x00"'), ['A\xff\0']);
  assert.deepEqual(split('"\\xZZ\\x4"'), ['xZZx4']);
  assert.deepEqual(split('"\\q"'), ['q']);
});

test('single quotes understand only the escaped quote', () => {
  assert.deepEqual(split("'a b'"), ['a b']);
  assert.deepEqual(split("'\\''"), ["'"]);
  assert.deepEqual(split("'\\n\\x41'"), ['\\n\\x41']);
});

test('a quote may begin in the middle of a word, which it then ends', () => {
  assert.deepEqual(split('foo"bar baz" x'), ['foobar baz', 'x']);
  assert.deepEqual(split("foo'bar'"), ['foobar']);
});

test('unbalanced quotes and what sticks to a closing quote are refused', () => {
  for (const line of ['"', "'", '"a', "'a", '"a\\"', "'a\\'", '"a"b', "'a'b", '"a""b"', 'x"a"y']) {
    assert.equal(split(line), null, line);
  }
});

test('backslashes mean nothing outside quotes', () => {
  assert.deepEqual(split('a\\nb \\x41'), ['a\\nb', '\\x41']);
});

test('bytes beyond ASCII are kept as they are', () => {
  assert.deepEqual(split('\xe9\xff "\xa0"'), ['\xe9\xff', '\xa0']);
});

/** sdscatrepr: how redis-cli writes any bytes so that they can be read back. */
function quoted(word: Buffer): string {
  const escapes: Record<string, string> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r' };
  const shown = [...word].map((byte) => {
    const letter = String.fromCharCode(byte);
    const isPrintable = byte >= 32 && byte < 127;
    return escapes[letter] ?? (isPrintable ? letter : `\\x${byte.toString(16).padStart(2, '0')}`);
  });
  return `"${shown.join('')}"`;
}

property('what is quoted as redis-cli does it comes back as it was', 500, (random) => {
  const words = Array.from({ length: integerBelow(random, 6) }, () =>
    randomBytes(random, integerBelow(random, 20)),
  );
  const line = words.map(quoted).join(chooseFrom(random, [' ', '\t', '  ']));
  assert.deepEqual(splitInline(Buffer.from(line, 'latin1')), words);
});

property('any line is split or refused, and only quotes are a reason', 2000, (random) => {
  const line = Array.from({ length: integerBelow(random, 30) }, () =>
    chooseFrom(random, ['"', "'", '\\', ' ', 'x', '4', '\r', '\v', 'a', '\xff']),
  ).join('');
  const words = split(line);
  if (words === null) assert.match(line, /["']/);
  else assert.ok(words.join('').length <= line.length);
});
