import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMAND_NAMES } from '../../src/command/table.js';
import {
  BUSY_BOUNDS_SECONDS,
  DURATION_BOUNDS_SECONDS,
  Histogram,
  Observer,
  ROUTES,
} from '../../src/proxy/observer.js';
import { Tally } from '../../src/proxy/tally.js';
import { property } from '../helpers/fuzz.js';

test('bounds of buckets rise, and each has a place for what is beyond it', () => {
  for (const bounds of [DURATION_BOUNDS_SECONDS, BUSY_BOUNDS_SECONDS]) {
    const rising = bounds.toSorted((a, b) => a - b);
    assert.deepEqual([...bounds], rising);
    assert.equal(new Histogram(bounds).buckets.length, bounds.length + 1);
  }
});

test('a duration is counted in the first bucket that holds it, the bound included', () => {
  const histogram = new Histogram();
  histogram.record(0, 1);
  histogram.record(0.1, 1);
  histogram.record(0.100001, 1);
  histogram.record(10_000, 2);
  histogram.record(10_000.1, 3);
  const { buckets } = histogram;
  assert.deepEqual([buckets[0], buckets[1], buckets.at(-2), buckets.at(-1)], [2, 1, 2, 3]);
});

property('no duration is lost, and the sum is theirs', 50, (random) => {
  const histogram = new Histogram();
  let sum = 0;
  let count = 0;
  for (let record = 0; record < 50; record += 1) {
    const milliseconds = random() ** 8 * 30_000;
    const commands = 1 + Math.floor(random() * 100);
    histogram.record(milliseconds, commands);
    sum += (milliseconds / 1000) * commands;
    count += commands;
  }
  assert.equal(
    histogram.buckets.reduce((total, bucket) => total + bucket, 0),
    count,
  );
  assert.ok(Math.abs(histogram.sumSeconds - sum) < 1e-6);
});

test('there is a counter for every command on every route', () => {
  assert.equal(new Observer().commands.length, COMMAND_NAMES.length * ROUTES.length);
});

test('replies are counted by the connection they came on, and all together', () => {
  const observer = new Observer();
  observer.replied('shared', 1, 3);
  observer.replied('pinned', 2, 2);
  assert.ok(Math.abs(observer.duration.shared.sumSeconds - 0.003) < 1e-12);
  assert.ok(Math.abs(observer.duration.pinned.sumSeconds - 0.004) < 1e-12);
  assert.ok(Math.abs(observer.upstreamDuration.sumSeconds - 0.007) < 1e-12);
});

test('failures are counted by reason', () => {
  const observer = new Observer();
  observer.upstreamFailed('refused');
  observer.upstreamFailed('refused');
  observer.upstreamFailed('timeout');
  assert.deepEqual(
    [...observer.upstreamFailures],
    [
      ['refused', 2],
      ['timeout', 1],
    ],
  );
});

function idOf(name: string): number {
  const id = COMMAND_NAMES.indexOf(name);
  assert.ok(id >= 0, name);
  return id;
}

test('what is answered in an outage is counted by its class, and as a command', () => {
  const observer = new Observer();
  observer.answeredInOutage(idOf('set'), 'buffer');
  observer.answeredInOutage(idOf('incr'), 'refuse');
  observer.answeredInOutage(idOf('get'), 'read');
  observer.answeredInOutage(idOf('blpop'), 'wait');
  const countOf = (name: string, route: (typeof ROUTES)[number]): number =>
    observer.commands[idOf(name) * ROUTES.length + ROUTES.indexOf(route)]!;
  assert.deepEqual(Object.fromEntries(observer.outageAnswers()), {
    read: 1,
    buffer: 1,
    refuse: 1,
    wait: 1,
    local: 0,
    drop: 0,
  });
  assert.deepEqual(
    [countOf('set', 'journal'), countOf('incr', 'refused'), countOf('get', 'outage')],
    [1, 1, 1],
  );
});

test('what passed unseen in an outage is of the class of its name, and counted once', () => {
  const observer = new Observer();
  // As the admission counts on the hot path: five passed, of which this knows nothing else.
  observer.commands[idOf('get') * ROUTES.length + ROUTES.indexOf('outage')]! += 5;
  observer.commands[idOf('ping') * ROUTES.length + ROUTES.indexOf('outage')]! += 2;
  observer.answeredInOutage(idOf('get'), 'read');
  const answers = observer.outageAnswers();
  assert.equal(answers.get('read'), 6);
  assert.equal(answers.get('local'), 2);
});

test('I6: labels are those that are known, all others count as one', () => {
  const tally = new Tally(['a', 'b']);
  tally.add('b');
  tally.add('constructor');
  tally.add('whatever a server says', 2);
  assert.deepEqual(tally.entries(), [
    ['a', 0],
    ['b', 1],
    ['other', 3],
  ]);
  const observer = new Observer();
  for (let code = 0; code < 100; code += 1) {
    observer.journalRefused(`code ${code}`);
    observer.deadLetter(`E${code}`);
  }
  observer.journalRefused('full');
  assert.deepEqual(
    observer.journalRefusals.entries().filter(([, count]) => count > 0),
    [
      ['full', 1],
      ['other', 100],
    ],
  );
  assert.equal(new Map(observer.deadLetters.entries()).get('other'), 100);
});
