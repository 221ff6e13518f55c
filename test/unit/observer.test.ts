import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMAND_NAMES } from '../../src/command/table.js';
import { DURATION_BOUNDS_SECONDS, Histogram, Observer, ROUTES } from '../../src/proxy/observer.js';
import { property } from '../helpers/fuzz.js';

test('bounds of buckets rise, and each has a place for what is beyond it', () => {
  const bounds = [...DURATION_BOUNDS_SECONDS];
  assert.deepEqual(
    bounds,
    bounds.toSorted((a, b) => a - b),
  );
  assert.equal(new Histogram().buckets.length, bounds.length + 1);
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
