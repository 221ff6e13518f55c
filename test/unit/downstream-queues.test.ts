/** The small parts of a client's connection: what waits to be written, what has come of a command, who has to write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputTail } from '../../src/downstream/input-tail.js';
import { Outbox } from '../../src/downstream/outbox.js';
import { ReplyQueue } from '../../src/downstream/reply-queue.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { integerBelow, property, randomBytes } from '../helpers/fuzz.js';

test('replies that stand side by side in a chunk are one slice', () => {
  const queue = new ReplyQueue();
  const chunk = Buffer.from('+a\r\n+b\r\n+c\r\n');
  queue.append(chunk, 0, 4);
  queue.append(chunk, 4, 8);
  queue.append(chunk, 8, 12);
  assert.equal(queue.bytes, 12);
  const parts = queue.take(false);
  assert.equal(parts.length, 1);
  assert.equal(parts[0], chunk);
  assert.deepEqual([queue.bytes, queue.take(false)], [0, []]);
});

test('a gap, another chunk and a repeated slice begin a new one', () => {
  const queue = new ReplyQueue();
  const chunk = Buffer.from('abcdef');
  queue.append(chunk, 0, 1);
  queue.append(chunk, 2, 3);
  queue.append(chunk, 2, 3);
  queue.append(Buffer.from('xyz'), 0, 3);
  queue.append(chunk, 3, 6);
  assert.deepEqual(queue.take(false).map(String), ['a', 'c', 'c', 'xyz', 'def']);
});

test('a lagging reader keeps copies of small slices and the chunks of large ones', () => {
  const queue = new ReplyQueue();
  const chunk = Buffer.alloc(10_000, 'x');
  queue.append(chunk, 0, 10);
  queue.append(chunk, 20, 9000);
  const [small, large] = queue.take(true);
  assert.notEqual(small!.buffer, chunk.buffer);
  assert.equal(large!.buffer, chunk.buffer);
  assert.equal(small!.toString(), 'x'.repeat(10));
});

property('what is taken is what was appended', 300, (random) => {
  const queue = new ReplyQueue();
  const chunks = Array.from({ length: 3 }, () => randomBytes(random, 50));
  const expected: Buffer[] = [];
  let end = 0;
  let chunk = chunks[0]!;
  for (let step = 0; step < 20; step += 1) {
    if (integerBelow(random, 4) === 0) chunk = chunks[integerBelow(random, 3)]!;
    const start = integerBelow(random, 2) === 0 ? Math.min(end, 50) : integerBelow(random, 50);
    end = start + integerBelow(random, 51 - start);
    queue.append(chunk, start, end);
    expected.push(chunk.subarray(start, end));
  }
  const all = Buffer.concat(expected);
  assert.equal(queue.bytes, all.length);
  assert.deepEqual(Buffer.concat(queue.take(integerBelow(random, 2) === 0)), all);
});

test('an unfinished command grows in place and holds only what has come', () => {
  const tail = new InputTail();
  assert.ok(tail.isEmpty);
  tail.keep(Buffer.from('xxabc'), 2);
  let joined = tail.join(Buffer.from('def'));
  assert.equal(joined.toString(), 'abcdef');
  tail.keep(joined, 0);
  const memory = joined.buffer;
  joined = tail.join(Buffer.from('ghi'));
  assert.equal(joined.toString(), 'abcdefghi');
  assert.equal(joined.buffer, memory);
  assert.ok(memory.byteLength <= 1024);
});

test('what is kept is a copy: the chunk it came in is free', () => {
  const tail = new InputTail();
  const chunk = Buffer.from('abc');
  tail.keep(chunk, 0);
  chunk.fill('x');
  assert.equal(tail.join(Buffer.from('d')).toString(), 'abcd');
});

test('once a part was consumed the rest moves, so that the consumed bytes are never overwritten', () => {
  const tail = new InputTail();
  tail.keep(Buffer.from('abc'), 0);
  const joined = tail.join(Buffer.from('def'));
  tail.keep(joined, 4);
  const next = tail.join(Buffer.from('ghi'));
  assert.equal(next.toString(), 'efghi');
  assert.equal(joined.toString(), 'abcdef');
  assert.notEqual(next.buffer, joined.buffer);
});

test('nothing is kept when everything was consumed', () => {
  const tail = new InputTail();
  tail.keep(Buffer.from('abc'), 3);
  assert.ok(tail.isEmpty);
  tail.keep(Buffer.from('abc'), 0);
  tail.clear();
  assert.ok(tail.isEmpty);
  assert.equal(tail.join(Buffer.from('x')).toString(), 'x');
});

test('a megabyte that comes byte by byte costs linear time and twice its size', () => {
  const tail = new InputTail();
  const byte = Buffer.from('x');
  let joined = tail.join(byte);
  for (let count = 1; count < 1_000_000; count += 1) {
    tail.keep(joined, 0);
    joined = tail.join(byte);
  }
  assert.equal(joined.length, 1_000_000);
  assert.ok(joined.buffer.byteLength <= 2_100_000, `${joined.buffer.byteLength}`);
});

property('joined bytes are what was kept and what came, whatever was consumed', 300, (random) => {
  const tail = new InputTail();
  let expected = Buffer.alloc(0);
  for (let step = 0; step < 30; step += 1) {
    const chunk = randomBytes(random, 1 + integerBelow(random, 300));
    const joined = tail.isEmpty ? chunk : tail.join(chunk);
    expected = Buffer.concat([expected, chunk]);
    assert.deepEqual(joined, expected);
    const consumed = integerBelow(random, 3) === 0 ? integerBelow(random, joined.length + 1) : 0;
    tail.keep(joined, consumed);
    expected = expected.subarray(consumed);
  }
});

test('each client is flushed once, in the order they asked', () => {
  const clock = new FakeClock();
  const outbox = new Outbox(clock);
  const flushed: string[] = [];
  outbox.add({ flush: () => flushed.push('a') });
  outbox.add({ flush: () => flushed.push('b') });
  outbox.flush();
  outbox.flush();
  assert.deepEqual(flushed, ['a', 'b']);
});

test('a flush may ask for another one', () => {
  const outbox = new Outbox(new FakeClock());
  const flushed: string[] = [];
  const again = { flush: () => flushed.push('again') };
  outbox.add({
    flush: () => {
      flushed.push('first');
      outbox.add(again);
    },
  });
  outbox.flush();
  assert.deepEqual(flushed, ['first']);
  outbox.flush();
  assert.deepEqual(flushed, ['first', 'again']);
});

test('flushing soon means once, at the end of the tick', () => {
  const clock = new FakeClock();
  const outbox = new Outbox(clock);
  let flushes = 0;
  for (let tick = 1; tick <= 2; tick += 1) {
    outbox.add({ flush: () => (flushes += 1) });
    outbox.flushSoon();
    outbox.flushSoon();
    assert.equal(flushes, tick - 1);
    clock.endTick();
    assert.equal(flushes, tick);
  }
});

test('that a chunk is still referred to is told once', () => {
  const outbox = new Outbox(new FakeClock());
  assert.equal(outbox.takeRetaining(), false);
  outbox.retains();
  outbox.retains();
  assert.equal(outbox.takeRetaining(), true);
  assert.equal(outbox.takeRetaining(), false);
});
