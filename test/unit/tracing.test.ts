/** The parts of the slow log, the access log and spans: what is chosen, what is told, and what is bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogFields } from '../../src/base/logger.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { Sample, SlowOnes } from '../../src/tracing/choice.js';
import { CommandLog } from '../../src/tracing/command-log.js';
import { CommandWatch } from '../../src/tracing/command-watch.js';
import { observe, type ObservedCommand } from '../../src/tracing/observed-command.js';
import { exportRequest, type Span } from '../../src/tracing/otlp.js';
import { SpanQueue, type Delivery } from '../../src/tracing/span-queue.js';
import type { SeenReply } from '../../src/upstream/reply-watch.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { seededRandom } from '../conformance/random.js';

const CANARY = 'canary-4711';

function replyTo(words: readonly string[] | null, more: Partial<SeenReply> = {}): SeenReply {
  const request = words === null ? null : encodeCommand(words);
  return { kind: 'shared', db: 0, durationMs: 12.34, servedMs: 12, error: null, request, ...more };
}

function observed(words: readonly string[] | null, more: Partial<SeenReply> = {}): ObservedCommand {
  return observe(replyTo(words, more), false);
}

test('a sample takes its share of the commands, however they are grouped', () => {
  for (const ratio of [1, 0.5, 0.01]) {
    const random = seededRandom(7);
    const sample = new Sample(ratio, random);
    let taken = 0;
    for (let left = 100_000; left > 0;) {
      const run = Math.min(left, 1 + Math.floor(random() * 16));
      const unseen = Math.min(run, Math.max(0, sample.unseen()));
      if (unseen > 0) sample.passed(unseen);
      else if (sample.takes()) taken += 1;
      left -= Math.max(1, unseen);
    }
    const spread = 5 * Math.sqrt(100_000 * ratio * (1 - ratio));
    assert.ok(Math.abs(taken - 100_000 * ratio) <= spread, `${taken} for ${ratio}`);
  }
});

test('a command is taken apart for everybody who has chosen it, and for nobody else', () => {
  const told: string[] = [];
  const teller = (name: string, choice: SlowOnes | Sample) => ({
    choice,
    tell: (command: ObservedCommand) => void told.push(`${name}: ${command.name}`),
  });
  const every = new Sample(1, () => 0);
  const watch = new CommandWatch([teller('slow', new SlowOnes(10)), teller('all', every)], false);
  assert.equal(watch.unseen(0), 0);
  watch.saw(replyTo(['GET', 'a'], { servedMs: 3 }));
  watch.saw(replyTo(['SET', 'a', '1'], { servedMs: 10 }));
  assert.deepEqual(told, ['all: get', 'slow: set', 'all: set']);
  const slowOnly = new CommandWatch([teller('slow', new SlowOnes(10))], false);
  assert.deepEqual([slowOnly.unseen(9.9), slowOnly.unseen(10)], [Infinity, 0]);
});

test('of a command its name, its first key and an error that Redis has are told, and no argument', () => {
  const { key, ...rest } = observed(['MSET', 'a', CANARY, 'b', CANARY], { servedMs: 12.34 });
  assert.equal(key?.toString(), 'a');
  assert.deepEqual(rest, {
    ...{ name: 'mset', keys: 2, route: 'shared', db: 0 },
    ...{ durationMs: 12.34, behindMs: 0, requestBytes: 64, error: null },
  });
  const names = [['EVAL', `return '${CANARY}'`, '0'], ['AUTH', CANARY], [CANARY], null];
  assert.deepEqual(
    names.map((words) => observed(words)).map(({ name, key: none }) => [name, none]),
    [
      ['eval', null],
      ['auth', null],
      ['other', null],
      ['unknown', null],
    ],
  );
  const errors = ['-WRONGTYPE no', '-ERR', `-${CANARY} x`, `middle of an error`];
  assert.deepEqual(
    errors.map((text) => observed(['GET', 'a'], { error: Buffer.from(`${text}\r\n`) }).error),
    ['WRONGTYPE', 'ERR', 'other', 'other'],
  );
  assert.equal(observe(replyTo(['GET', 'a']), true).route, 'outage');
});

function newLog(showsKeys: boolean) {
  const clock = new FakeClock();
  const lines: [string, LogFields][] = [];
  const write = (event: string, fields: LogFields): void => void lines.push([event, fields]);
  return { clock, lines, log: new CommandLog({ clock, write, event: 'slow command', showsKeys }) };
}

test('a line of the log names a key by a hash, or by its name where that is allowed', () => {
  const hidden = newLog(false);
  for (const key of [CANARY, 'b', CANARY]) hidden.log.add(observed(['SET', key, CANARY]));
  const keys = hidden.lines.map(([, { key }]) => key);
  assert.match(String(keys[0]), /^#[0-9a-f]{12}$/);
  assert.deepEqual([keys[0] === keys[1], keys[0] === keys[2]], [false, true]);
  assert.doesNotMatch(JSON.stringify(hidden.lines), /canary/);

  const shown = newLog(true);
  shown.log.add(observed(['SET', 'k', CANARY], { kind: 'pinned', db: 2 }));
  const { requestBytes, ...fields } = shown.lines[0]![1];
  assert.equal(requestBytes, encodeCommand(['SET', 'k', CANARY]).length);
  assert.deepEqual(
    Object.entries(fields).filter(([, value]) => value !== undefined),
    [
      ...[
        ['command', 'set'],
        ['key', 'k'],
        ['milliseconds', 12.3],
        ['behindMilliseconds', 0.3],
      ],
      ...[
        ['route', 'pinned'],
        ['db', 2],
      ],
    ],
  );
});

test('I6: a flood of slow commands is twenty lines a second and one that counts the rest', () => {
  const { clock, lines, log } = newLog(false);
  for (let count = 0; count < 3441; count += 1) log.add(observed(['GET', 'a']));
  assert.equal(lines.length, 20);
  clock.advance(1000);
  assert.deepEqual(lines.slice(20), [['slow command: more of them', { count: 3421 }]]);
  log.add(observed(['GET', 'a']));
  clock.advance(5000);
  assert.equal(lines.length, 22);
});

const SPAN: Span = {
  ...{ name: 'get', startMs: 1_767_225_600_000.25, endMs: 1_767_225_600_001.5 },
  ...{ route: 'shared', db: 3, requestBytes: 20, error: 'WRONGTYPE' },
};

interface Attributes {
  attributes: { key: string; value: { stringValue?: string; intValue?: string } }[];
}

function flat({ attributes }: Attributes): Record<string, string | undefined> {
  const pairs = attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]);
  return Object.fromEntries(pairs) as Record<string, string | undefined>;
}

test('a span has the names of the semantic conventions and times in nanoseconds', () => {
  const server = { address: 'redis.example', port: 6379 };
  const outage = { ...SPAN, route: 'outage', error: 'other' } as const;
  const body = exportRequest([SPAN, outage], { version: '1.2.3', server });
  const { resourceSpans } = JSON.parse(body) as {
    resourceSpans: {
      resource: Attributes;
      scopeSpans: { spans: (Attributes & Record<string, unknown>)[] }[];
    }[];
  };
  const [{ resource, scopeSpans } = assert.fail()] = resourceSpans;
  assert.deepEqual(flat(resource), { 'service.name': 'respool', 'service.version': '1.2.3' });
  const [span = assert.fail(), stood = assert.fail()] = scopeSpans[0]!.spans;
  const { traceId, spanId, attributes, ...rest } = span;
  assert.match(`${String(traceId)} ${String(spanId)}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
  assert.notEqual(traceId, stood.traceId);
  assert.deepEqual(rest, {
    name: 'GET',
    kind: 3,
    startTimeUnixNano: '1767225600000250000',
    endTimeUnixNano: '1767225600001500000',
    status: { code: 2 },
  });
  assert.deepEqual(flat({ attributes }), {
    'db.system.name': 'redis',
    'db.operation.name': 'GET',
    'db.namespace': '3',
    'server.address': 'redis.example',
    'server.port': '6379',
    'db.response.status_code': 'WRONGTYPE',
    'error.type': 'WRONGTYPE',
    'respool.route': 'shared',
    'respool.request.size': '20',
  });
  assert.deepEqual(flat(stood)['error.type'], '_OTHER');
  assert.equal('server.address' in flat(stood), false);
});

/** A queue whose collector does as it is told, and what was said about it. */
class QueueUnderTest {
  readonly clock = new FakeClock();
  readonly counts = { spansExported: 0, spansDropped: 0 };
  readonly lines: string[] = [];
  readonly batches: number[] = [];
  answer: Delivery | Promise<Delivery> = 'taken';
  readonly queue: SpanQueue;

