/** The slow log, the access log and spans, from a real sidecar in front of a real Redis, to a collector that is this test. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { busyScript } from '../helpers/busy-script.js';
import type { Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/ports.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar, type Sidecar } from '../helpers/servers.js';

const CANARY = 'canary-4711';
const SLOW_MS = 100;
const SLEEP_SECONDS = 0.15;

type Attribute = { key: string; value: { stringValue?: string; intValue?: string } };
interface ExportedSpan {
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: Attribute[];
  status: { code?: number };
}
interface ExportRequest {
  resourceSpans: { scopeSpans: { spans: ExportedSpan[] }[] }[];
}

/** Takes what an OpenTelemetry collector takes. */
class Collector {
  readonly bodies: string[] = [];
  readonly paths: string[] = [];
  private readonly server = createServer((request, response) => {
    void text(request).then((body) => {
      this.paths.push(`${request.method} ${request.url} ${request.headers['content-type']}`);
      this.bodies.push(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });

  static async start(t: Cleanup): Promise<Collector> {
    const collector = new Collector();
    collector.server.listen(0, '127.0.0.1');
    await once(collector.server, 'listening');
    t?.after(() => {
      collector.server.closeAllConnections();
      collector.server.close();
    });
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get spans(): ExportedSpan[] {
    return this.bodies
      .flatMap((body) => (JSON.parse(body) as ExportRequest).resourceSpans)
      .flatMap(({ scopeSpans }) => scopeSpans)
      .flatMap(({ spans }) => spans);
  }

  /** `GET shared`, `EVAL shared ERR`, in the order of their ends. */
  get story(): string[] {
    return this.spans.map(({ name, attributes, status }) => {
      const { 'respool.route': route, 'error.type': error = '' } = flat(attributes);
      assert.equal(status.code === 2, error !== '');
      return `${name} ${route} ${error}`.trim();
    });
  }
}

function flat(attributes: readonly Attribute[]): Record<string, string | undefined> {
  const pairs = attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]);
  return Object.fromEntries(pairs) as Record<string, string | undefined>;
}

function millisecondsOf({ startTimeUnixNano, endTimeUnixNano }: ExportedSpan): number {
  return Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;
}

/** Its log lines of one event, as fields. */
function lines(sidecar: Sidecar, event: string): Record<string, unknown>[] {
  const all = sidecar.output().trim().split('\n');
  const parsed = all.map((line) => JSON.parse(line) as Record<string, unknown>);
  return parsed.filter((line) => line.event === event);
}

test('every command becomes a span when all are asked for; drain hands over the last of them', async (t) => {
  const collector = await Collector.start(t);
  const redis = await startRedis(t, { args: ['--enable-debug-command', 'yes'] });
  const args = ['--trace-endpoint', collector.url, '--trace-sample', '1', '--log-level', 'debug'];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const client = await connectRaw(sidecar.port);
  await client.ask('SET', `key-${CANARY}`, CANARY);
  assert.match(await client.ask('INCR', `key-${CANARY}`), /^-ERR/);
  await client.ask('SELECT', '2');
  assert.match(await client.ask('EVAL', `error('${CANARY}')`, '0'), /^-/);
  assert.match(
    await client.ask('EVAL', `return {err='${CANARY.toUpperCase()} x'}`, '0'),
    /^-CANARY/,
  );
  await client.ask('DEBUG', 'SLEEP', String(SLEEP_SECONDS));
  assert.equal(await sidecar.stop(), 0);
  assert.deepEqual(collector.story, [
    'SET shared',
    'INCR shared ERR',
    'SELECT pinned',
    'EVAL shared ERR',
    'EVAL shared _OTHER',
    'DEBUG pinned',
  ]);
  assert.deepEqual([...new Set(collector.paths)], ['POST /v1/traces application/json']);
  const [set, , , evaluated, , sleep] = collector.spans;
  const attributes = flat(set!.attributes);
  assert.equal(attributes['db.namespace'], '0');
  assert.equal(attributes['server.address'], '127.0.0.1');
  assert.equal(attributes['server.port'], String(redis.port));
  assert.equal(flat(evaluated!.attributes)['db.namespace'], '2');
  assert.ok(millisecondsOf(sleep!) >= SLEEP_SECONDS * 1000 - 1, `${millisecondsOf(sleep!)} ms`);
  assert.ok(Math.abs(Number(sleep!.endTimeUnixNano) / 1e6 - Date.now()) < 60_000);
  assert.doesNotMatch(collector.bodies.join() + sidecar.output(), new RegExp(CANARY, 'i'));
});

test('a slow command is a line of the log, without its key, its value or its script', async (t) => {
  const redis = await startRedis(t, { args: ['--enable-debug-command', 'yes'] });
  const args = ['--slow-log', `${SLOW_MS}ms`];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const [slow, other] = [await connectRaw(sidecar.port), await connectRaw(sidecar.port)];
  const direct = await connectRaw(redis.port);
  const script = `${await busyScript(direct, 5 * SLOW_MS)} -- ${CANARY}`;
  await slow.ask('SET', `key-${CANARY}`, CANARY);
  slow.send('EVAL', script, '1', `key-${CANARY}`, CANARY);
  slow.send('GET', `key-${CANARY}`);
  await slow.readFrames(2);
  await slow.ask('DEBUG', 'SLEEP', String(SLEEP_SECONDS));
  // Waits for something to happen, and is not slow.
  await other.ask('BLPOP', 'nothing', '0.2');
  // On a busy machine any command may be slow, but never one that waits.
  const slowOnes = await eventually('each that was counted is in the log', async () => {
    const { body } = await sidecar.admin('/metrics');
    const told = lines(sidecar, 'slow command');
    assert.match(body, new RegExp(`^respool_slow_commands_total ${told.length}$`, 'm'));
    return told;
  });
  const [evaluated, sleep, waiting] = ['eval', 'debug', 'blpop'].map((name) =>
    slowOnes.find(({ command }) => command === name),
  );
  assert.equal(waiting, undefined);
  assert.match(String(evaluated?.key), /^#[0-9a-f]{12}$/);
  assert.ok(Number(evaluated?.milliseconds) >= SLOW_MS);
  assert.ok(Number(sleep?.milliseconds) >= SLEEP_SECONDS * 1000 - 1);
  assert.deepEqual([evaluated?.db, evaluated?.level], [0, 'warn']);
  assert.doesNotMatch(sidecar.output(), new RegExp(CANARY));
});

test('in an outage the store answers, and says so in the access log and in spans', async (t) => {
  const collector = await Collector.start(t);
  const redis = await startRedis(t);
  const args = ['--trace-endpoint', collector.url, '--trace-sample', '1', '--access-log', '1'];
  const sidecar = await startSidecar(t, {
    upstream: redis.url,
    args: [...args, '--log-keys', 'named'],
  });
  const client = await connectRaw(sidecar.port);
  await client.ask('RESPOOL', 'BREAKER', 'OPEN');
  assert.equal(await client.ask('SET', 'written-in-the-outage', CANARY), '+OK\r\n');
  await client.ask('RESPOOL', 'BREAKER', 'AUTO');
  await eventually('the write is in Redis', async () => {
    const { body } = await sidecar.admin('/status');
    return /"condition": "healthy"/.test(body) && /"records": 0/.test(body);
  });
  assert.match(await client.ask('GET', 'written-in-the-outage'), /canary/);
  assert.equal(await sidecar.stop(), 0);
  // Neither what replay says nor what the store was loaded with is a client's.
  assert.deepEqual(collector.story, ['SET outage', 'GET shared']);
  assert.equal('server.address' in flat(collector.spans[0]!.attributes), false);
  const told = lines(sidecar, 'command').map(({ command, key, route }) => [command, key, route]);
  const key = 'written-in-the-outage';
  assert.deepEqual(told, [
    ['set', key, 'outage'],
    ['get', key, 'shared'],
  ]);
  assert.doesNotMatch(collector.bodies.join() + sidecar.output(), new RegExp(CANARY));
});

test('a collector that is away costs one line of the log, and no time when the sidecar stops', async (t) => {
  const redis = await startRedis(t);
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const args = ['--trace-endpoint', endpoint, '--trace-sample', '1'];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const client = await connectRaw(sidecar.port);
  for (let count = 0; count < 300; count += 1) client.send('PING');
  await client.readFrames(300);
  const event = 'the collector takes no spans';
  await eventually('it is said', () => lines(sidecar, event).length > 0);
  for (let count = 0; count < 3000; count += 1) client.send('PING');
  await client.readFrames(3000);
  const { body } = await sidecar.admin('/metrics');
  const [, dropped] = /^respool_spans_total\{outcome="dropped"\} (\d+)$/m.exec(body) ?? [];
  assert.equal(Number(dropped), 3300 - 2048);
  const startedAt = performance.now();
  assert.equal(await sidecar.stop(), 0);
  assert.ok(performance.now() - startedAt < 8_000);
  assert.deepEqual(
    lines(sidecar, event).map(({ collector }) => collector),
    [`${endpoint}/v1/traces`],
  );
});

test('a collector whose answer has no end is not listened to for ever', async (t) => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200);
    const goOn = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', goOn);
    goOn();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const redis = await startRedis(t);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const args = ['--trace-endpoint', url, '--trace-sample', '1'];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const client = await connectRaw(sidecar.port);
  await client.ask('PING');
  await eventually('the span counts as exported', async () => {
    const { body } = await sidecar.admin('/metrics');
    return /^respool_spans_total\{outcome="exported"\} 1$/m.test(body);
  });
});
