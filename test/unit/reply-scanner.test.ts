/** The tests' own judge of reply frames is judged here: whole, byte by byte and at every split. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplyScanner } from '../helpers/reply-scanner.js';

const FRAMES = [
  '+OK\r\n',
  '-ERR no\r\n',
  ':-12\r\n',
  '$5\r\na\r\nb\r\r\n',
  '$0\r\n\r\n',
  '$-1\r\n',
  '*0\r\n',
  '*-1\r\n',
  '*2\r\n*1\r\n$1\r\nx\r\n:1\r\n',
  '_\r\n',
  '#t\r\n',
  ',1.5e+20\r\n',
  ',-inf\r\n',
  '(12345678901234567890\r\n',
  '!5\r\nERR x\r\n',
  '=7\r\ntxt:abc\r\n',
  '%1\r\n+k\r\n*1\r\n:2\r\n',
  '~2\r\n:1\r\n:2\r\n',
  '>3\r\n+message\r\n$1\r\nc\r\n$2\r\nhi\r\n',
  '|1\r\n+ttl\r\n:60\r\n$1\r\nv\r\n',
  '*2\r\n|1\r\n+a\r\n*1\r\n+b\r\n:1\r\n:2\r\n',
];

function scan(chunks: Buffer[]): string[] {
  const scanner = new ReplyScanner();
  const frames: string[] = [];
  for (const chunk of chunks) {
    scanner.push(chunk);
    for (let frame = scanner.next(); frame !== null; frame = scanner.next()) {
      frames.push(frame.toString('latin1'));
    }
  }
  assert.equal(scanner.bufferedBytes, 0);
  return frames;
}

test('every reply type ends where it ends, however the bytes are cut', () => {
  const bytes = Buffer.from(FRAMES.join(''), 'latin1');
  assert.deepEqual(scan([bytes]), FRAMES);
  assert.deepEqual(scan([...bytes].map((byte) => Buffer.from([byte]))), FRAMES);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    assert.deepEqual(scan([bytes.subarray(0, cut), bytes.subarray(cut)]), FRAMES);
  }
});

test('a stream much longer than the first buffer keeps its frames', () => {
  const frame = `$20000\r\n${'x'.repeat(20_000)}\r\n`;
  const bytes = Buffer.from(frame.repeat(20), 'latin1');
  const chunks = Array.from({ length: Math.ceil(bytes.length / 7_001) }, (_, index) =>
    bytes.subarray(index * 7_001, (index + 1) * 7_001),
  );
  assert.deepEqual(scan(chunks), Array(20).fill(frame));
});

test('bytes that no Redis sends are not skipped', () => {
  for (const bytes of ['OK\r\n', '\r\n', '+OK\n', '$3\r\nabcd\r\n', ':x\r\n', '*\r\n', '%-1\r\n']) {
    assert.throws(() => scan([Buffer.from(bytes)]), /Not RESP/, JSON.stringify(bytes));
  }
});
