import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCKING, InFlight, PROMPT, SLOW, type Patience } from '../../src/upstream/in-flight.js';
import { chooseFrom, integerBelow, property } from '../helpers/fuzz.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';

test('commands come out in the order they went in', () => {
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  const fifo = new InFlight();
  fifo.push(a, 2, 10, PROMPT);
  fifo.push(b, 1, 11, SLOW);
  assert.deepEqual([fifo.size, fifo.commands], [2, 3]);
  assert.deepEqual([fifo.headReceiver(), fifo.headCount(), fifo.headSentAt()], [a, 2, 10]);
  fifo.completeHead(1);
  assert.deepEqual([fifo.headReceiver(), fifo.headCount()], [a, 1]);
  fifo.completeHead(1);
  assert.deepEqual([fifo.headReceiver(), fifo.headPatience()], [b, SLOW]);
  fifo.completeHead(1);
  assert.deepEqual([fifo.size, fifo.commands], [0, 0]);
});

test('neighbours share an entry only when everything about them is the same', () => {
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  const fifo = new InFlight();
  fifo.push(a, 1, 10, PROMPT);
  fifo.push(a, 5, 10, PROMPT);
  assert.equal(fifo.size, 1);
  fifo.push(a, 1, 11, PROMPT);
  fifo.push(a, 1, 11, SLOW);
  fifo.push(b, 1, 11, SLOW);
  assert.equal(fifo.size, 4);
  assert.equal(fifo.commands, 9);
});

test('the newest can be taken back, also a part of an entry, oldest first', () => {
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  const fifo = new InFlight();
  for (let wrapped = 0; wrapped < 60; wrapped += 1) {
    fifo.push(a, 1, wrapped, PROMPT);
    fifo.completeHead(1);
  }
  fifo.push(a, 3, 100, PROMPT);
  fifo.push(b, 2, 100, SLOW);
  fifo.push(a, 1, 100, BLOCKING);
  const tail = fifo.takeTail(5);
  assert.deepEqual(
    tail.map(({ receiver, count, patience }) => [receiver === a ? 'a' : 'b', count, patience]),
    [
      ['a', 2, PROMPT],
      ['b', 2, SLOW],
      ['a', 1, BLOCKING],
    ],
  );
  assert.deepEqual([fifo.size, fifo.commands, fifo.headCount()], [1, 1, 1]);
  assert.deepEqual(fifo.takeTail(0), []);
});

/** The same, written plainly. */
class Model {
  entries: { receiver: RecordingReceiver; count: number; sentAt: number; patience: Patience }[] =
    [];
  get commands(): number {
    return this.entries.reduce((sum, { count }) => sum + count, 0);
  }
}

property('it is a queue, however it grows and wraps around', 100, (random) => {
  const receivers = [new RecordingReceiver(), new RecordingReceiver(), new RecordingReceiver()];
  const fifo = new InFlight();
  const model = new Model();
  for (let step = 0; step < 400; step += 1) {
    const isFilling = integerBelow(random, 400) > step;
    if (isFilling || model.entries.length === 0) {
      const entry = {
        receiver: chooseFrom(random, receivers),
        count: 1 + integerBelow(random, 3),
        sentAt: step >> 2,
        patience: chooseFrom<Patience>(random, [PROMPT, SLOW, BLOCKING]),
      };
      fifo.push(entry.receiver, entry.count, entry.sentAt, entry.patience);
      model.entries.push(entry);
    } else {
      fifo.completeHead(1);
      const head = model.entries[0]!;
      head.count -= 1;
      if (head.count === 0) model.entries.shift();
    }
    assert.equal(fifo.commands, model.commands);
    const head = model.entries[0];
    if (head === undefined) continue;
    assert.equal(fifo.headReceiver(), head.receiver);
    assert.equal(fifo.headSentAt(), head.sentAt);
    assert.equal(fifo.headPatience(), head.patience);
    assert.ok(fifo.headCount() >= head.count);
  }
});

test('a million commands need no more room than those that wait', () => {
  const receiver = new RecordingReceiver();
  const fifo = new InFlight();
  for (let tick = 0; tick < 1_000_000; tick += 1) {
    fifo.push(receiver, 1, tick, PROMPT);
    if (fifo.size > 50) fifo.completeHead(1);
  }
  assert.equal(fifo.size, 50);
});
