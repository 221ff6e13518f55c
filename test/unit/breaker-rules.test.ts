import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFailureReply } from '../../src/breaker/failure.js';
import { ProbeSchedule } from '../../src/breaker/probe-schedule.js';
import { TripRule, type FailureRate } from '../../src/breaker/trip-rule.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { property } from '../helpers/fuzz.js';

const NEVER = Infinity;
const HALF_OF_TEN: FailureRate = { windowMs: 1000, minimumCalls: 10, ratio: 0.5 };

test('so many failures in a row are too many, and one success makes them fewer', () => {
  const rule = new TripRule({ clock: new FakeClock(), failures: 3, rate: null });
  assert.deepEqual(
    [rule.failed(), rule.failed(), rule.failed(), rule.failed()],
    [false, false, true, true],
  );
  rule.succeeded(1);
  assert.equal(rule.consecutiveFailures, 0);
  assert.equal(rule.failed(), false);
});

test('with one failure allowed, the first one is too many', () => {
  const rule = new TripRule({ clock: new FakeClock(), failures: 1, rate: null });
  assert.equal(rule.failed(), true);
});

test('a rate needs its minimum of calls', () => {
  const rule = new TripRule({ clock: new FakeClock(), failures: NEVER, rate: HALF_OF_TEN });
  for (let call = 1; call < 10; call += 1) assert.equal(rule.failed(), false, `call ${call}`);
  assert.equal(rule.failed(), true);
});

test('a rate is passed when it is reached', () => {
  const rule = new TripRule({ clock: new FakeClock(), failures: NEVER, rate: HALF_OF_TEN });
  rule.succeeded(6);
  for (let failure = 1; failure < 6; failure += 1) assert.equal(rule.failed(), false);
  assert.equal(rule.failed(), true, '6 of 12');
});

test('what is older than the window does not count, a tenth of it more or less', () => {
  const clock = new FakeClock();
  const rule = new TripRule({ clock, failures: NEVER, rate: HALF_OF_TEN });
  rule.succeeded(100);
  clock.advance(850);
  for (let failure = 0; failure < 20; failure += 1) assert.equal(rule.failed(), false);
  clock.advance(150);
  assert.equal(rule.failed(), true, 'the successes are forgotten');
  clock.advance(5000);
  assert.equal(rule.failed(), false, 'all is forgotten');
});

test('reset forgets the window too', () => {
  const rule = new TripRule({ clock: new FakeClock(), failures: NEVER, rate: HALF_OF_TEN });
  for (let failure = 0; failure < 9; failure += 1) rule.failed();
  rule.reset();
  assert.equal(rule.failed(), false);
});

property('the window counts what a list of calls would, to a tenth of its length', 50, (random) => {
  const clock = new FakeClock();
  const rate = { windowMs: 1000, minimumCalls: 1, ratio: 0.3 };
  const rule = new TripRule({ clock, failures: NEVER, rate });
  const calls: { atMs: number; failed: boolean }[] = [];
  const ratioSince = (atMs: number): number => {
    const seen = calls.filter((call) => call.atMs >= atMs);
    return seen.filter((call) => call.failed).length / seen.length;
  };
  for (let call = 0; call < 200; call += 1) {
    clock.advance(random() * 50);
    const failed = random() < 0.4;
    calls.push({ atMs: clock.now(), failed });
    if (!failed) {
      rule.succeeded(1);
      continue;
    }
    // The window reaches back to the beginning of one of its tenths.
    const sliceMs = rate.windowMs / 10;
    const begin = (Math.floor(clock.now() / sliceMs) - 9) * sliceMs;
    assert.equal(rule.failed(), ratioSince(begin) >= rate.ratio);
  }
});

test('pauses within an outage grow by half up to the longest', () => {
  const schedule = new ProbeSchedule({
    random: () => 0.5,
    firstPauseMs: 250,
    longestPauseMs: 1000,
  });
  schedule.opened(0);
  assert.deepEqual(
    Array.from({ length: 6 }, () => schedule.next()),
    [250, 375, 562.5, 843.75, 1000, 1000],
  );
});

test('where the longest pause is shorter than what flapping would ask for, it holds', () => {
  const schedule = new ProbeSchedule({ random: () => 0.5, firstPauseMs: 250, longestPauseMs: 400 });
  for (let outage = 0; outage < 5; outage += 1) {
    schedule.opened(outage);
    assert.ok(schedule.next() <= 400);
    schedule.closed(outage);
  }
});

property('jitter is a quarter, both ways', 20, (random) => {
  const schedule = new ProbeSchedule({ random, firstPauseMs: 400, longestPauseMs: 400 });
  schedule.opened(0);
  for (let probe = 0; probe < 100; probe += 1) {
    const pauseMs = schedule.next();
    assert.ok(pauseMs >= 300 && pauseMs <= 500, String(pauseMs));
  }
});

test('replies by which a server says that it cannot serve are failures', () => {
  for (const reply of [
    'LOADING Redis is loading the dataset in memory',
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    'CLUSTERDOWN The cluster is down',
    'MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.',
    'NOREPLICAS Not enough good replicas to write.',
    'ERR max number of clients reached',
    'ERR max number of clients + cluster connections reached',
  ]) {
    assert.equal(isFailureReply(reply, false), true, reply);
  }
});

test('READONLY is a failure of what has taken writes, and an answer of a replica', () => {
  const reply = "READONLY You can't write against a read only replica.";
  assert.equal(isFailureReply(reply, true), true);
  assert.equal(isFailureReply(reply, false), false);
});

test('replies that speak of a command, of its sender or of a script are not', () => {
  for (const reply of [
    'WRONGTYPE Operation against a key holding the wrong kind of value',
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOPERM this user has no permissions to run the 'set' command",
    'NOSCRIPT No matching script. Please use EVAL.',
    'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
    'EXECABORT Transaction discarded because of previous errors.',
    'TRYAGAIN Multiple keys request during rehashing of slot',
    'MOVED 3999 127.0.0.1:6381',
    'NOAUTH Authentication required.',
    'ERR LOADING is what my script says',
    'LOADINGS are not known',
    '',
  ]) {
    assert.equal(isFailureReply(reply, true), false, reply);
  }
});
