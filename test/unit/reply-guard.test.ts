import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplyGuard } from '../../src/upstream/reply-guard.js';

/** A guard that expects `asked` replies. */
function guardFor(asked: number): ReplyGuard {
  const guard = new ReplyGuard();
  for (let n = 0; n < asked; n += 1) guard.expectReply();
  return guard;
}

/** What comes through of chunks of bytes, as text. */
function passing(guard: ReplyGuard, ...chunks: string[]): string[] {
  return chunks.flatMap((chunk) => guard.take(Buffer.from(chunk, 'latin1'))).map(String);
}

const REPLIES = ['+PONG\r\n', ':0\r\n', '*2\r\n$2\r\n17\r\n$1\r\n5\r\n', '-ERR no\r\n', '$-1\r\n'];

test('one reply for each command passes, however the bytes are cut', () => {
  const bytes = REPLIES.join('');
  assert.deepEqual(passing(guardFor(5), bytes), REPLIES);
  assert.deepEqual(passing(guardFor(5), ...bytes), REPLIES);
  for (let cut = 1; cut < bytes.length; cut += 1)
    assert.deepEqual(passing(guardFor(5), bytes.slice(0, cut), bytes.slice(cut)), REPLIES);
});

test('what nobody asked for does not pass, whatever it is', () => {
  for (const bytes of ['$-1\r\n', '*-1\r\n', '+OK\r\n', ':1\r\n', '*0\r\n', 'HTTP/1.1 200', '\0'])
    assert.throws(() => passing(guardFor(0), bytes), /nobody had asked for/);
  assert.throws(() => passing(guardFor(1), '+PONG\r\n$-1\r\n'), /nobody had asked for/);
});

test('an error that comes unasked says why the connection ends', () => {
  const greeting = '-ERR max number of clients reached\r\n';
  assert.throws(() => passing(guardFor(0), ...greeting), /the upstream says ERR max number of/);
});

test('what is no RESP2, or no reply at all, does not pass', () => {
  for (const bytes of [
    '>2\r\n',
    '%1\r\n',
    '_\r\n',
    '#t\r\n',
    '*1\r\n_\r\n',
    '*1\r\n>0\r\n',
    '$x\r\n',
  ])
    assert.throws(() => passing(guardFor(9), bytes), JSON.stringify(bytes));
});

test('what is long, deep, or announced to be, does not pass', () => {
  for (const bytes of [
    '+'.padEnd(5000, 'x'),
    '$9999999\r\n'.padEnd(5000, 'x'),
    '*1\r\n'.repeat(2000),
  ])
    assert.throws(() => passing(guardFor(1), bytes), /at length/);
  assert.deepEqual(passing(guardFor(1), '*4294967295\r\n', '$999999999999\r\n'), []);
});
