/** The same promises under other settings, under an operator's hand, and with values of other sizes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectRaw } from '../helpers/raw-client.js';
import { OutageStage } from '../helpers/outage-stage.js';

test('an operator opens the breaker under load, and lets go of it: L D O T', async (t) => {
  const stage = await OutageStage.start(t);
  const { sidecar, load } = stage;
  const operator = await connectRaw(sidecar.port);
  for (let round = 0; round < 3; round += 1) {
    await load.untilMore(300);
    assert.match(await operator.ask('RESPOOL', 'BREAKER', 'OPEN'), /^[+$]/);
    await sidecar.untilOutage();
    await load.untilMore(300);
    assert.match(await operator.ask('RESPOOL', 'BREAKER', 'AUTO'), /^[+$]/);
    await sidecar.until('it is healthy', ({ condition }) => condition === 'healthy');
  }
  const { ambiguous, report } = await stage.assertClean();
  // Opening does not wait for what is in flight; that is what this may cost, and it is said.
  assert.ok(ambiguous <= 3 * 500, report);
});

test('an operator pauses the replay and resumes it: everything waits, and then everything is there', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(100);
  const operator = await connectRaw(sidecar.port);
  await stage.outage(300);
  assert.match(await operator.ask('RESPOOL', 'JOURNAL', 'PAUSE'), /^[+$]/);
  await redis.start();
  await sidecar.until('it is replaying', ({ condition }) => condition === 'replaying');
  const { journal } = await sidecar.status();
  await load.untilMore(300);
  assert.ok((await sidecar.status()).journal.records > journal.records, 'new writes queue behind');
  assert.match(await operator.ask('RESPOOL', 'JOURNAL', 'RESUME'), /^[+$]/);
  await sidecar.untilDrained();
  await stage.assertClean();
});

test('--ambiguous report: nothing that may have run is run again', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--ambiguous', 'report'] });
  const { redis, network, sidecar, load } = stage;
  await load.untilMore(300);
  network.hold('toClient');
  await sidecar.untilOutage();
  await load.untilMore(200);
  network.heal();
  await sidecar.untilDrained();
  await load.untilMore(200);
  await stage.outage(200);
  await redis.start();
  const { ambiguous, report } = await stage.assertClean();
  assert.ok(ambiguous > 0, report);
});

test('--outage-writes refuse: an outage is said, and the journal stays empty', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--outage-writes', 'refuse'] });
  const { redis, sidecar, ledger, load } = stage;
  await load.untilMore(300);
  await redis.kill();
  await sidecar.untilOutage();
  const before = ledger.counts.refused;
  await eventually('writes are refused', () => ledger.counts.refused > before + 300);
  assert.equal((await sidecar.status()).journal.records, 0);
  await redis.start();
  await sidecar.untilDrained();
  await load.untilMore(200);
  await stage.assertClean();
});

test('--outage-reads refuse: reads say that the upstream is away, writes are buffered', async (t) => {
  const stage = await OutageStage.start(t, { sidecarArgs: ['--outage-reads', 'refuse'] });
  const { redis, sidecar, load } = stage;
  await load.untilMore(100);
  await stage.outage(200);
  const client = await connectRaw(sidecar.port);
  assert.match(await client.ask('GET', 'k'), /^-UNAVAILABLE /);
  assert.equal(await client.ask('SET', 'k', 'v'), '+OK\r\n');
  await redis.start();
  await sidecar.untilDrained();
  assert.equal(await client.ask('GET', 'k'), '$1\r\nv\r\n');
  await stage.assertClean();
});

test('values from nothing to 20 MB in an outage: acknowledged and there, or refused and not', async (t) => {
  const stage = await OutageStage.start(t);
  const { redis, sidecar, load } = stage;
  await load.untilMore(100);
  await stage.outage(100);
  const client = await connectRaw(sidecar.port);
  const sizes = [0, 1, 1_000, 64 * 1024, 1_000_000, 3_000_000, 9_000_000, 20_000_000];
  const answers = new Map<number, string>();
  for (const size of sizes) {
    const answer = await client.ask('SET', `size:${size}`, Buffer.alloc(size, 'v'));
    assert.match(answer, /^(\+OK|-(UNAVAILABLE|OOM) [^\r\n]+)\r\n$/);
    answers.set(size, answer);
    if (size <= MUST_TAKE_BYTES) assert.equal(answer, '+OK\r\n', `${size} bytes`);
  }
  await load.untilMore(100);
  await redis.start();
  await sidecar.untilDrained();
  for (const size of sizes) {
    const expected = answers.get(size) === '+OK\r\n' ? size : 0;
    assert.equal(await redis.ask('STRLEN', `size:${size}`), `:${expected}\r\n`);
  }
  await stage.assertClean();
});

/** What an application may keep in Redis without being asked why. */
const MUST_TAKE_BYTES = 1_000_000;
