import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  COMMAND,
  EMPTY,
  INLINE,
  NEED_MORE,
  PROTOCOL_ERROR,
  RequestFramer,
} from '../../src/resp/request-framer.js';
import { everySplit } from '../helpers/fuzz.js';
import { REFUSED_REQUESTS, REQUESTS } from '../helpers/request-corpus.js';
import { modelRequests } from '../helpers/request-model.js';
import { readRequests, type Keeping } from '../helpers/request-reader.js';

const REDIS_LIMITS = { maxBulkBytes: 512 * 1024 * 1024, authenticated: true };
const STRANGER_LIMITS = { ...REDIS_LIMITS, authenticated: false };
const KEEPINGS: readonly Keeping[] = ['collect', 'pass-on'];

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** The verdict on `text` as a client's first bytes, whole. */
function verdict(text: string, limits = REDIS_LIMITS): { found: number; framer: RequestFramer } {
  const framer = new RequestFramer(limits.maxBulkBytes);
  framer.authenticated = limits.authenticated;
  const bytes = bytesOf(text);
  return { found: framer.next(bytes, 0, bytes.length), framer };
}

/** The error that `text` ends with, however it is cut; the same as Redis' at the same byte. */
function errorOf(text: string, limits = REDIS_LIMITS): string | null {
  const bytes = bytesOf(text);
  const expected = modelRequests(bytes, limits);
  const bytewise = readRequests(
    [...bytes].map((byte) => Buffer.from([byte])),
    limits,
  );
  assert.deepEqual(bytewise, expected, JSON.stringify(text.slice(0, 80)));
  const whole = readRequests([bytes], limits);
  assert.equal(whole.error, expected.error, JSON.stringify(text.slice(0, 80)));
  assert.deepEqual(whole.frames, expected.frames);
  return expected.error;
}

test('a command is an array of bulk strings: its end and its name are found', () => {
  const { found, framer } = verdict('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n');
  assert.equal(found, COMMAND);
  assert.deepEqual([framer.frameEnd, framer.nameStart, framer.nameBytes], [20, 8, 3]);
});

test('a line is an inline command, an array without elements is skipped', () => {
  const line = verdict('PING\r\nPING\r\n');
  assert.deepEqual([line.found, line.framer.frameEnd], [INLINE, 6]);
  const empty = verdict('*-1\r\nPING\r\n');
  assert.deepEqual([empty.found, empty.framer.frameEnd], [EMPTY, 5]);
});

test('a second frame is found where the first one ends', () => {
  const framer = new RequestFramer(1024);
  const bytes = bytesOf('*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\nQUIT\r\n');
  assert.equal(framer.next(bytes, 0, bytes.length), COMMAND);
  assert.equal(framer.next(bytes, framer.frameEnd, bytes.length), COMMAND);
  assert.equal(bytes.toString('latin1', framer.nameStart, framer.nameStart + 4), 'ECHO');
  assert.equal(framer.next(bytes, framer.frameEnd, bytes.length), INLINE);
  assert.equal(framer.frameEnd, bytes.length);
});

test('bytes behind the given end are not looked at', () => {
  const bytes = bytesOf('*1\r\n$4\r\nPING\r\n');
  for (let end = 0; end < bytes.length; end += 1) {
    assert.equal(new RequestFramer(1024).next(bytes, 0, end), NEED_MORE, `end ${end}`);
  }
  const line = bytesOf('PING\r\n');
  assert.equal(new RequestFramer(1024).next(line, 0, 5), NEED_MORE);
});

test('every request is read as Redis reads it, however its bytes are cut', () => {
  for (const text of REQUESTS) {
    const bytes = bytesOf(text);
    const expected = modelRequests(bytes, REDIS_LIMITS);
    assert.equal(expected.frames.at(-1)?.end, bytes.length, JSON.stringify(text));
    for (const chunks of everySplit(bytes)) {
      for (const keeping of KEEPINGS) {
        assert.deepEqual(readRequests(chunks, REDIS_LIMITS, keeping), expected);
      }
    }
  }
});