  constructor() {
    const note = (event: string, fields: LogFields = {}): void =>
      void this.lines.push([event, fields.cause ?? fields.dropped].join(': '));
    this.queue = new SpanQueue({
      clock: this.clock,
      random: () => 0.5,
      logger: { debug: note, info: note, warn: note, error: note },
      collector: 'http://collector',
      counts: this.counts,
      post: (spans) => {
        this.batches.push(spans.length);
        return Promise.resolve(this.answer);
      },
    });
  }

  add(count: number): void {
    for (let left = count; left > 0; left -= 1) this.queue.add(SPAN);
  }

  async advance(ms: number): Promise<void> {
    this.clock.advance(ms);
    await new Promise(setImmediate);
  }
}

test('spans leave after two seconds, or when they are many', async () => {
  const under = new QueueUnderTest();
  under.add(3);
  await under.advance(1999);
  assert.deepEqual(under.batches, []);
  await under.advance(1);
  assert.deepEqual(under.batches, [3]);
  under.add(300);
  await under.advance(0);
  assert.deepEqual(under.batches, [3, 256]);
  await under.advance(2000);
  assert.deepEqual(under.batches, [3, 256, 44]);
  assert.deepEqual(under.counts, { spansExported: 303, spansDropped: 0 });
  assert.equal(under.clock.timerCount, 0);
});

