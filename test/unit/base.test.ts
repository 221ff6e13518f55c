import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/base/backoff.js';
import { systemClock } from '../../src/base/clock.js';
import { createLogger, LOG_LEVELS, silentLogger, type LogFormat } from '../../src/base/logger.js';
import { markdownTable } from '../../src/base/markdown-table.js';
import { property } from '../helpers/fuzz.js';

const CALM = { firstMs: 50, maxMs: 1000, factor: 2, jitter: 0, random: () => 0.5 };

test('pauses grow up to the longest and begin anew after a success', () => {
  const backoff = new Backoff(CALM);
  const pauses = Array.from({ length: 7 }, () => backoff.next());
  assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  assert.equal(backoff.next(), 50);
});

property('a jittered pause stays within its bounds', 200, (random) => {
  const backoff = new Backoff({ ...CALM, jitter: 0.25, random });
  for (const pauseMs of [50, 100, 200, 400, 800, 1000, 1000]) {
    const next = backoff.next();
    assert.ok(next >= pauseMs * 0.75 && next < pauseMs * 1.25, `${next} for ${pauseMs}`);
  }
});

test('a timer longer than Node can wait does not fire at once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const monthMs = 30 * 24 * 3600 * 1000;
  let fired = 0;
  systemClock.after(monthMs, () => (fired += 1));
  const cancelled = systemClock.after(monthMs, () => (fired += 100));
  const longestMs = 2 ** 31 - 1;
  t.mock.timers.tick(longestMs);
  assert.equal(fired, 0);
  cancelled.cancel();
  t.mock.timers.tick(monthMs - longestMs - 1);
  assert.equal(fired, 0);
  t.mock.timers.tick(1);
  assert.equal(fired, 1);
});

test('timers fire when they are due and not after they were cancelled', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const fired: string[] = [];
  systemClock.after(10, () => fired.push('once'));
  const every = systemClock.every(10, () => fired.push('every'));
  systemClock.after(5, () => fired.push('never')).cancel();
  t.mock.timers.tick(25);
  every.cancel();
  t.mock.timers.tick(25);
  assert.deepEqual(fired, ['once', 'every', 'every']);
});

test('the end of a tick comes after everything that is ready', async () => {
  const order: string[] = [];
  systemClock.endOfTick(() => order.push('end'));
  process.nextTick(() => order.push('tick'));
  await new Promise<void>((resolve) => systemClock.endOfTick(resolve));
  assert.deepEqual(order, ['tick', 'end']);
});

test('the clock for durations never goes back; wall time is in milliseconds', () => {
  const times = Array.from({ length: 1000 }, () => systemClock.now());
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.ok(systemClock.wallMs() > Date.UTC(2024, 0, 1));
});

function logged(
  format: LogFormat,
  log: (logger: ReturnType<typeof createLogger>) => void,
): string[] {
  const lines: string[] = [];
  const wallMs = (): number => Date.UTC(2026, 10, 21, 7, 8, 9, 123);
  log(createLogger({ level: 'info', format, write: (line) => lines.push(line), wallMs }));
  return lines;
}

test('json is one object per line, for machines', () => {
  const lines = logged('json', (logger) =>
    logger.warn('it broke', { port: 1, why: 'a\n"b"', none: null }),
  );
  assert.equal(lines.length, 1);
  assert.ok(lines[0]!.endsWith('}\n'));
  assert.deepEqual(JSON.parse(lines[0]!), {
    time: '2026-11-21T07:08:09.123Z',
    level: 'warn',
    event: 'it broke',
    port: 1,
    why: 'a\n"b"',
    none: null,
  });
});

test('pretty is one line for people, and no value can forge another', () => {
  const [line] = logged('pretty', (logger) =>
    logger.info('ready', {
      listen: '127.0.0.1:6380',
      why: 'x\n00:00 ERROR forged',
      absent: undefined,
    }),
  );
  assert.equal(
    line,
    '07:08:09.123 INFO  ready listen=127.0.0.1:6380 why="x\\n00:00 ERROR forged"\n',
  );
});

test('what is below the level is not written', () => {
  const lines = logged('pretty', (logger) => {
    for (const level of LOG_LEVELS) logger[level]('event');
  });
  assert.deepEqual(
    lines.map((line) => line.split(' ')[1]),
    ['INFO', 'WARN', 'ERROR'],
  );
  for (const level of LOG_LEVELS) assert.equal(silentLogger[level]('event'), undefined);
});

test('a table survives bars in its cells', () => {
  assert.equal(
    markdownTable(['a', 'b'], [['1|2', '3']]),
    '| a | b |\n| --- | --- |\n| 1\\|2 | 3 |\n',
  );
});