test('what cannot be a request is refused in the words of Redis, at the byte where Redis does', () => {
  for (const [text, error] of REFUSED_REQUESTS) {
    assert.equal(errorOf(text), error, JSON.stringify(text));
    assert.equal(errorOf(`*1\r\n$4\r\nPING\r\nPING\r\n${text}`), error, JSON.stringify(text));
  }
});

test('the largest numbers that Redis takes are taken', () => {
  assert.equal(errorOf('*2147483647\r\n'), null);
  assert.equal(errorOf('*-9223372036854775808\r\n'), null);
  assert.equal(errorOf('*1\r\n$536870912\r\n'), null);
});

test('the refusal is the same in the middle of a command that is being passed on', () => {
  for (const [text, error] of REFUSED_REQUESTS.filter(([bytes]) => bytes.startsWith('*1\r\n'))) {
    const argument = text.slice('*1\r\n'.length);
    const bytes = bytesOf(`*3\r\n$4\r\nMGET\r\n$1\r\nk\r\n${argument}`);
    for (const chunks of everySplit(bytes)) {
      assert.equal(readRequests(chunks, REDIS_LIMITS, 'pass-on').error, error);
    }
  }
});

test('before authentication arrays and arguments are small', () => {
  assert.equal(errorOf('*11\r\n', STRANGER_LIMITS), 'unauthenticated multibulk length');
  assert.equal(errorOf('*1\r\n$16385\r\n', STRANGER_LIMITS), 'unauthenticated bulk length');
  assert.equal(errorOf('*10\r\n$16384\r\n', STRANGER_LIMITS), null);
  assert.equal(errorOf('*11\r\n$16385\r\n'), null);
});

test('authentication lifts the small limits for the next frame', () => {
  const framer = new RequestFramer(1024);
  framer.authenticated = false;
  const auth = bytesOf('*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n');
  assert.equal(framer.next(auth, 0, auth.length), COMMAND);
  framer.authenticated = true;
  const long = bytesOf(`*11\r\n${'$1\r\na\r\n'.repeat(11)}`);
  assert.equal(framer.next(long, 0, long.length), COMMAND);
});

test('arguments may be as long as the limit and no longer', () => {
  const limits = { maxBulkBytes: 65_536, authenticated: true };
  assert.equal(errorOf('*1\r\n$65536\r\n', limits), null);
  assert.equal(errorOf('*1\r\n$65537\r\n', limits), 'invalid bulk length');
});

test('a line without its end is refused after 64 KB', () => {
  const most = 'a'.repeat(65_536);
  const cases: [string, string | null][] = [
    [most, null],
    [`${most}a`, 'too big inline request'],
    [`${most}\n`, null],
    [`${most}a\n`, 'too big inline request'],
    [`*${'1'.repeat(65_535)}`, null],
    [`*${'1'.repeat(65_535)}\r`, null],
    [`*${'1'.repeat(65_535)}\r\n`, 'invalid multibulk length'],
    [`*${'1'.repeat(65_536)}`, 'too big mbulk count string'],
    [`*${'1'.repeat(65_536)}\r\n`, 'too big mbulk count string'],
    [`*1\r\n${most}`, null],
    [`*1\r\n${most}\r`, null],
    [`*1\r\n${most}\r\n`, "expected '$', got 'a'"],
    [`*1\r\n${most}a`, 'too big bulk count string'],
  ];
  for (const [text, error] of cases) {
    const bytes = bytesOf(text);
    const expected = modelRequests(bytes, REDIS_LIMITS);
    assert.equal(expected.error, error, `${text.slice(0, 10)}… ${text.length}`);
    assert.deepEqual(readRequests([bytes], REDIS_LIMITS), {
      ...expected,
      errorAt: error === null ? 0 : bytes.length,
    });
    // Around the limit byte by byte; before it there is nothing to decide.
    const start = Math.min(65_500, bytes.length);
    const chunks = [
      bytes.subarray(0, start),
      ...[...bytes.subarray(start)].map((byte) => Buffer.from([byte])),
    ];
    assert.deepEqual(readRequests(chunks, REDIS_LIMITS), expected);
  }
});

