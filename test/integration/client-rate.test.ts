/** A client that sends more than client-rate is slowed down; nothing is lost, reordered or refused, and others are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const RATE = 1000;
const BURST = 100;
const COMMANDS = 600;

test('a pipeline is answered whole and in order, no faster than the rate, and others go on', async (t) => {
  const redis = await startRedis(t);
  const args = ['--client-rate', String(RATE), '--client-burst', String(BURST)];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const greedy = await connectRaw(sidecar.port);
  const modest = await connectRaw(sidecar.port);
  const startedAt = performance.now();
  greedy.write(Buffer.concat(Array.from({ length: COMMANDS }, (_, n) => encodeCommand('ECHO', n))));
  assert.equal(await modest.ask('PING'), '+PONG\r\n');
  const replies = await greedy.readFrames(COMMANDS);
  const tookMs = performance.now() - startedAt;
  assert.ok(replies.every((reply, n) => String(reply).endsWith(`\r\n${n}\r\n`)));
  assert.ok(tookMs >= ((COMMANDS - BURST) / RATE) * 1000 * 0.99, `${tookMs} ms`);
  const { body } = await sidecar.admin('/metrics');
  assert.match(body, /^respool_downstream_slowed_down_total [1-9]/m);
});

test('a sidecar that stops answers all that a slowed client had sent', async (t) => {
  const redis = await startRedis(t);
  const args = ['--client-rate', '10', '--client-burst', '10'];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const client = await connectRaw(sidecar.port);
  client.write(Buffer.concat(Array.from({ length: COMMANDS }, (_, n) => encodeCommand('ECHO', n))));
  await client.readFrames(1);
  const exited = sidecar.stop();
  const replies = await client.readFrames(COMMANDS - 1);
  assert.equal(String(replies.at(-1)), `$3\r\n${COMMANDS - 1}\r\n`);
  assert.equal(await exited, 0);
});
