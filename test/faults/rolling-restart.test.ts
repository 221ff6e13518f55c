/**
 * A rolling update of a sidecar: SIGTERM, and another one on the same address and the same journal, again and again under
 * the load of ioredis and redis-py. What they reconnect by themselves is no error; nothing else reaches the application,
 * and what was acknowledged is in Redis exactly once.
 *
 * Which settings heal it (docs/operations.md): ioredis its defaults (`autoResendUnfulfilledCommands`, `retryStrategy`);
 * redis-py `retry` and `retry_on_error`.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { eventually } from '../helpers/eventually.js';
import { assertClean, checkLedger } from '../helpers/ledger-check.js';
import { Ledger } from '../helpers/ledger.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { OutageSidecar } from '../helpers/outage-sidecar.js';
import { IoredisLoad, RedisPyLoad, type RestartLoad } from '../helpers/restart-load.js';

const WRITES_BETWEEN = 100;
const WITHIN_MS = 60_000;
const WORKERS = 8;

/** Redis, a sidecar that is replaced, and the applications behind it. */
class Rollout {
  readonly ledger = new Ledger();
  private loads: readonly RestartLoad[] = [];

  private constructor(
    readonly redis: OutageRedis,
    readonly sidecar: OutageSidecar,
  ) {}

  static async start(t: TestContext): Promise<Rollout> {
    const redis = await OutageRedis.start(t);
    const sidecar = await OutageSidecar.start(t, redis.port);
    const rollout = new Rollout(redis, sidecar);
    const { ledger } = rollout;
    const redisPy = await RedisPyLoad.start(t, ledger, sidecar.port);
    rollout.loads = [new IoredisLoad(t, ledger, sidecar.port), redisPy];
    await rollout.goesOn();
    return rollout;
  }

  /** The next sidecar takes over, and every application goes on. */
  async restart(): Promise<void> {
    const startedAt = performance.now();
    assert.equal(await this.sidecar.stop(), 0);
    const tookMs = performance.now() - startedAt;
    // Somebody who is waited for in vain would take all of --drain: ten seconds.
    assert.ok(tookMs < 8_000, `drained in ${tookMs} ms`);
    await this.sidecar.start();
    await this.goesOn();
  }

  /** Every application has had so many more writes acknowledged. */
  async goesOn(): Promise<void> {
    const goals = this.loads.map((load) => ({
      load,
      goal: load.acknowledged + WRITES_BETWEEN,
    }));
    const deadline = performance.now() + WITHIN_MS;
    while (goals.some(({ load, goal }) => load.acknowledged < goal)) {
      this.sidecar.assertAlive();
      const state = this.loads.map(({ name, errors, acknowledged }) => ({
        name,
        acknowledged,
        errors,
      }));
      assert.ok(performance.now() < deadline, JSON.stringify(state));
      await pause(5);
    }
  }

  /** What reached the applications since the last look. */
  takeErrors(): string[] {
    return this.loads.flatMap(({ name, errors }) =>
      errors.splice(0).map((error) => `${name}: ${error}`),
    );
  }

  async assertExactlyOnce(): Promise<void> {
    for (const load of this.loads) await load.finish();
    await this.sidecar.untilDrained();
    assertClean(await checkLedger(this.ledger, this.redis.port));
  }
}

/** Workers that wait for jobs, which somebody else puts into Redis, and a subscriber: they wait on through all that happens. */
class Bystanders {
  private readonly done: string[] = [];
  private readonly messages: string[] = [];
  private readonly producer: Redis;
  private jobs = 0;
  private readonly putting = setInterval(() => this.put(), 1);

  constructor(
    t: TestContext,
    private readonly redis: OutageRedis,
    port: number,
  ) {
    const clients = Array.from({ length: WORKERS + 1 }, () =>
      new Redis({ host: '127.0.0.1', port }).on('error', () => undefined),
    );
    this.producer = new Redis({ host: '127.0.0.1', port: redis.port });
    t.after(() => {
      clearInterval(this.putting);
      [...clients, this.producer].forEach((client) => client.disconnect());
    });
    const [subscriber, ...workers] = clients;
    for (const worker of workers) this.work(worker);
    subscriber!.subscribe('news').catch((error: Error) => this.messages.push(String(error)));
    subscriber!.on('message', (_, text) => this.messages.push(text));
  }

  /** Every job was done, once, and the news arrive. */
  async assertServed(): Promise<void> {
    clearInterval(this.putting);
    await eventually('all jobs are done', () => this.done.length >= this.jobs);
    const expected = Array.from({ length: this.jobs }, (_, index) => `job ${index}`);
    assert.deepEqual(this.done.toSorted(), expected.toSorted());
    await eventually('somebody is subscribed', async () =>
      (await this.redis.ask('PUBLISH', 'news', 'hello')).startsWith(':1'),
    );
    await eventually('the news arrive', () => this.messages.length > 0);
    assert.deepEqual(this.messages, ['hello']);
  }

  private put(): void {
    void this.producer.rpush('jobs', `job ${this.jobs}`);
    this.jobs += 1;
  }

  private work(worker: Redis): void {
    worker.blpop('jobs', 0).then(
      (job) => {
        this.done.push(job?.[1] ?? 'nothing, although it waits for ever');
        this.work(worker);
      },
      // The end of the test.
      (error: Error) => this.done.push(error.message),
    );
  }
}

test('a sidecar replaced under load: no error reaches ioredis or redis-py, and every write is there once', async (t) => {
  const rollout = await Rollout.start(t);
  const bystanders = new Bystanders(t, rollout.redis, rollout.sidecar.port);
  for (let round = 0; round < 3; round += 1) await rollout.restart();
  await bystanders.assertServed();
  await rollout.assertExactlyOnce();
  assert.deepEqual(rollout.takeErrors(), []);
});

test('a sidecar replaced in the middle of an outage and of a replay: the same, and the journal goes on', async (t) => {
  const rollout = await Rollout.start(t);
  const { redis, sidecar } = rollout;
  await redis.kill();
  await sidecar.untilOutage();
  await rollout.goesOn();
  // What was on its way when Redis itself died: nobody knows, and it is said (I5).
  for (const error of rollout.takeErrors()) assert.match(error, /UNKNOWNOUTCOME/);
  for (let round = 0; round < 2; round += 1) {
    const before = (await sidecar.status()).journal.records;
    await rollout.restart();
    const { records } = (await sidecar.status()).journal;
    assert.ok(records > before, `${before} records before, ${records} after`);
  }
  assert.match(sidecar.output(), /journaled writes wait for the next start/);
  await redis.start();
  await rollout.restart();
  await sidecar.untilDrained();
  await rollout.goesOn();
  await rollout.assertExactlyOnce();
  assert.deepEqual(rollout.takeErrors(), []);
});