test('nothing is seen behind a NUL in a line, as with strchr', () => {
  for (const text of ['PING\0\r\n', '\0\n', '*1\0\r\n', '*1\r\n$4\0\r\nPING\r\n', '*1\r\n\0\r\n']) {
    assert.equal(errorOf(text), null);
    assert.equal(verdict(text).found, NEED_MORE, JSON.stringify(text));
    assert.notEqual(verdict(text + 'x'.repeat(65_537)).found, NEED_MORE);
  }
});

test('a declared size needs no bytes: only what has come is kept', () => {
  const header = bytesOf('*1000000000\r\n$3\r\nSET\r\n$536870912\r\n');
  const before = process.memoryUsage();
  let most = 0;
  const framers = Array.from({ length: 1000 }, () => {
    readRequests([header, bytesOf('abc')], REDIS_LIMITS, 'pass-on', (bytes) => {
      most = Math.max(most, bytes);
    });
    const framer = new RequestFramer(REDIS_LIMITS.maxBulkBytes);
    assert.equal(framer.next(header, 0, header.length), NEED_MORE);
    return framer;
  });
  const after = process.memoryUsage();
  assert.equal(framers.length, 1000);
  assert.ok(most <= header.length, `${most} bytes kept`);
  assert.ok(after.rss - before.rss < 64 * 1024 * 1024, 'a thousand such headers cost nothing');
  assert.ok(after.arrayBuffers - before.arrayBuffers < 8 * 1024 * 1024);
});

test('an argument of 512 MB is passed on in constant memory', () => {
  const framer = new RequestFramer(REDIS_LIMITS.maxBulkBytes);
  const head = bytesOf('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n');
  assert.equal(framer.next(head, 0, head.length), NEED_MORE);
  framer.dropped(head.length);
  const chunk = Buffer.alloc(1024 * 1024);
  for (let sent = 0; sent < 512; sent += 1) {
    assert.equal(framer.next(chunk, 0, chunk.length), NEED_MORE);
    assert.ok(framer.scannedBytes >= chunk.length);
    framer.dropped(chunk.length);
  }
  const end = bytesOf('\r\n*1\r\n$4\r\nPING\r\n');
  assert.equal(framer.next(end, 0, end.length), COMMAND);
  assert.equal(framer.frameEnd, 2);
  assert.equal(framer.next(end, 2, end.length), COMMAND);
});

test('200,000 arguments arrive byte by byte in linear time', () => {
  const framer = new RequestFramer(1024);
  const count = 200_000;
  const bytes = bytesOf(`*${count}\r\n${'$1\r\na\r\n'.repeat(count)}`);
  for (let end = 1; end < bytes.length; end += 1) {
    assert.equal(framer.next(bytes, 0, end), NEED_MORE);
  }
  assert.equal(framer.next(bytes, 0, bytes.length), COMMAND);
});

test('after restart the same bytes are read from their beginning', () => {
  const framer = new RequestFramer(1024);
  const bytes = bytesOf('*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n');
  assert.equal(framer.next(bytes, 0, 20), NEED_MORE);
  assert.ok(framer.isInFrame && framer.nameIsKnown);
  framer.restart();
  assert.ok(!framer.isInFrame);
  assert.equal(framer.next(bytes, 0, bytes.length), COMMAND);
  assert.equal(framer.frameEnd, bytes.length);
  const wrong = bytesOf('*1\r\n?\r\n');
  assert.equal(framer.next(wrong, 0, wrong.length), PROTOCOL_ERROR);
  framer.restart();
  assert.equal(framer.next(bytes, 0, bytes.length), COMMAND);
});
