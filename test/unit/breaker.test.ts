import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Breaker, type BreakerOptions } from '../../src/breaker/breaker.js';
import { FakeClock } from '../helpers/fake-clock.js';

const REFUSED = new Error('connect ECONNREFUSED');
const LOADING = new Error('the upstream says LOADING');
const FIRST_PAUSE_MS = 250;
/** Beyond any pause that a test expects to be over. */
const LONG_MS = 60_000;

/** A breaker whose probes the test answers, with what it told. */
class Stage {
  readonly clock = new FakeClock();
  readonly changes: string[] = [];
  /** Probes that are out, oldest first. */
  readonly probes: ((problem: Error | null) => void)[] = [];
  probeCount = 0;
  onChange: (state: string) => void = () => undefined;
  readonly breaker: Breaker;

  constructor(options: Partial<BreakerOptions> = {}) {
    this.breaker = new Breaker({
      clock: this.clock,
      random: () => 0.5,
      failures: 5,
      rate: null,
      firstPauseMs: FIRST_PAUSE_MS,
      longestPauseMs: 10_000,
      probe: (done) => {
        this.probeCount += 1;
        this.probes.push(done);
      },
      onChange: (state, cause) => {
        this.changes.push(cause === null ? state : `${state}: ${cause.message}`);
        this.onChange(state);
      },
      ...options,
    });
  }

  fail(times: number): void {
    for (let time = 0; time < times; time += 1) this.breaker.failed(REFUSED);
  }

  /** Lets the pause pass and gives the probe that follows this answer. */
  probed(problem: Error | null): void {
    this.clock.advance(LONG_MS);
    this.answer(problem);
  }

  answer(problem: Error | null): void {
    const done = this.probes.shift();
    assert.ok(done, 'a probe is out');
    done(problem);
  }
}

test('it opens at the limit of consecutive failures, and says what the last one was', () => {
  const { breaker, changes } = new Stage();
  for (let failure = 1; failure < 5; failure += 1) breaker.failed(new Error(`number ${failure}`));
  assert.equal(breaker.state, 'closed');
  assert.equal(breaker.consecutiveFailures, 4);
  breaker.failed(new Error('number 5'));
  assert.equal(breaker.state, 'open');
  assert.deepEqual(changes, ['open: number 5']);
  assert.equal(breaker.consecutiveFailures, 5);
  assert.equal(breaker.lastCause?.message, 'number 5');
});

test('a success in between begins the count anew', () => {
  const stage = new Stage();
  stage.fail(4);
  stage.breaker.succeeded();
  stage.fail(4);
  assert.equal(stage.breaker.state, 'closed');
  stage.fail(1);
  assert.equal(stage.breaker.state, 'open');
});

test('a trip opens at once', () => {
  const { breaker, changes } = new Stage();
  assert.equal(breaker.trip(REFUSED), true);
  assert.equal(breaker.trip(LOADING), true);
  assert.deepEqual(changes, ['open: connect ECONNREFUSED']);
  assert.equal(breaker.lastCause, LOADING);
});

test('it says since when it is open and when the next probe is', () => {
  const { breaker, clock } = new Stage();
  assert.deepEqual([breaker.openedAtMs, breaker.nextProbeInMs], [null, null]);
  breaker.trip(REFUSED);
  const openedAt = clock.now();
  clock.advance(100);
  assert.deepEqual([breaker.openedAtMs, breaker.nextProbeInMs], [openedAt, FIRST_PAUSE_MS - 100]);
  clock.advance(150);
  assert.deepEqual([breaker.state, breaker.nextProbeInMs], ['half-open', 0]);
});

test('a probe that succeeds closes it, and the count begins anew', () => {
  const stage = new Stage();
  stage.fail(5);
  stage.probed(null);
  assert.deepEqual(stage.changes, ['open: connect ECONNREFUSED', 'half-open', 'closed']);
  assert.equal(stage.breaker.consecutiveFailures, 0);
  assert.equal(stage.breaker.openedAtMs, null);
  stage.fail(4);
  assert.equal(stage.breaker.state, 'closed');
});

