import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMAND_NAMES } from '../../src/command/table.js';
import { History, quantileMs, type Point } from '../../src/metrics/history.js';
import { Rate } from '../../src/metrics/rate.js';
import { ConditionLog } from '../../src/proxy/condition-log.js';
import {
  DURATION_BOUNDS_SECONDS,
  Observer,
  ROUTES,
  type RouteName,
} from '../../src/proxy/observer.js';
import type { Condition } from '../../src/proxy/status.js';
import { Chronicle } from '../../src/sidecar/chronicle.js';
import { FakeClock } from '../helpers/fake-clock.js';

const LEVELS = { journalRecords: 7, clients: 3 };

function send(observer: Observer, name: string, route: RouteName, count: number): void {
  const index = COMMAND_NAMES.indexOf(name) * ROUTES.length + ROUTES.indexOf(route);
  observer.commands[index]! += count;
}

/** By route, those that are not zero. */
function ratesOf(point: Point | undefined): Partial<Record<RouteName, number>> {
  const rates = ROUTES.map((route, index) => [route, point?.rates[index] ?? 0] as const);
  return Object.fromEntries(rates.filter(([, rate]) => rate !== 0));
}

test('a point is what happened between two looks', () => {
  const observer = new Observer();
  const history = new History(observer);
  send(observer, 'get', 'shared', 1000);
  observer.replied('shared', 900, 50);
  history.look(1000, 50_000, LEVELS);
  assert.equal(history.points.length, 0, 'what was before the first look is of no known time');
  send(observer, 'get', 'shared', 400);
  send(observer, 'set', 'shared', 100);
  send(observer, 'set', 'journal', 10);
  observer.replied('shared', 0.4, 100);
  observer.replied('pinned', 5000, 100);
  history.look(6000, 55_000, LEVELS);
  const [point] = history.points;
  assert.ok(point);
  assert.deepEqual(ratesOf(point), { shared: 100, journal: 2 });
  assert.deepEqual([point?.wallMs, point?.journalRecords, point?.clients], [55_000, 7, 3]);
  assert.ok(point.median! > 0.25 && point.slowest! <= 0.5, 'a pinned connection may be blocked');
  history.look(11_000, 60_000, LEVELS);
  assert.deepEqual([history.points[1]?.median, ratesOf(history.points[1])], [null, {}]);
});

test('I6: the history is an hour and no more', () => {
  const history = new History(new Observer());
  for (let look = 0; look <= 1000; look += 1) history.look(look * 5000, look, LEVELS);
  assert.equal(history.points.length, 720);
  assert.equal(history.points[0]?.wallMs, 281, 'the oldest have left');
});

test('a quantile is found between the bounds of its bucket', () => {
  const counts = new Float64Array(DURATION_BOUNDS_SECONDS.length + 1);
  assert.equal(quantileMs(counts, 0.5), null);
  counts[3] = 100;
  assert.equal(quantileMs(counts, 0.5), 0.75);
  counts[counts.length - 1] = 100;
  assert.equal(quantileMs(counts, 0.99), 10_000, 'beyond the last bound nothing is known');
});

test('a rate is over the last few looks', () => {
  const rate = new Rate();
  assert.equal(rate.perSecond, 0);
  for (const [second, total] of [0, 10_000, 10_010, 10_020, 10_030].entries())
    rate.note(total, second * 1000);
  assert.equal(rate.perSecond, 10);
});

test('conditions are kept with cause and duration, the present one without', () => {
  const clock = new FakeClock();
  const log = new ConditionLog(clock);
  assert.equal(log.sinceMs, 0);
  const unasked = (): never => assert.fail('it is no news');
  log.note('healthy', () => null);
  clock.advance(12_340);
  log.note('healthy', unasked);
  log.note('outage', () => 'refused');
  clock.advance(500);
  assert.equal(log.sinceMs, 500);
  assert.deepEqual(
    log.list(10).map(({ to, cause, seconds }) => [to, cause, seconds]),
    [
      ['healthy', null, 12.3],
      ['outage', 'refused', null],
    ],
  );
  assert.equal(log.list(10)[1]?.time, '2026-01-01T00:00:13.340Z');
  assert.deepEqual(
    log.list(1).map(({ to }) => to),
    ['outage'],
  );
});

test('a connection that is lost and the outage that it turns out to be are one event', () => {
  const clock = new FakeClock();
  const log = new ConditionLog(clock);
  log.note('healthy', () => null);
  clock.advance(1000);
  log.note('holding', () => 'reset');
  clock.advance(700);
  log.note('outage', () => 'refused');
  clock.advance(300);
  const [first, second] = log.list(10);
  assert.deepEqual([first?.to, first?.seconds], ['healthy', 1]);
  assert.deepEqual([second?.to, second?.cause, second?.seconds], ['outage', 'refused', null]);
  assert.equal(log.sinceMs, 1000, 'it began when the connection was lost');
  log.note('holding', () => null);
  clock.advance(60_000);
  log.note('outage', () => 'refused');
  assert.equal(log.list(10).length, 4, 'a minute later it is another one');
});

test('I6: a flapping upstream does not fill the log of conditions', () => {
  const log = new ConditionLog(new FakeClock());
  for (let change = 0; change < 1000; change += 1)
    log.note(change % 2 === 0 ? 'healthy' : 'holding', () => null);
  assert.equal(log.list(Infinity).length, 100);
});

test('the chronicle looks each second, and a point is five of them', () => {
  const clock = new FakeClock();
  const observer = new Observer();
  let condition: Condition = 'healthy';
  const chronicle = new Chronicle({
    clock,
    observer,
    condition: () => condition,
    cause: () => 'gone',
    levels: () => LEVELS,
  });
  chronicle.start();
  for (let second = 0; second < 60; second += 1) {
    send(observer, 'get', 'shared', 20);
    clock.advance(1000);
  }
  assert.equal(chronicle.past.points.length, 12);
  assert.deepEqual(
    chronicle.past.points.map((point) => ratesOf(point).shared),
    Array(12).fill(20),
  );
  const status = chronicle.status();
  assert.deepEqual(
    [status.commands, status.conditionSinceSeconds],
    [{ total: 1200, perSecond: 20 }, 60],
  );
  condition = 'outage';
  chronicle.noteCondition();
  condition = 'healthy';
  chronicle.noteCondition();
  assert.equal(chronicle.past.conditions.length, 3, 'no outage is too short');
  chronicle.stop();
  assert.equal(clock.timerCount, 0);
});
