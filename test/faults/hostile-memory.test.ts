/** What the sidecar weighs: with a thousand idle clients, and after millions of commands. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../helpers/child-process.js';
import { connectMany } from '../helpers/many-clients.js';
import { MEGABYTE, residentBytes } from '../helpers/process-figures.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const IDLE_CLIENTS = 1_000;
const IDLE_LIMIT_BYTES = 120 * MEGABYTE;
const MILLION = 1_000_000;
const GROWTH_LIMIT = 1.15;

test('1,000 idle clients fit into 120 MB, those that have spoken included', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const clients = await connectMany(t, sidecar.port, IDLE_CLIENTS);
  const silent = residentBytes(sidecar.pid).now;
  assert.ok(silent <= IDLE_LIMIT_BYTES, `${silent / MEGABYTE} MB`);
  for (const client of clients) client.write('SET k v\r\nGET k\r\n');
  for (const client of clients) await client.readFrames(2);
  const spoken = residentBytes(sidecar.pid).now;
  assert.ok(spoken <= IDLE_LIMIT_BYTES, `${spoken / MEGABYTE} MB after they spoke`);
});

test('memory is flat over a million commands', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const afterEach: number[] = [];
  for (let round = 0; round < 2; round += 1) {
    const load = ['-n', String(MILLION / 2), '-P', '16', '-c', '50', '-q', '-t', 'set,get'];
    const { code, stderr } = await run('redis-benchmark', ['-p', String(sidecar.port), ...load]);
    assert.equal(code, 0, stderr);
    afterEach.push(residentBytes(sidecar.pid).now);
  }
  const [first = 0, second = 0] = afterEach;
  const figures = afterEach.map((bytes) => `${(bytes / MEGABYTE).toFixed(0)} MB`).join(', ');
  assert.ok(second <= GROWTH_LIMIT * first, `after each million: ${figures}`);
});
