import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PUSH_TYPE, ReplyFramer, ReplyProtocolError } from '../../src/resp/reply-framer.js';
import { byteByByte, everySplit } from '../helpers/fuzz.js';
import { REFUSED_REPLIES, REPLIES } from '../helpers/reply-corpus.js';
import { countReplies, readFrames } from '../helpers/reply-reader.js';

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

test('every type of RESP2 and RESP3 ends where it ends, however its bytes are cut', () => {
  for (const text of REPLIES) {
    const bytes = bytesOf(`${text}:7\r\n`);
    for (const chunks of everySplit(bytes)) {
      assert.deepEqual(
        readFrames(chunks),
        {
          ends: [text.length, bytes.length],
          types: `${text[0]}:`,
          error: null,
          errorAt: 0,
          isInFrame: false,
        },
        JSON.stringify(text),
      );
    }
  }
});

test('all types side by side are told apart, however their bytes are cut', () => {
  const bytes = bytesOf(REPLIES.join(''));
  const whole = readFrames([bytes]);
  assert.equal(whole.ends.length, REPLIES.length);
  assert.equal(whole.ends.at(-1), bytes.length);
  for (const chunks of everySplit(bytes)) assert.deepEqual(readFrames(chunks), whole);
});

test('a scan stops behind the limit-th reply; pushes on the way are not counted', () => {
  const framer = new ReplyFramer();
  const bytes = bytesOf('>1\r\n+a\r\n+one\r\n>1\r\n+b\r\n:2\r\n$1\r\nc\r\n');
  const behindTwo = bytes.indexOf('$1');
  assert.equal(framer.scan(bytes, 0, bytes.length, 2), behindTwo);
  assert.equal(framer.completed, 2);
  assert.equal(framer.scan(bytes, behindTwo, bytes.length, 2), bytes.length);
  assert.equal(framer.completed, 1);
});

test('counting in runs gives the same as counting one by one, however the bytes are cut', () => {
  const bytes = bytesOf(REPLIES.join('').repeat(2));
  const expected = countReplies([bytes], 1);
  assert.equal(expected.replies, 2 * REPLIES.filter((text) => !text.startsWith('>')).length);
  for (const limit of [1, 2, 5, Infinity]) {
    for (const chunks of everySplit(bytes)) {
      const { replies, error } = countReplies(chunks, limit);
      assert.deepEqual({ replies, error }, { replies: expected.replies, error: null });
    }
  }
});

test('a push by itself is a frame, and no reply', () => {
  const framer = new ReplyFramer();
  const bytes = bytesOf('>1\r\n+a\r\n');
  assert.equal(framer.scan(bytes, 0, bytes.length, 1), bytes.length);
  assert.deepEqual([framer.completed, framer.frameType, framer.isInFrame], [0, PUSH_TYPE, false]);
});

test('an attribute belongs to the value behind it', () => {
  const framer = new ReplyFramer();
  const bytes = bytesOf('|1\r\n+ttl\r\n:1\r\n');
  assert.equal(framer.scan(bytes, 0, bytes.length, 1), bytes.length);
  assert.deepEqual([framer.completed, framer.isInFrame], [0, true]);
  const value = bytesOf('+OK\r\n');
  framer.scan(value, 0, value.length, 1);
  assert.deepEqual([framer.completed, framer.isInFrame], [1, false]);
});

test('streamed types and everything else that begins no reply are refused at the same byte', () => {
  for (const text of REFUSED_REPLIES) {
    const bytes = bytesOf(`+OK\r\n${text}`);
    const { ends, error, errorAt } = readFrames(byteByByte(bytes));
    assert.deepEqual(ends, [5]);
    assert.notEqual(error, null, JSON.stringify(text));
    for (let end = 5; end <= bytes.length; end += 1) {
      for (const chunks of everySplit(bytes.subarray(0, end))) {
        const reading = readFrames(chunks);
        assert.deepEqual(reading.ends, [5]);
        assert.equal(reading.error, end >= errorAt ? error : null, JSON.stringify(text));
      }
    }
  }
});

test('the error says what was found', () => {
  const framer = new ReplyFramer();
  const bytes = bytesOf('HTTP/1.1');
  assert.throws(
    () => framer.scan(bytes, 0, bytes.length, 1),
    (error) =>
      error instanceof ReplyProtocolError &&
      error.message === 'the upstream sent a byte that begins no reply: 0x48',
  );
});

test('100,000 levels of nesting need no stack and no memory', () => {
  for (const open of ['*1\r\n', '~1\r\n', '%1\r\n+k\r\n', '|1\r\n+k\r\n', '>1\r\n']) {
    const levels = 100_000;
    const closing = open.startsWith('|') ? ':1\r\n'.repeat(levels + 1) : ':1\r\n';
    const bytes = bytesOf(open.repeat(levels) + closing);
    const whole = readFrames([bytes]);
    assert.deepEqual(whole.ends, [bytes.length], open);
    assert.deepEqual(readFrames([bytes.subarray(0, 7), bytes.subarray(7)]), whole);
  }
});

test('a declared size allocates nothing and is believed', () => {
  const before = process.memoryUsage();
  const framers = Array.from({ length: 1000 }, () => {
    const framer = new ReplyFramer();
    const bytes = bytesOf('*1000000000\r\n$536870912\r\nabc');
    framer.scan(bytes, 0, bytes.length, 1);
    assert.ok(framer.isInFrame);
    return framer;
  });
  const after = process.memoryUsage();
  assert.equal(framers.length, 1000);
  assert.ok(after.arrayBuffers - before.arrayBuffers < 4 * 1024 * 1024);
  assert.ok(after.rss - before.rss < 64 * 1024 * 1024);
});

test('a value of 4 GB streams through', () => {
  const framer = new ReplyFramer();
  const head = bytesOf('$4294967296\r\n');
  framer.scan(head, 0, head.length, 1);
  const chunk = Buffer.alloc(1024 * 1024, '\n');
  for (let sent = 0; sent < 4096; sent += 1) {
    assert.equal(framer.scan(chunk, 0, chunk.length, 1), chunk.length);
    assert.equal(framer.completed, 0);
  }
  const end = bytesOf('\r\n+OK\r\n');
  assert.equal(framer.scan(end, 0, end.length, 1), 2);
  assert.equal(framer.completed, 1);
});

test('the bytes of the unfinished frame are counted from its beginning', () => {
  const framer = new ReplyFramer();
  const bytes = bytesOf('+OK\r\n$10\r\nabcdefghij\r\n+OK\r\n');
  const seen: number[] = [];
  for (const byte of byteByByte(bytes)) {
    framer.scan(byte, 0, 1, 1);
    seen.push(framer.unfinishedBytes);
  }
  const expected = [
    1,
    2,
    3,
    4,
    0,
    ...Array.from({ length: 16 }, (_, i) => i + 1),
    0,
    1,
    2,
    3,
    4,
    0,
  ];
  assert.deepEqual(seen, expected);
  const { unfinishedBytes } = countReplies([bytes.subarray(0, 15)], 5);
  assert.equal(unfinishedBytes, 10);
});

test('a long line arrives byte by byte in linear time', () => {
  const framer = new ReplyFramer();
  const bytes = bytesOf(`+${'x'.repeat(1_000_000)}\r\n`);
  for (let pos = 0; pos < bytes.length; pos += 1) framer.scan(bytes, pos, pos + 1, 1);
  assert.deepEqual([framer.completed, framer.isInFrame], [1, false]);
});
