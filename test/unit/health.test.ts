/** The condition of the whole: which event leads where, and what is told to whom, in which order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TimeoutError } from '../../src/upstream/connection.js';
import { CHANGE_OVER_MS, FAILURES, TestHealth } from '../helpers/test-health.js';

const CAUSE = new Error('gone');

test('failures one after the other are an outage, and a single one is not', () => {
  const whole = new TestHealth();
  for (let count = 1; count < FAILURES; count += 1) whole.health.upstreamFailed(CAUSE);
  assert.equal(whole.health.mode, 'through');
  assert.deepEqual(whole.seen(), []);
  whole.health.upstreamFailed(CAUSE);
  assert.deepEqual(whole.seen(), ['store begins', 'mode outage', 'upstream suspended']);
});

test('what went well in between was noticed, at the latest after a second', () => {
  const whole = new TestHealth();
  for (let count = 0; count < 3 * FAILURES; count += 1) {
    whole.replies += 1;
    if (count % 2 === 0) whole.clock.advance(1000);
    whole.health.upstreamFailed(CAUSE);
  }
  assert.equal(whole.health.mode, 'through');
  assert.equal(whole.breaker.consecutiveFailures, 1);
});

test('a reply that says that the upstream cannot serve did not go well', () => {
  const whole = new TestHealth();
  for (let count = 0; count < FAILURES; count += 1) {
    whole.replies += 1;
    whole.health.upstreamRefused(CAUSE);
  }
  assert.equal(whole.health.mode, 'outage');
});

test('silence, and commands that were held for too long, are an outage at once', () => {
  const [silent, held] = [new TestHealth(), new TestHealth()];
  silent.health.upstreamFailed(new TimeoutError('no reply within 2000 ms'));
  held.health.holdExpired(CAUSE);
  assert.deepEqual([silent.health.mode, held.health.mode], ['outage', 'outage']);
});

test('the probe decides: no, and it goes on; yes, and the journal is replayed', () => {
  const whole = new TestHealth().away();
  whole.probed(CAUSE);
  assert.deepEqual([whole.health.mode, whole.seen()], ['outage', []]);
  whole.probed(null);
  assert.deepEqual(whole.seen(), ['upstream resumed', 'mode replaying', 'replayer starts']);
});

test('I4: it is over when everything is applied, and the cursor goes last', () => {
  const whole = new TestHealth().away().hold(3);
  whole.probed(null);
  whole.seen();
  whole.applied(2);
  assert.deepEqual(whole.seen(), ['mode change-over']);
  whole.caughtUp();
  assert.deepEqual(whole.seen(), [
    ...['replayer stops', 'mode through', 'store ends', 'cursor deleted'],
  ]);
});

test('I4: it is not over while a write is on its way, to the store or to the journal', () => {
  const whole = new TestHealth().back();
  whole.write();
  whole.caughtUp();
  assert.notEqual(whole.health.mode, 'through');
  whole.wrote();
  whole.caughtUp();
  assert.notEqual(whole.health.mode, 'through', 'it is at the journal');
  whole.journal.settle();
  whole.clock.endTick();
  assert.notEqual(whole.health.mode, 'through', 'it has not been replayed');
  whole.caughtUp();
  assert.equal(whole.health.mode, 'through');
});

test('it is over when the last write on its way comes to nothing', () => {
  const whole = new TestHealth().back();
  whole.write();
  whole.caughtUp();
  whole.desk.leave(10);
  whole.clock.endTick();
  assert.equal(whole.health.mode, 'through');
});

test('idleness alone is not its end: the replayer has to have heard the upstream first', () => {
  const whole = new TestHealth().back();
  whole.write();
  whole.desk.leave(10);
  whole.clock.endTick();
  assert.equal(whole.health.mode, 'replaying');
  whole.caughtUp();
  assert.equal(whole.health.mode, 'through');
});

test('writes are held when few records are left, and not for longer than they may', () => {
  const whole = new TestHealth().away().hold(2000);
  whole.probed(null);
  whole.seen();
  whole.applied(1400);
  assert.deepEqual(whole.seen(), []);
  whole.applied(1500);
  assert.deepEqual(whole.seen(), ['mode change-over']);
  whole.clock.advance(CHANGE_OVER_MS);
  assert.deepEqual(whole.seen(), ['mode replaying']);
  whole.applied(1600);
  assert.deepEqual(whole.seen(), ['mode change-over'], 'and tried again');
});

test('a change-over that has succeeded is not undone by its own timer', () => {
  const whole = new TestHealth().away().hold(2);
  whole.probed(null);
  whole.caughtUp();
  whole.seen();
  whole.away();
  whole.clock.advance(200);
  assert.equal(whole.health.mode, 'outage');
  whole.clock.advance(CHANGE_OVER_MS);
  assert.equal(whole.health.mode, 'outage');
});

test('who waits is told of each step, once', () => {
  const whole = new TestHealth().away().hold(2000);
  const told: string[] = [];
  const wait = (): void => whole.health.whenMoved(() => told.push(whole.health.mode));
  wait();
  whole.probed(null);
  whole.clock.endTick();
  assert.deepEqual(told, ['replaying']);
  whole.applied(10);
  assert.deepEqual(told, ['replaying'], 'nobody has asked again');
  wait();
  wait();
  whole.applied(20);
  assert.deepEqual(told, ['replaying', 'replaying', 'replaying']);
});

test('a replay that fails is an outage again, and nothing is lost', () => {
  for (const upTo of [0, 1900]) {
    const whole = new TestHealth().away().hold(2000);
    whole.probed(null);
    whole.applied(upTo);
    whole.seen();
    whole.failed();
    assert.deepEqual(whole.seen(), ['mode outage', 'upstream suspended'], 'the store stays');
    whole.clock.advance(CHANGE_OVER_MS / 10);
    assert.equal(whole.health.mode, 'outage');
    whole.probed(null);
    whole.caughtUp();
    assert.equal(whole.health.mode, 'through');
  }
});

test('the breaker opens in the midst of a replay: the replayer stops before the store is asked', () => {
  for (const upTo of [0, 1900]) {
    const whole = new TestHealth().away().hold(2000);
    whole.probed(null);
    whole.applied(upTo);
    whole.seen();
    whole.health.upstreamFailed(new TimeoutError('silence'));
    assert.deepEqual(whole.seen(), ['replayer stops', 'mode outage', 'upstream suspended']);
  }
});

test('held closed by an operator, a replay that fails is tried again by itself', () => {
  const whole = new TestHealth().away().hold(3);
  whole.breaker.force('closed');
  assert.equal(whole.health.mode, 'replaying');
  whole.failed();
  assert.equal(whole.health.mode, 'replaying');
  whole.clock.advance(1000);
  assert.ok(whole.replayer.isActive);
  whole.caughtUp();
  assert.equal(whole.health.mode, 'through');
});

test('held open by an operator, it stays an outage until the operator says otherwise', () => {
  const whole = new TestHealth();
  whole.breaker.force('open');
  assert.deepEqual(whole.seen(), ['store begins', 'mode outage', 'upstream suspended']);
  whole.clock.advance(60_000);
  assert.equal(whole.answerProbe, null);
  whole.breaker.force('auto');
  whole.probed(null);
  whole.caughtUp();
  assert.equal(whole.health.mode, 'through');
});

test('records of an earlier run are replayed before anything is let through', () => {
  const whole = new TestHealth();
  whole.journal.lastSeq = whole.journal.settledSeq = 7;
  whole.health.start();
  assert.deepEqual(whole.seen(), ['store begins', 'mode replaying', 'replayer starts']);
  assert.ok(!whole.health.isReadable(0, [Buffer.from('any')]), 'nobody knows what they touch');
  whole.caughtUp();
  assert.equal(whole.health.mode, 'through');
});

test('and an upstream that is not there then is an outage', () => {
  const whole = new TestHealth();
  whole.journal.lastSeq = whole.journal.settledSeq = 7;
  whole.health.start();
  whole.failed();
  assert.equal(whole.health.mode, 'outage');
});

test('a journal that is empty at the start is no reason to wait', () => {
  const whole = new TestHealth();
  whole.health.start();
  assert.equal(whole.health.mode, 'through');
  assert.deepEqual(
    whole.seen(),
    ['cursor deleted'],
    'of a process that was killed at its very end',
  );
});

test('I4: a key is readable when no record that touches it waits', () => {
  const whole = new TestHealth().away().hold(3);
  whole.probed(null);
  const [k, other] = [Buffer.from('k'), Buffer.from('other')];
  assert.ok(whole.health.isReadable(0, [other]));
  assert.ok(!whole.health.isReadable(0, [other, k]));
  assert.ok(whole.health.isReadable(5, [k]), 'it is the same name in another database');
  assert.ok(!whole.health.isReadable(0, null), 'what cannot tell its keys waits for all');
  whole.applied(3);
  assert.ok(whole.health.isReadable(0, [k]) && whole.health.isReadable(0, null));
  whole.write();
  assert.ok(whole.health.isReadable(0, [k]), 'nobody was told of that write yet');
});

test('a store that is ahead of the journal is made again from it', () => {
  const whole = new TestHealth().away();
  whole.write();
  whole.journal.problem = new Error('the disk is full');
  assert.throws(() => whole.wrote());
  assert.deepEqual(whole.seen(), ['store made again']);
});

test('how long it has lasted is known from the first failure to the last record', () => {
  const whole = new TestHealth();
  assert.equal(whole.health.outageMs, null);
  whole.away().hold(2);
  whole.clock.advance(200);
  whole.probed(CAUSE);
  whole.probed(null);
  const soFar = whole.health.outageMs!;
  assert.ok(soFar >= 200);
  whole.failed();
  assert.ok(whole.health.outageMs! >= soFar, 'it is still the same one');
  whole.probed(null);
  whole.caughtUp();
  assert.equal(whole.health.outageMs, null);
});

test('after the end nothing begins any more', () => {
  const whole = new TestHealth().away().hold(3);
  whole.breaker.force('closed');
  whole.failed();
  whole.health.stop();
  whole.seen();
  whole.clock.advance(60_000);
  assert.deepEqual([whole.seen(), whole.replayer.isActive, whole.answerProbe], [[], false, null]);
  assert.equal(whole.clock.timerCount, 0);
});
