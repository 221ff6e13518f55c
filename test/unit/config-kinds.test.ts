import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, isLocal, listenAddress, tcpAddress } from '../../src/config/addresses.js';
import {
  choice,
  commandNames,
  duration,
  integer,
  orWord,
  path,
  size,
  text,
  yesOrNo,
  type Kind,
} from '../../src/config/kinds.js';
import { nearest } from '../../src/config/nearest.js';

/** The value of each text, `undefined` for a text that is refused. */
function parseAll<T>(kind: Kind<T>, texts: readonly string[]): (T | undefined)[] {
  return texts.map((each) => {
    const parsed = kind.parse(each);
    return parsed.ok ? parsed.value : undefined;
  });
}

function refusesAll(kind: Kind<unknown>, texts: readonly string[]): void {
  for (const each of texts) assert.equal(kind.parse(each).ok, false, JSON.stringify(each));
}

test('a duration is a number with a unit, in milliseconds', () => {
  const kind = duration('0', '24h');
  assert.deepEqual(
    parseAll(kind, ['500ms', '10s', '2m', '1h', '1.5s', '0', '0s', '10S']),
    [500, 10_000, 120_000, 3_600_000, 1500, 0, 0, 10_000],
  );
  refusesAll(kind, ['', '10', '10 s', '-1s', '1d', 's', '1s2', '25h', '1e3s', '.5s', '１s']);
});

test('a size is a number of bytes with or without a unit', () => {
  const kind = size('0', '1gb');
  assert.deepEqual(
    parseAll(kind, ['0', '100', '100b', '64kb', '256mb', '1gb', '0.5kb', '64KB']),
    [0, 100, 100, 65_536, 268_435_456, 1_073_741_824, 512, 65_536],
  );
  refusesAll(kind, ['', '2gb', '-1', '1k', '1 mb', '0x10', '99999999999999999999', 'mb']);
});

test('limits of a quantity are themselves allowed, and what is beyond is not', () => {
  const kind = duration('10ms', '1s');
  assert.deepEqual(parseAll(kind, ['9ms', '10ms', '1s', '1001ms', '0']), [
    undefined,
    10,
    1000,
    undefined,
    undefined,
  ]);
});

test('an integer is digits within its bounds', () => {
  const kind = integer(1, 100);
  assert.deepEqual(parseAll(kind, ['1', '100', '007']), [1, 100, 7]);
  refusesAll(kind, ['', '0', '101', '1.0', '1e1', '-1', '+1', ' 1']);
});

test('a choice is one of its words, exactly', () => {
  const kind = choice('wasm', 'process');
  assert.deepEqual(parseAll(kind, ['wasm', 'process', 'WASM', 'was', '']), [
    'wasm',
    'process',
    undefined,
    undefined,
    undefined,
  ]);
});

test('a word may stand for nothing', () => {
  assert.deepEqual(parseAll(orWord(integer(1, 9), 'unlimited'), ['3', 'unlimited', 'none']), [
    3,
    null,
    undefined,
  ]);
});

test('a boolean is said in the usual ways', () => {
  assert.deepEqual(parseAll(yesOrNo, ['yes', 'TRUE', 'on', '1', 'no', 'false', 'Off', '0']), [
    true,
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
  refusesAll(yesOrNo, ['', 'y', '2', 'constructor', 'toString']);
});

test('names of commands are separated by commas or spaces, in any letter case', () => {
  assert.deepEqual(parseAll(commandNames, ['flushall', ' FLUSHALL,Config|Set  ft.drop, ']), [
    ['flushall'],
    ['flushall', 'config|set', 'ft.drop'],
  ]);
  refusesAll(commandNames, ['', ',', 'a b!', 'config|', '|set', 'a|b|c', 'x'.repeat(33), 'a\nb']);
});

test('texts and paths are one line', () => {
  for (const kind of [text('name'), path('file')]) {
    assert.deepEqual(parseAll(kind, ['a b', './x']), ['a b', './x']);
    refusesAll(kind, ['', 'a\nb', 'a\0b', 'x'.repeat(1001)]);
  }
});

test('an address is host:port, with brackets around IPv6, or a unix path', () => {
  const texts = ['127.0.0.1:6380', 'localhost:0', '[::1]:6380', 'unix:/run/a b.sock'];
  const parsed = parseAll(listenAddress, texts);
  assert.deepEqual(parsed, [
    { kind: 'tcp', host: '127.0.0.1', port: 6380 },
    { kind: 'tcp', host: 'localhost', port: 0 },
    { kind: 'tcp', host: '::1', port: 6380 },
    { kind: 'unix', path: '/run/a b.sock' },
  ]);
  assert.deepEqual(
    parsed.map((address) => formatAddress(address!)),
    texts,
  );
  assert.deepEqual(parseAll(listenAddress, ['unix:///run/x']), [{ kind: 'unix', path: '/run/x' }]);
  refusesAll(listenAddress, [
    '',
    '6380',
    ':6380',
    'host',
    'host:65536',
    'host:-1',
    '::1:6380',
    'unix:',
    'unix:run/x',
    'unix:/run/',
    `unix:/${'x'.repeat(107)}`,
    'a b:1',
  ]);
  refusesAll(tcpAddress, ['unix:/run/x']);
});

test('only loopback addresses, localhost and unix sockets are local', () => {
  const local = ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1', 'unix:/x'];
  const open = ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'redis:1', '127.0.0.1.example.org:1'];
  const isLocalText = (each: string): boolean => {
    const parsed = listenAddress.parse(each);
    assert.ok(parsed.ok, each);
    return isLocal(parsed.value);
  };
  assert.ok(local.every(isLocalText));
  assert.ok(!open.some(isLocalText));
});

test('a mistyped word finds the one that was meant', () => {
  const words = ['listen', 'upstream', 'hold'];
  assert.equal(nearest('lisen', words), 'listen');
  assert.equal(nearest('upstraem', words), 'upstream');
  assert.equal(nearest('journal', words), null);
});
