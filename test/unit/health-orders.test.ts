/** The condition of the whole under whatever may happen, in random orders: what holds after every single event. */
import assert from 'node:assert/strict';
import { TimeoutError } from '../../src/upstream/connection.js';
import { property } from '../helpers/fuzz.js';
import { TestHealth } from '../helpers/test-health.js';

const CAUSE = new Error('gone');

type Step = (whole: TestHealth) => void;

/** Whatever may happen, in any order; each does nothing where it cannot be. */
const STEPS: Readonly<Record<string, Step>> = {
  failure: ({ health }) => health.upstreamFailed(CAUSE),
  silence: ({ health }) => health.upstreamFailed(new TimeoutError('silence')),
  success: (whole) => void (whole.replies += 1),
  'hold expires': ({ health }) => health.holdExpired(CAUSE),
  'probe says no': (whole) => {
    if (whole.answerProbe !== null) whole.probed(CAUSE);
  },
  'probe says yes': (whole) => {
    if (whole.answerProbe !== null) whole.probed(null);
  },
  'time passes': ({ clock }) => clock.advance(300),
  'much time passes': ({ clock }) => clock.advance(5000),
  write: (whole) => {
    if (whole.health.mode !== 'through') whole.write();
  },
  written: (whole) => {
    if (!whole.desk.isIdle && whole.journal.lastSeq === whole.journal.settledSeq) whole.wrote();
  },
  settled: ({ journal }) => journal.settle(),
  'some applied': (whole) => {
    const { replayer, journal } = whole;
    if (replayer.isActive && replayer.appliedSeq < journal.settledSeq)
      whole.applied(replayer.appliedSeq + 1);
  },
  'caught up': (whole) => {
    if (whole.replayer.isActive) whole.caughtUp();
  },
  'replay fails': (whole) => {
    if (whole.replayer.isActive) whole.failed();
  },
  'held open': ({ breaker }) => breaker.force('open'),
  'held closed': ({ breaker }) => breaker.force('closed'),
  automatic: ({ breaker }) => breaker.force('auto'),
};

function check(whole: TestHealth): void {
  const { health, breaker, journal, replayer, desk } = whole;
  const { mode } = health;
  assert.equal(mode === 'outage', breaker.state !== 'closed', 'an outage is an open breaker');
  assert.equal(whole.isSuspended, mode === 'outage', 'nothing is sent in an outage');
  assert.equal(whole.hasStore, mode !== 'through', 'the store is there when it is needed');
  if (replayer.isActive) assert.ok(mode === 'replaying' || mode === 'change-over', 'replays');
  if (mode !== 'through') return;
  assert.equal(journal.pendingRecords, 0, 'I4: nothing waits that could be overtaken');
  assert.ok(desk.isIdle, 'I4: nothing is on its way');
}

property('whatever happens in whatever order, commands go where they may', 300, (random) => {
  const whole = new TestHealth();
  const names = Object.keys(STEPS);
  const history: string[] = [];
  for (let step = 0; step < 60; step += 1) {
    const name = names[Math.floor(random() * names.length)]!;
    history.push(name);
    STEPS[name]!(whole);
    whole.clock.endTick();
    try {
      check(whole);
    } catch (error) {
      throw new Error(`${(error as Error).message} after ${history.join(', ')}`, { cause: error });
    }
  }
  // Left alone, and well, it becomes healthy.
  whole.breaker.force('auto');
  while (!whole.desk.isIdle) {
    if (whole.journal.lastSeq === whole.journal.settledSeq) whole.wrote();
    whole.journal.settle();
    whole.clock.endTick();
  }
  for (let turn = 0; turn < 5 && whole.health.mode !== 'through'; turn += 1) {
    if (whole.health.mode === 'outage') whole.probed(null);
    whole.clock.advance(2000);
    if (whole.replayer.isActive) whole.caughtUp();
    whole.clock.endTick();
  }
  assert.equal(whole.health.mode, 'through', history.join(', '));
});
