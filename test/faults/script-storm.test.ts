/**
 * SEMANTICS §6: a storm of SCRIPT FLUSH from somebody else is not visible to anyone behind the sidecar. Real client
 * libraries run scripts in every way they have; each reply and each element of each list tells its place
 * (`helpers/script-round.ts`). Directly on Redis the same clients fail, so the storm is one.
 *
 * This is the short run; `npm run test:faults -- scripts --count 50000` is the long one.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { seededRandom, type Random } from '../conformance/random.js';
import { FUZZ_SEED } from '../helpers/fuzz.js';
import { OutageRedis, type Durability } from '../helpers/outage-redis.js';
import { OutageSidecar } from '../helpers/outage-sidecar.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import type { Way } from '../helpers/script-client.js';
import { ScriptLoad, WAYS } from '../helpers/script-load.js';
import { INCREASE, READ, shaOf } from '../helpers/script-stage.js';
import { FlushStorm, stormRun } from '../helpers/script-storm.js';

const SCRIPTS = 3_000;
/** Per client, before and after something is restarted. */
const ROUNDS = 10;
const PIPELINES = 20;

test('directly on Redis the storm is seen by every client that cannot heal itself', async (t) => {
  const redis = await OutageRedis.start(t, 'none');
  const storm = new FlushStorm(t, redis);
  const { clients } = await ScriptLoad.connect(
    t,
    redis.port,
    WAYS.filter(({ needsNoSidecar }) => needsNoSidecar !== true),
  );
  await storm.begin();
  const failures = (index: number): number => {
    const { noScript = 0, wrong = 0 } = clients[index]?.record.counts ?? {};
    return noScript + wrong;
  };
  const deadline = performance.now() + 60_000;
  const isLate = (): boolean => performance.now() > deadline;
  await Promise.all(clients.map((client, i) => client.run(() => failures(i) > 0 || isLate())));
  for (const [index, { record }] of clients.entries()) {
    t.diagnostic(record.describe());
    assert.ok(failures(index) > 0, record.describe());
  }
});

test(`a storm of SCRIPT FLUSH: ${SCRIPTS} scripts, no NOSCRIPT, results right, order right`, async (t) => {
  t.diagnostic(await stormRun(t, SCRIPTS));
});

for (const how of ['stop', 'kill'] as const) {
  const signal = how === 'stop' ? 'SIGTERM' : 'kill -9';
  test(`a sidecar restarted in the storm (${signal}): clients go on with EVALSHA`, async (t) => {
    const { redis, sidecar, load } = await inStorm(t);
    await load.run(0, async () => {
      await load.untilEachMore(ROUNDS);
      await sidecar[how]();
      await sidecar.start();
      await load.untilEachMore(ROUNDS);
    });
    load.assertRight('mayFail');
    await load.assertLogs(redis);
  });
}

test('an upstream restarted empty in the storm: clients keep their sockets and go on with EVALSHA', async (t) => {
  const { redis, storm, load } = await inStorm(t);
  let born: number[] = [];
  await load.run(0, async () => {
    await load.untilEachMore(ROUNDS);
    await redis.kill();
    await redis.start();
    await storm.begin();
    await load.untilEachMore(1);
    // Their counters began again at one, in the middle of a life: only what begins from here on is judged.
    const before = load.clients.map(({ record }) => record.counts.wrong);
    born = load.clients.map(({ record }) => record.lives.length);
    await load.untilEachMore(ROUNDS);
    assert.deepEqual(
      load.clients.map(({ record }) => record.counts.wrong),
      before,
    );
  });
  for (const { record } of load.clients) {
    assert.equal(record.counts.noScript, 0, load.describe());
  }
  await load.assertLogs(redis, born);
});

test('an upstream killed in the storm, that comes back with its data: no script runs twice', async (t) => {
  const { redis, storm, load } = await inStorm(t, WAYS, 'always');
  await load.run(0, async () => {
    for (let round = 0; round < 2; round += 1) {
      await load.untilEachMore(ROUNDS);
      await redis.kill();
      await redis.start();
      await storm.begin();
    }
    await load.untilEachMore(ROUNDS);
  });
  for (const { record } of load.clients) {
    assert.equal(record.counts.noScript, 0, load.describe());
  }
  await load.assertLogs(redis);
});

/** Some stand together, some alone; what each must answer when `n` was there before. */
const CYCLE: readonly ((n: number) => readonly [string[], string])[] = [
  (n) => [['EVALSHA', shaOf(INCREASE), '1', 'n'], `:${n + 1}\r\n`],
  (n) => [['EVALSHA', shaOf(INCREASE), '1', 'n'], `:${n + 2}\r\n`],
  (n) => [['EVALSHA_RO', shaOf(READ), '1', 'n'], `$${String(n + 2).length}\r\n${n + 2}\r\n`],
  (n) => [['INCR', 'n'], `:${n + 3}\r\n`],
  (n) => [['EVALSHA', shaOf(INCREASE), '1', 'n'], `:${n + 4}\r\n`],
  (n) => [['GET', 'n'], `$${String(n + 4).length}\r\n${n + 4}\r\n`],
];
const INCREASES_PER_CYCLE = 4;
const CYCLES = 17;

for (const [protocol, way] of [
  [2, 'in one write'],
  [3, 'in one write'],
  [2, 'in pieces'],
] as const) {
  test(`EVALSHA in pipelines of a hundred ${way}, in the storm, in RESP${protocol}: each in its place`, async (t) => {
    const { sidecar } = await inStorm(t, []);
    const client = await connectRaw(sidecar.port);
    await client.command('HELLO', protocol);
    for (const source of [INCREASE, READ]) await client.command('SCRIPT', 'LOAD', source);
    const random = seededRandom(FUZZ_SEED);
    for (let round = 0; round < PIPELINES; round += 1) {
      const steps = Array.from({ length: CYCLES }, (_, index) => {
        const n = (round * CYCLES + index) * INCREASES_PER_CYCLE;
        return CYCLE.map((step) => step(n));
      }).flat();
      const bytes = Buffer.concat(steps.map(([command]) => encodeCommand(...command)));
      if (way === 'in one write') client.write(bytes);
      else await writeInPieces(client, bytes, random);
      const replies = (await client.readFrames(steps.length)).map(String);
      const expected = steps.map(([, reply]) => reply);
      assert.deepEqual(replies, expected, `RESPOOL_FUZZ_SEED=${FUZZ_SEED}`);
    }
    await client.close();
  });
}

/** A few commands at a time, cut anywhere, with a turn of the event loop in between. */
async function writeInPieces(client: RawClient, bytes: Buffer, random: Random): Promise<void> {
  for (let from = 0; from < bytes.length;) {
    const to = from + 1 + Math.floor(random() * 300);
    client.write(bytes.subarray(from, to));
    await nextTurn();
    from = to;
  }
}

/** Clients behind a sidecar, in the storm. */
async function inStorm(
  t: TestContext,
  ways: readonly Way[] = WAYS,
  durability: Durability = 'none',
) {
  const redis = await OutageRedis.start(t, durability);
  const sidecar = await OutageSidecar.start(t, redis.port);
  const storm = new FlushStorm(t, redis);
  const load = await ScriptLoad.connect(t, sidecar.port, ways);
  await storm.begin();
  return { redis, sidecar, storm, load };
}
