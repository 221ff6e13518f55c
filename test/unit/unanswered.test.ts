import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCommand } from '../../src/resp/encoder.js';
import { Gather } from '../../src/upstream/gather.js';
import { MAX_KEPT_BYTES, Unanswered, type Requests } from '../../src/upstream/unanswered.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { integerBelow, property } from '../helpers/fuzz.js';

function piece(...commands: string[]): Buffer {
  return Buffer.concat(commands.map((command) => encodeCommand(command.split(' '))));
}

function shown(runs: readonly Requests[]): [number, string[] | null][] {
  return runs.map(({ count, requests }) => [count, requests && commandsIn(requests)]);
}

test('the oldest that has not been answered comes first, wherever pieces begin', () => {
  const log = new Unanswered();
  log.note(piece('A', 'B', 'C'), 3);
  log.note(piece('D'), 1);
  log.note(piece('E', 'F'), 2);
  assert.deepEqual(shown(log.take(5, 3)), [[3, ['B', 'C', 'D']]]);
  assert.deepEqual(shown(log.take(2, 2)), [[2, ['E', 'F']]]);
  assert.ok(log.isEmpty);
});

test('what was not kept is said to be so, in its place', () => {
  const log = new Unanswered();
  log.note(piece('A'), 1);
  log.note(null, 2);
  log.note(null, 1);
  log.note(piece('B', 'C'), 2);
  assert.deepEqual(shown(log.take(6, 5)), [
    [1, ['A']],
    [3, null],
    [1, ['B']],
  ]);
  assert.deepEqual(shown(log.take(3, 3)), [
    [1, ['C']],
    [2, null],
  ]);
});

test('I6: beyond its limit nothing more is kept, until enough has been answered', () => {
  const log = new Unanswered();
  const large = piece(`SET k ${'x'.repeat(MAX_KEPT_BYTES / 2)}`);
  log.note(large, 1);
  log.note(large, 1);
  log.note(piece('SMALL'), 1);
  log.settle(2);
  log.note(piece('NEXT'), 1);
  assert.deepEqual(
    log.take(3, 3).map(({ count, requests }) => [count, requests?.length ?? null]),
    [
      [1, null],
      [2, piece('SMALL', 'NEXT').length],
    ],
  );
});

test('what comes back does not change when the buffer it stood in is filled again', () => {
  const log = new Unanswered();
  const buffer = piece('GET a', 'GET b');
  log.note(buffer, 2);
  const [first] = log.take(2, 1);
  buffer.fill('x');
  assert.deepEqual(commandsIn(first!.requests!), ['GET a']);
});

test('I5: bytes that do not hold as many commands are a fault of ours, not to be passed over', () => {
  const log = new Unanswered();
  log.note(piece('A'), 2);
  assert.throws(() => log.take(2, 2), /I5/);
});

/** A connection's side of it: commands are gathered, written and answered, in any rhythm. */
class Conversation {
  isTaken = true;
  readonly gather = new Gather(() => this.isTaken);
  readonly written: Buffer[] = [];
  /** Commands in flight, oldest first; null: it is not to come back. */
  readonly expected: (string | null)[] = [];
  /** What was written, as it must have arrived. */
  readonly said: string[] = [];
  #next = 0;

  add(count: number, bytes: number): void {
    const commands = Array.from({ length: count }, () => this.#name(bytes));
    const run = piece(...commands);
    this.gather.add(run, 0, run.length, count);
    this.expected.push(...commands);
    this.said.push(...commands);
  }

  /** One command in three parts. */
  stream(bytes: number): void {
    const name = this.#name(bytes);
    const frame = piece(name);
    const cuts = [0, Math.floor(frame.length / 3), Math.floor(frame.length / 2), frame.length];
    cuts.slice(1).forEach((end, index) => {
      const part = Buffer.from(frame.subarray(cuts[index], end));
      this.gather.add(part, 0, part.length, end === frame.length ? 1 : 0);
    });
    this.expected.push(null);
    this.said.push(name);
  }

  flush(): void {
    // Copied, as by a kernel; what a stream holds is checked by `Held` below.
    this.written.push(...this.gather.take(this.expected.length).map((one) => Buffer.from(one)));
  }

  answer(count: number): void {
    this.expected.splice(0, count);
    if (this.expected.length === 0) this.gather.allAnswered();
  }

  #name(bytes: number): string {
    this.#next += 1;
    return `E${this.#next} ${'x'.repeat(bytes)}`;
  }
}

property('I5: whatever is in flight when the connection dies comes back exactly', 200, (random) => {
  const talk = new Conversation();
  let isFlushed = true;
  for (let step = 0; step < 120; step += 1) {
    const action = integerBelow(random, 10);
    if (action < 4) talk.add(1 + integerBelow(random, 4), integerBelow(random, 3000));
    else if (action === 4) talk.add(1, 9000 + integerBelow(random, 3000));
    else if (action === 5) talk.stream(integerBelow(random, 20_000));
    if (action < 6 && isFlushed) isFlushed = false;
    if (action === 6 || action === 7) {
      talk.flush();
      isFlushed = true;
    }
    if (action >= 8 && isFlushed) talk.answer(integerBelow(random, talk.expected.length + 1));
    if (action === 9 && isFlushed) talk.gather.begin();
  }
  talk.flush();
  assert.deepEqual(commandsIn(Buffer.concat(talk.written)), talk.said);
  const found: (string | null)[] = [];
  for (let left = talk.expected.length; left > 0;) {
    const count = Math.min(left, 1 + integerBelow(random, 5));
    for (const { count: some, requests } of talk.gather.takeRequests(left, count))
      found.push(...(requests === null ? new Array<null>(some).fill(null) : commandsIn(requests)));
    left -= count;
  }
  assert.deepEqual(found, talk.expected);
});

test('what the stream still holds is not overwritten, whether it is kept or not', () => {
  for (const count of [1, 0]) {
    const gather = new Gather(() => false);
    const held: Buffer[] = [];
    const words: string[] = [];
    for (let tick = 0; tick < 40; tick += 1) {
      gather.begin();
      const word = `E${tick} ${'y'.repeat(5000)}`;
      const frame = piece(word);
      gather.add(frame, 0, frame.length, count);
      words.push(word);
      held.push(...gather.take(count));
      if (count === 1) gather.allAnswered();
    }
    assert.deepEqual(commandsIn(Buffer.concat(held)), words);
  }
});

test('a tick that fills several buffers overwrites none of them', () => {
  const gather = new Gather(() => true);
  const words = Array.from({ length: 100 }, (_, index) => `E${index} ${'z'.repeat(4000)}`);
  for (const word of words) {
    const frame = piece(word);
    gather.add(frame, 0, frame.length, 0);
  }
  assert.deepEqual(commandsIn(Buffer.concat(gather.take(0))), words);
});

test('a conversation needs no more buffers than its commands in flight fill', () => {
  const gather = new Gather(() => true);
  const frame = piece(`SET k ${'x'.repeat(1000)}`);
  const buffers = new Set<ArrayBufferLike>();
  for (let sent = 0; sent < 10_000; sent += 1) {
    gather.begin();
    gather.add(frame, 0, frame.length, 1);
    // A hundred are always in flight.
    for (const { buffer } of gather.take(Math.min(sent + 1, 100))) buffers.add(buffer);
  }
  assert.ok(buffers.size <= 6, `${buffers.size} buffers`);
});