test('a probe that fails opens it again, with what the probe found', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  const openedAt = stage.breaker.openedAtMs;
  stage.probed(LOADING);
  assert.deepEqual(stage.changes.slice(1), ['half-open', 'open: the upstream says LOADING']);
  assert.equal(stage.breaker.openedAtMs, openedAt, 'it is the same outage');
  assert.equal(stage.breaker.lastCause, LOADING);
});

test('half-open lets exactly one probe out, however long it takes and whatever happens meanwhile', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  stage.clock.advance(FIRST_PAUSE_MS);
  for (let minute = 0; minute < 10; minute += 1) {
    stage.clock.advance(LONG_MS);
    stage.fail(10);
    stage.breaker.trip(REFUSED);
    stage.breaker.succeeded();
  }
  assert.equal(stage.probeCount, 1);
  assert.equal(stage.breaker.state, 'half-open');
});

test("nothing lets a client's command be the probe: while open no success closes it", () => {
  const stage = new Stage();
  stage.fail(5);
  for (let reply = 0; reply < 1000; reply += 1) stage.breaker.succeeded();
  assert.equal(stage.breaker.state, 'open');
  stage.clock.advance(FIRST_PAUSE_MS);
  stage.breaker.succeeded(1000);
  assert.equal(stage.breaker.state, 'half-open');
  assert.equal(stage.probeCount, 1);
});

test('a probe may answer before it returns', () => {
  const stage = new Stage({ probe: (done) => done(null) });
  stage.breaker.trip(REFUSED);
  stage.clock.advance(FIRST_PAUSE_MS);
  assert.deepEqual(stage.changes, ['open: connect ECONNREFUSED', 'half-open', 'closed']);
});

test('a probe that answers twice is heard once', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  stage.clock.advance(FIRST_PAUSE_MS);
  const [done] = stage.probes;
  done?.(LOADING);
  done?.(null);
  assert.equal(stage.breaker.state, 'open');
});

test('a failure rate opens it where consecutive failures do not', () => {
  const stage = new Stage({ rate: { windowMs: 10_000, minimumCalls: 20, ratio: 0.5 } });
  for (let call = 0; call < 9; call += 1) {
    stage.breaker.failed(REFUSED);
    stage.breaker.succeeded();
  }
  assert.equal(stage.breaker.state, 'closed');
  stage.breaker.succeeded();
  stage.breaker.failed(REFUSED);
  assert.equal(stage.breaker.state, 'open');
});

test('a rate counts anew once it has closed', () => {
  const stage = new Stage({ rate: { windowMs: LONG_MS * 10, minimumCalls: 5, ratio: 0.5 } });
  stage.fail(5);
  stage.probed(null);
  stage.breaker.succeeded(4);
  stage.fail(1);
  assert.equal(stage.breaker.state, 'closed');
});

test('held open, nothing probes and nothing closes it until it is automatic again', () => {
  const stage = new Stage();
  stage.breaker.force('open');
  assert.deepEqual([stage.breaker.state, stage.breaker.forced], ['open', 'open']);
  assert.equal(stage.breaker.nextProbeInMs, null);
  stage.clock.advance(LONG_MS);
  assert.equal(stage.probeCount, 0);
  stage.breaker.force('auto');
  assert.equal(stage.breaker.forced, null);
  assert.equal(stage.breaker.nextProbeInMs, FIRST_PAUSE_MS);
  stage.probed(null);
  assert.deepEqual(stage.changes, ['open', 'half-open', 'closed']);
});

test('held open while a probe is out: its answer changes nothing', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  stage.clock.advance(FIRST_PAUSE_MS);
  stage.breaker.force('open');
  stage.answer(null);
  assert.equal(stage.breaker.state, 'open');
  stage.breaker.force('auto');
  stage.clock.advance(FIRST_PAUSE_MS);
  assert.equal(stage.breaker.state, 'half-open');
  assert.equal(stage.probeCount, 2);
});

test('held open in an outage: the probe that was planned does not go out', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  stage.breaker.force('open');
  stage.clock.advance(LONG_MS);
  assert.deepEqual(stage.changes, ['open: connect ECONNREFUSED']);
  assert.equal(stage.probeCount, 0);
});

