/** The books between the outage store, which has answered, and the journal, which must have it first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Journal } from '../../src/journal/journal.js';
import { JournalDesk, type Depositor, type Keys } from '../../src/outage/journal-desk.js';
import { PendingKeys } from '../../src/outage/pending-keys.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { HandJournal } from '../helpers/hand-journal.js';
import { encodeCommand } from '../helpers/raw-client.js';

/** A desk, its journal, and everything that happens at it, in order. */
class TestDesk {
  readonly clock = new FakeClock();
  readonly journal = new HandJournal();
  readonly pendingKeys = new PendingKeys();
  readonly desk: JournalDesk;
  readonly events: string[] = [];

  constructor() {
    const note = (event: string) => (): void => void this.events.push(event);
    this.desk = new JournalDesk({
      clock: this.clock,
      pendingKeys: this.pendingKeys,
      onIdle: note('idle'),
      onSettled: note('replay'),
      onStoreAhead: note('store ahead'),
      onReleased: note('write out'),
    });
    this.desk.serve(this.journal as unknown as Journal);
    this.journal.onSettled = (throughSeq, problem) => this.desk.settled(throughSeq, problem);
  }

  readonly depositor = (name: string): Depositor => ({
    settled: (count, problem) => {
      const word = problem === null ? `${name} ok` : `${name}: ${problem.message}`;
      this.events.push(...Array<string>(count).fill(word));
    },
    release: () => void this.events.push(`${name} answers`),
  });

  /** Hands in a write of `keys` that the store has applied. */
  readonly hand = (depositor: Depositor, keys: Keys = [Buffer.from('k')], db = 0): void => {
    const bytes = encodeCommand('SET', 'k', 'v');
    this.desk.enter(bytes.length);
    this.desk.append(depositor, bytes.length, { db, flags: 0, commands: 1, bytes }, keys);
  };

  /** The events since the last look; the tick has ended. */
  readonly seen = (): string[] => {
    this.clock.endTick();
    return this.events.splice(0);
  };
}

test('I3: who handed something in is told when the journal has it, then answers, then it can be replayed', () => {
  const { desk, journal, hand, depositor, seen } = new TestDesk();
  hand(depositor('ann'));
  assert.deepEqual(seen(), []);
  assert.ok(!desk.isIdle);
  journal.settle();
  assert.deepEqual(seen(), ['ann ok', 'ann answers', 'replay', 'write out', 'idle']);
  assert.ok(desk.isIdle);
});

test('each is told of each of its writes, and answers once for all that one commit has settled', () => {
  const { journal, hand, depositor, seen } = new TestDesk();
  const [ann, bob] = [depositor('ann'), depositor('bob')];
  [ann, bob, ann, bob].forEach((one) => hand(one));
  journal.settle(3);
  assert.deepEqual(seen(), [
    ...['ann ok', 'bob ok', 'ann ok', 'ann answers', 'bob answers', 'replay', 'write out'],
  ]);
  journal.settle();
  assert.deepEqual(seen(), ['bob ok', 'bob answers', 'replay', 'write out', 'idle']);
});

test('what the journal has lost is told as lost, and the store is ahead of it', () => {
  const { journal, hand, depositor, seen } = new TestDesk();
  hand(depositor('ann'));
  hand(depositor('bob'));
  journal.fail(new Error('fsync failed'));
  assert.deepEqual(seen(), [
    ...['ann: fsync failed', 'bob: fsync failed', 'ann answers', 'bob answers', 'write out'],
    ...['store ahead', 'idle'],
  ]);
});

test('after a loss the next records are told by themselves', () => {
  const { journal, hand, depositor, seen } = new TestDesk();
  hand(depositor('ann'));
  journal.fail(new Error('fsync failed'));
  hand(depositor('bob'));
  seen();
  journal.settle();
  assert.deepEqual(seen(), ['bob ok', 'bob answers', 'replay', 'write out', 'idle']);
});

test('what the journal does not take is thrown back, and leaves nothing on the way', () => {
  const { desk, journal, hand, depositor, seen } = new TestDesk();
  journal.problem = new Error('the disk is full');
  assert.throws(() => hand(depositor('ann')), /the disk is full/);
  assert.deepEqual(new Set(seen()), new Set(['idle', 'store ahead']));
  assert.ok(desk.isIdle);
  hand(depositor('bob'));
  journal.settle();
  assert.deepEqual(seen().slice(0, 2), ['bob ok', 'bob answers']);
});

test('a store that is ahead is made anew once, however much the journal refuses in one tick', () => {
  const { journal, hand, depositor, seen } = new TestDesk();
  for (let time = 0; time < 3; time += 1) {
    journal.problem = new Error('the disk is full');
    assert.throws(() => hand(depositor('ann')));
  }
  assert.equal(seen().filter((event) => event === 'store ahead').length, 1);
});

test('a write that the store refused is not waited for', () => {
  const { desk, seen } = new TestDesk();
  desk.enter(100);
  desk.enter(50);
  assert.ok(!desk.isIdle);
  desk.leave(100);
  assert.deepEqual(seen(), []);
  desk.leave(50);
  assert.deepEqual(seen(), ['idle']);
});

test('nobody is told of idleness that is over before the tick ends', () => {
  const { desk, seen } = new TestDesk();
  desk.enter(100);
  desk.leave(100);
  desk.enter(100);
  assert.deepEqual(seen(), []);
});

test('I6: room is asked for with all that is on its way to the journal', () => {
  const { desk, journal, hand, depositor } = new TestDesk();
  desk.enter(1000);
  desk.refusal(10);
  assert.equal(journal.askedBytes, 1010);
  hand(depositor('ann'));
  desk.refusal(10);
  assert.equal(journal.askedBytes, 1010, 'what the journal has it counts itself');
  desk.leave(1000);
  desk.refusal(10);
  assert.equal(journal.askedBytes, 10);
  journal.refusesBecause = 'the journal is full';
  assert.equal(desk.refusal(10)?.message, 'the journal is full');
});

test('I4: the keys of a record are known to wait from the moment it is handed in', () => {
  const { hand, depositor, pendingKeys } = new TestDesk();
  const [k, j] = [Buffer.from('k'), Buffer.from('j')];
  hand(depositor('ann'), [k, j], 3);
  hand(depositor('ann'), [j], 3);
  assert.deepEqual(
    [pendingKeys.seqOf(3, k), pendingKeys.seqOf(3, j), pendingKeys.seqOf(0, k)],
    [1, 2, 0],
  );
  hand(depositor('ann'), null);
  assert.equal(pendingKeys.seqOf(0, k), 3, 'a record whose keys cannot be told counts for all');
});

test('one that answers may hand in the next at once', () => {
  const { journal, desk, events, hand, depositor, seen } = new TestDesk();
  const bob = depositor('bob');
  const ann: Depositor = {
    settled: () => void events.push('ann ok'),
    release: () => hand(bob),
  };
  hand(ann);
  journal.settle();
  assert.deepEqual(seen(), ['ann ok', 'replay', 'write out']);
  assert.ok(!desk.isIdle);
  journal.settle();
  assert.deepEqual(seen(), ['bob ok', 'bob answers', 'replay', 'write out', 'idle']);
});
