/** FAULTS.md, the row of clients that misbehave or leave at the wrong moment, in calm and in an outage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { MEGABYTE, residentBytes } from '../helpers/process-figures.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { OutageStage } from '../helpers/outage-stage.js';

for (const isAway of [false, true]) {
  const when = isAway ? 'in an outage' : 'in calm';
  test(`a client killed inside MULTI leaves nothing, ${when}`, async (t) => {
    const stage = await OutageStage.start(t);
    const { redis, sidecar, load } = stage;
    await load.untilMore(200);
    if (isAway) await stage.outage(100);
    for (let n = 0; n < 20; n += 1) {
      const client = await connectRaw(sidecar.port);
      client.write('MULTI\r\nRPUSH half a\r\nSET half2 a\r\n');
      await client.readFrames(1 + (n % 3));
      client.reset();
    }
    await load.untilMore(100);
    if (isAway) await redis.start();
    await sidecar.untilDrained();
    assert.equal(await redis.ask('EXISTS', 'half', 'half2'), ':0\r\n');
    await stage.assertClean();
  });

  test(`a client that never reads harms nobody and is bounded, ${when}`, async (t) => {
    const stage = await OutageStage.start(t, { sidecarArgs: ['--client-output-limit', '4mb'] });
    const { redis, sidecar, load } = stage;
    await load.untilMore(200);
    if (isAway) await stage.outage(100);
    const writer = await connectRaw(sidecar.port);
    assert.equal(await writer.ask('SET', 'large', 'x'.repeat(100_000)), '+OK\r\n');
    const residentBefore = residentBytes(sidecar.pid).now;
    for (let n = 0; n < 3; n += 1) {
      const lazy = await connectRaw(sidecar.port);
      lazy.pause();
      const reads = Buffer.concat(
        Array.from({ length: 2_000 }, () => encodeCommand('GET', 'large')),
      );
      lazy.write(reads);
      await load.untilMore(300);
      lazy.reset();
    }
    const grownBytes = residentBytes(sidecar.pid).peak - residentBefore;
    assert.ok(grownBytes < 250 * MEGABYTE, `${grownBytes / MEGABYTE} MB more`);
    if (isAway) await redis.start();
    await sidecar.untilDrained();
    await stage.assertClean();
  });
}

test('clients that connect in an outage say HELLO, SELECT, CLIENT SETNAME and work; and afterwards too', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(100);
  await stage.outage(100);
  const client = await connectRaw(sidecar.port);
  assert.match(await client.ask('HELLO', 3), /^%/);
  assert.equal(await client.ask('SELECT', 5), '+OK\r\n');
  assert.equal(await client.ask('CLIENT', 'SETNAME', 'newcomer'), '+OK\r\n');
  assert.equal(await client.ask('PING'), '+PONG\r\n');
  assert.equal(await client.ask('GET', 'k'), '_\r\n');
  assert.equal(await client.ask('SET', 'k', 'v'), '+OK\r\n');
  assert.equal(await client.ask('GET', 'k'), '$1\r\nv\r\n');
  assert.equal(await client.ask('PUBLISH', 'c', 'm'), ':0\r\n');
  await redis.start();
  await sidecar.untilDrained();
  assert.equal(await client.ask('GET', 'k'), '$1\r\nv\r\n');
  assert.equal(await client.ask('CLIENT', 'GETNAME'), '$8\r\nnewcomer\r\n');
  assert.match(await redis.ask('INFO', 'keyspace'), /db5:keys=1/);
  await stage.assertClean();
});

test('a worker that waits (BLPOP) never notices: it gets what comes after the outage, or nil at its own timeout', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(100);
  const [before, short, long] = await Promise.all([1, 2, 3].map(() => connectRaw(sidecar.port)));
  assert.ok(before && short && long);
  before.send('BLPOP', 'jobs:a', 30);
  await stage.outage(100);
  short.send('BLPOP', 'jobs:b', 0.3);
  long.send('BLPOP', 'jobs:c', 30);
  assert.equal(String(await short.readFrame()), '*-1\r\n');
  await redis.start();
  await sidecar.untilDrained();
  await eventually('both wait upstream', async () =>
    /blocked_clients:2/.test(await redis.ask('INFO', 'clients')),
  );
  await redis.ask('RPUSH', 'jobs:a', '1');
  await redis.ask('RPUSH', 'jobs:c', '2');
  assert.equal(String(await before.readFrame()), '*2\r\n$6\r\njobs:a\r\n$1\r\n1\r\n');
  assert.equal(String(await long.readFrame()), '*2\r\n$6\r\njobs:c\r\n$1\r\n2\r\n');
  await stage.assertClean();
});
