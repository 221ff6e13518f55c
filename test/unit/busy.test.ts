/** What tells when a busy upstream serves again: one question for all who wait, asked ever more seldom. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Busy, isBusyReply } from '../../src/upstream/busy.js';
import { silentLogger } from '../../src/base/logger.js';
import { FakeClock } from '../helpers/fake-clock.js';

const BUSY =
  '-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n';

class BusyStage {
  readonly clock = new FakeClock();
  /** `asked`, `busy`, `over after 25 ms`, and what waiting tasks say. */
  readonly events: string[] = [];
  private answered: ((reply: Buffer | null) => void) | null = null;
  readonly busy = new Busy({
    clock: this.clock,
    random: () => 0.5,
    logger: silentLogger,
    ask: (answered) => {
      this.events.push('asked');
      this.answered = answered;
    },
    onChange: (episodeMs) =>
      this.events.push(episodeMs === null ? 'busy' : `over after ${episodeMs} ms`),
  });

  /** The upstream's answer to what was asked last. */
  answer(reply: string | null): void {
    this.answered!(reply === null ? null : Buffer.from(reply));
  }

  waiter(name: string): () => void {
    return () => this.events.push(name);
  }

  /** How long it takes until it is asked again. */
  pauseMs(): number {
    const before = this.clock.now();
    while (!this.events.includes('asked')) this.clock.advance(1);
    this.events.splice(this.events.indexOf('asked'), 1);
    return this.clock.now() - before;
  }
}

test('one question finds the end of an episode for everybody who waits', () => {
  const stage = new BusyStage();
  const { busy, clock, events } = stage;
  busy.met();
  busy.met();
  busy.whenOver(stage.waiter('ann'));
  busy.whenOver(stage.waiter('bob'));
  assert.ok(busy.isBusy);
  clock.advance(10);
  assert.deepEqual(events, ['busy', 'asked']);
  stage.answer('+PONG\r\n');
  assert.deepEqual(events, ['busy', 'asked', 'over after 10 ms', 'ann', 'bob']);
});

test('it is asked again after pauses that grow to two seconds, never twice at a time', () => {
  const stage = new BusyStage();
  stage.busy.met();
  const pauses: number[] = [];
  for (let time = 0; time < 18; time += 1) {
    pauses.push(stage.pauseMs());
    // As long as no answer comes, nothing else is asked.
    stage.clock.advance(5000);
    assert.ok(!stage.events.includes('asked'));
    stage.answer(BUSY);
  }
  assert.deepEqual(pauses.slice(0, 3), [10, 15, 23]);
  assert.deepEqual(pauses.slice(-2), [2000, 2000]);
});

test('each episode begins with the shortest pause', () => {
  const stage = new BusyStage();
  for (let episode = 0; episode < 2; episode += 1) {
    stage.busy.met();
    for (const pauseMs of [10, 15, 23]) {
      assert.equal(stage.pauseMs(), pauseMs);
      stage.answer(BUSY);
    }
    stage.pauseMs();
    stage.answer('+PONG\r\n');
    assert.ok(!stage.busy.isBusy);
  }
});

test('any other reply ends it, and so does a connection on which none comes', () => {
  for (const reply of ['+PONG\r\n', '-LOADING Redis is loading the dataset in memory\r\n', null]) {
    const stage = new BusyStage();
    stage.busy.met();
    stage.clock.advance(10);
    stage.clock.advance(15);
    stage.answer(reply);
    assert.deepEqual(stage.events, ['busy', 'asked', 'over after 25 ms']);
    stage.clock.advance(60_000);
    assert.equal(stage.events.length, 3);
  }
});

test('whoever waits is told after everybody has heard that it is over, once, in turn', () => {
  const stage = new BusyStage();
  const { busy, events } = stage;
  const gone = stage.waiter('gone');
  busy.met();
  busy.whenOver(stage.waiter('ann'));
  busy.whenOver(gone);
  busy.whenOver(stage.waiter('bob'));
  busy.neverMind(gone);
  busy.end();
  assert.deepEqual(events, ['busy', 'over after 0 ms', 'ann', 'bob']);
  busy.end();
  assert.equal(events.length, 4);
});

test('whoever waits for nothing is told at once', () => {
  const stage = new BusyStage();
  stage.busy.whenOver(stage.waiter('ann'));
  assert.deepEqual(stage.events, ['ann']);
});

test('who meets the next script right away waits for the next episode', () => {
  const stage = new BusyStage();
  const { busy, events } = stage;
  const again = (): void => {
    events.push('ann');
    busy.met();
    busy.whenOver(stage.waiter('ann again'));
  };
  busy.met();
  busy.whenOver(again);
  busy.end();
  assert.deepEqual(events, ['busy', 'over after 0 ms', 'ann', 'busy']);
  stage.pauseMs();
  stage.answer('+PONG\r\n');
  assert.equal(events.at(-1), 'ann again');
});

test('an answer to what an earlier episode asked says nothing of this one', () => {
  const stage = new BusyStage();
  const { busy, clock } = stage;
  busy.met();
  clock.advance(10);
  busy.end();
  clock.advance(1);
  busy.met();
  stage.answer('+PONG\r\n');
  assert.ok(busy.isBusy);
});

test('when the upstream is given up nobody is asked any more', () => {
  const stage = new BusyStage();
  stage.busy.met();
  stage.busy.end();
  stage.clock.advance(60_000);
  assert.deepEqual(stage.events, ['busy', 'over after 0 ms']);
  assert.equal(stage.clock.timerCount, 0);
});

test('the figures of an episode: since when, how long, how many have waited', () => {
  const { busy, clock } = new BusyStage();
  assert.equal(busy.sinceMs, null);
  assert.equal(busy.episodeMs, null);
  busy.met();
  busy.noteWaiting(2);
  busy.noteWaiting(3);
  clock.advance(7);
  assert.equal(busy.sinceMs, 1000);
  assert.equal(busy.episodeMs, 7);
  assert.equal(busy.commandsWaited, 5);
  busy.end();
  busy.met();
  assert.equal(busy.commandsWaited, 0);
});

test('the words of servers are known, those of anybody else are not', () => {
  const words = 'is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.';
  for (const busy of [
    `-BUSY Redis ${words}`,
    `-BUSY Valkey ${words}`,
    '-BUSY Redis is busy running a module command.',
    `-EXECABORT Transaction discarded because of: BUSY Redis ${words}`,
  ])
    assert.ok(isBusyReply(Buffer.from(`${busy}\r\n`)), busy);
  for (const other of [
    '-BUSYKEY Target key name already exists.',
    '-BUSYGROUP Consumer Group name already exists',
    '-BUSY come again later',
    '-EXECABORT Transaction discarded because of previous errors.',
    '-ERR BUSY Redis is busy running a script.',
  ])
    assert.ok(!isBusyReply(Buffer.from(`${other}\r\n`)), other);
});