test('held closed, nothing opens it', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  stage.breaker.force('closed');
  stage.fail(50);
  assert.equal(stage.breaker.trip(REFUSED), false);
  stage.clock.advance(LONG_MS);
  assert.deepEqual(stage.changes, ['open: connect ECONNREFUSED', 'closed']);
  assert.deepEqual([stage.breaker.state, stage.breaker.forced], ['closed', 'closed']);
  stage.breaker.force('auto');
  assert.equal(stage.breaker.state, 'closed');
  stage.fail(1);
  assert.equal(stage.breaker.state, 'open', 'it has failed fifty-one times in a row');
});

test('automatic again when it was automatic changes nothing', () => {
  const stage = new Stage();
  stage.breaker.trip(REFUSED);
  stage.breaker.force('auto');
  stage.clock.advance(FIRST_PAUSE_MS);
  stage.breaker.force('auto');
  assert.equal(stage.probeCount, 1);
});

test('whoever is told of a probe may hold the breaker open before it goes out', () => {
  const stage = new Stage();
  stage.onChange = (state) => {
    if (state === 'half-open') stage.breaker.force('open');
  };
  stage.breaker.trip(REFUSED);
  stage.clock.advance(LONG_MS);
  assert.equal(stage.probeCount, 0);
  assert.equal(stage.breaker.state, 'open');
});

test('pauses grow by half up to the longest one, each within a quarter of that', () => {
  for (const [random, factor] of [
    [0, 0.75],
    [0.5, 1],
    [1, 1.25],
  ] as const) {
    const stage = new Stage({ random: () => random, longestPauseMs: 1000 });
    stage.breaker.trip(REFUSED);
    for (const pauseMs of [250, 375, 562.5, 843.75, 1000, 1000, 1000]) {
      assert.equal(stage.breaker.nextProbeInMs, pauseMs * factor);
      stage.clock.advance(pauseMs * factor);
      stage.answer(LOADING);
    }
  }
});

test('one that comes and goes is probed ever later, but never so late that it is not noticed', () => {
  const stage = new Stage();
  const firstPauses: (number | null)[] = [];
  for (let outage = 0; outage < 9; outage += 1) {
    stage.breaker.trip(REFUSED);
    firstPauses.push(stage.breaker.nextProbeInMs);
    stage.clock.advance(stage.breaker.nextProbeInMs ?? 0);
    stage.answer(null);
    stage.clock.advance(300);
  }
  assert.deepEqual(firstPauses.slice(0, 3), [250, 375, 562.5]);
  assert.equal(firstPauses.at(-1), 2000);
  stage.clock.advance(10_000);
  stage.breaker.trip(REFUSED);
  assert.equal(stage.breaker.nextProbeInMs, FIRST_PAUSE_MS, 'it had been steady');
});

test('an upstream that is up and down every 300 ms moves it seldom', () => {
  const stage = new Stage();
  const isUp = (): boolean => Math.floor(stage.clock.now() / 300) % 2 === 0;
  for (let passed = 0; passed < 600_000; passed += 10) {
    stage.clock.advance(10);
    if (stage.probes.length > 0) stage.answer(isUp() ? null : REFUSED);
    if (stage.breaker.state === 'closed' && !isUp()) stage.breaker.trip(REFUSED);
  }
  const opened = stage.changes.filter((change) => change.startsWith('open')).length;
  assert.ok(opened < 350, `${opened} times in ten minutes`);
  assert.ok(stage.probeCount < 350, `${stage.probeCount} probes in ten minutes`);
  assert.ok((stage.breaker.nextProbeInMs ?? 0) < 5000, 'and is found soon when it is steady');
});

test('closed for good, it neither probes nor says anything', () => {
  const planned = new Stage();
  planned.breaker.trip(REFUSED);
  planned.breaker.close();
  planned.clock.advance(LONG_MS);
  assert.equal(planned.probeCount, 0);
  assert.equal(planned.clock.timerCount, 0);

  const out = new Stage();
  out.breaker.trip(REFUSED);
  out.clock.advance(FIRST_PAUSE_MS);
  out.breaker.close();
  out.answer(null);
  out.breaker.failed(REFUSED);
  assert.deepEqual(out.changes, ['open: connect ECONNREFUSED', 'half-open']);
  assert.equal(out.clock.timerCount, 0);
});
