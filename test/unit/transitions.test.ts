import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BreakerState } from '../../src/breaker/breaker.js';
import { TransitionLog } from '../../src/proxy/transitions.js';
import { FakeClock } from '../helpers/fake-clock.js';

const GONE = new Error('gone');

test('an outage is three entries, however many probes it took', () => {
  const clock = new FakeClock();
  const log = new TransitionLog(clock);
  log.note('open', GONE);
  for (let probe = 0; probe < 100; probe += 1) {
    clock.advance(1000);
    log.note('half-open', null);
    if (probe === 50)
      assert.deepEqual(
        log.list.map(({ to }) => to),
        ['open', 'half-open'],
      );
    log.note('open', new Error('still gone'));
  }
  clock.advance(1000);
  log.note('half-open', null);
  log.note('closed', null);
  assert.deepEqual(log.list, [
    { to: 'open', time: '2026-01-01T00:00:01.000Z', cause: 'gone', failedProbes: 100 },
    { to: 'half-open', time: '2026-01-01T00:01:42.000Z', cause: null, failedProbes: 0 },
    { to: 'closed', time: '2026-01-01T00:01:42.000Z', cause: null, failedProbes: 0 },
  ]);
});

test('two outages are told apart', () => {
  const log = new TransitionLog(new FakeClock());
  const states: BreakerState[] = ['open', 'half-open', 'closed', 'open', 'half-open', 'open'];
  for (const state of states) log.note(state, state === 'open' ? GONE : null);
  assert.deepEqual(
    log.list.map(({ to, failedProbes }) => [to, failedProbes]),
    [
      ['open', 0],
      ['half-open', 0],
      ['closed', 0],
      ['open', 1],
    ],
  );
});

test('I6: the last twenty are kept', () => {
  const log = new TransitionLog(new FakeClock());
  for (let outage = 0; outage < 30; outage += 1) {
    log.note('open', new Error(`outage ${outage}`));
    log.note('closed', null);
  }
  assert.equal(log.list.length, 20);
  assert.equal(log.list[0]?.cause, 'outage 20');
});