test('I6: a collector that is away costs one line, 2,048 spans, and fewer and fewer attempts', async () => {
  const under = new QueueUnderTest();
  under.answer = { is: 'away', why: 'connect ECONNREFUSED' };
  for (let second = 0; second < 120; second += 1) {
    under.add(100);
    await under.advance(1000);
  }
  assert.ok(under.batches.length < 12, `${under.batches.length} attempts`);
  assert.deepEqual(under.lines, ['the collector takes no spans: connect ECONNREFUSED']);
  assert.deepEqual(under.counts, { spansExported: 0, spansDropped: 12_000 - 2048 });
  under.answer = 'taken';
  for (let turn = 0; turn < 40; turn += 1) await under.advance(1000);
  assert.equal(under.lines[1], `the collector takes spans again: ${12_000 - 2048}`);
  assert.equal(under.counts.spansExported, 2048);
});

test('what a collector refuses is dropped, and not said again', async () => {
  const under = new QueueUnderTest();
  under.answer = { is: 'refused', why: 'it answered 400' };
  under.add(10);
  await under.advance(2000);
  assert.deepEqual(under.counts, { spansExported: 0, spansDropped: 10 });
  assert.deepEqual(under.lines, ['the collector takes no spans: it answered 400']);
});

test('closing hands over what there is, and waits for a silent collector no longer than it may', async () => {
  const well = new QueueUnderTest();
  well.add(600);
  await well.queue.close(2000);
  assert.deepEqual(well.batches, [256, 256, 88]);

  const silent = new QueueUnderTest();
  silent.answer = new Promise(() => undefined);
  silent.add(5);
  const closed = silent.queue.close(2000);
  await silent.advance(2000);
  await closed;
  assert.deepEqual(silent.counts, { spansExported: 0, spansDropped: 5 });
});

test('closing does not hand over again what is on its way', async () => {
  const under = new QueueUnderTest();
  let answer: (delivery: Delivery) => void = () => undefined;
  under.answer = new Promise((resolve) => (answer = resolve));
  under.add(5);
  await under.advance(2000);
  const closed = under.queue.close(2000);
  answer('taken');
  await closed;
  assert.deepEqual([under.batches, under.counts.spansExported], [[5], 5]);
});
