/**
 * The probe against a real redis-server in the states of FAULTS.md: what it finds, and that it always comes back.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { isFailureReply } from '../../src/breaker/failure.js';
import { IdentityRegister, type Identity } from '../../src/command/connection-state.js';
import { TimeoutError } from '../../src/upstream/deadline.js';
import { Demotion } from '../../src/upstream/demotion.js';
import { Probe, type ProbeOptions } from '../../src/upstream/probe.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { freePort } from '../helpers/ports.js';
import { connectRaw } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis } from '../helpers/servers.js';

/** Of probes that are not to time out, however busy the machine is. */
const PATIENT_MS = 20_000;
/** Of probes that shall; and what a busy machine may need on top. */
const TIMEOUT_MS = 400;
const SLACK_MS = 5_000;
const KEY = 'respool:probe';

/** A probe whose periodic looks the test reads, and which it may ask. */
class Stage {
  /** What periodic looks and askings have found. */
  readonly results: (string | null)[] = [];
  readonly log: string[] = [];
  readonly probe: Probe;
  isWatching = true;

  constructor(t: TestContext, port: number, options: Partial<ProbeOptions> = {}) {
    this.probe = new Probe({
      address: { kind: 'tcp', host: '127.0.0.1', port, tls: null },
      identity: identityWith(null),
      clock: systemClock,
      logger: { ...silentLogger, info: (event) => void this.log.push(event) },
      silence: { isExplained: false, isPaused: false },
      demotion: new Demotion(systemClock),
      periodMs: 20,
      timeoutMs: PATIENT_MS,
      key: KEY,
      isFailure: isFailureReply,
      owesWrites: () => false,
      isWatching: () => this.isWatching,
      onResult: (problem) => void this.results.push(problem?.message ?? null),
      ...options,
    });
    t.after(() => this.probe.close());
  }

  ask(): Promise<Error | null> {
    return new Promise((resolve) => this.probe.ask(resolve));
  }

  /** Asks, and compares with what is wrong; null is nothing. */
  async finds(problem: RegExp | null): Promise<void> {
    const found = await this.ask();
    if (problem === null) assert.equal(found, null);
    else assert.match(found?.message ?? 'nothing wrong', problem);
  }

  /** Resolves when it is answered in time, which a busy machine may prevent once. */
  async serves(): Promise<void> {
    await eventually('it is answered in time', async () => (await this.ask()) === null);
  }

  /** Resolves when a periodic look that began after this finds nothing wrong. */
  async looksWell(): Promise<void> {
    const begun = this.results.length + 1;
    await eventually('a look finds nothing wrong', () => this.results.slice(begun).includes(null));
  }

  /** The next periodic look that began after this. */
  async looks(problem: RegExp | null): Promise<void> {
    const seen = this.results.length;
    const since = await eventually(
      'two looks',
      () => this.results.length >= seen + 2 && this.results,
    );
    const last = since.at(-1) ?? null;
    if (problem === null) assert.equal(last, null);
    else assert.match(last ?? 'nothing wrong', problem);
  }
}

function identityWith(password: string | null): Identity {
  return new IdentityRegister().identityOf(password === null ? null : { user: null, password });
}

/** One that can be killed, frozen and started again. */
function startOutageRedis(t: TestContext, ...args: string[]): Promise<OutageRedis> {
  return OutageRedis.start(t, 'none', args);
}

test('a server that serves has nothing wrong, and holds nothing of ours', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port);
  await stage.looks(null);
  await stage.finds(null);
  assert.equal(stage.probe.wasWritable, true);
  assert.equal(await redis.ask('DBSIZE'), ':0\r\n');
  assert.match(await redis.ask('CLIENT', 'LIST'), / name=respool-probe /);
});

test('a server that is not there is known at once, and found when it is back', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port);
  await stage.looks(null);
  await redis.kill();
  await stage.looks(/ECONNREFUSED/);
  await stage.finds(/ECONNREFUSED/);
  await redis.start();
  await stage.finds(null);
  await stage.looks(null);
});

test('a unix socket that is not there', async (t) => {
  const path = `${temporaryDirectory(t, 'respool-probe-')}/no.sock`;
  const stage = new Stage(t, 0, { address: { kind: 'unix', path } });
  await stage.finds(/ENOENT/);
});

test('a frozen server ends by the deadline of the probe, connected or not', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port, { timeoutMs: TIMEOUT_MS, onResult: () => undefined });
  await stage.serves();
  await redis.freeze();
  for (const round of [1, 2, 3]) {
    const before = performance.now();
    assert.ok((await stage.ask()) instanceof TimeoutError, `round ${round}`);
    const tookMs = performance.now() - before;
    assert.ok(tookMs >= TIMEOUT_MS - 5 && tookMs < TIMEOUT_MS + SLACK_MS, `${tookMs} ms`);
  }
  redis.thaw();
  await stage.serves();
});

test('frozen while the probe is out: it comes back all the same', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port, { timeoutMs: TIMEOUT_MS });
  await stage.serves();
  const asked = stage.ask();
  await redis.freeze();
  const before = performance.now();
  const found = await asked;
  assert.ok(found === null || found instanceof TimeoutError);
  assert.ok(performance.now() - before < TIMEOUT_MS + SLACK_MS);
  redis.thaw();
});

test('a periodic look notices silence, unless there is a reason for it', async (t) => {
  const redis = await startOutageRedis(t);
  const silence = { isExplained: true, isPaused: false };
  const stage = new Stage(t, redis.port, { timeoutMs: TIMEOUT_MS, silence });
  await stage.serves();
  await redis.freeze();
  await stage.finds(/did not reply within 400 ms/);
  const seen = stage.results.length;
  await stage.finds(/did not reply within 400 ms/);
  assert.equal(stage.results.length, seen + 1, 'only what was asked for was told');
  silence.isExplained = false;
  await stage.looks(/did not reply within 400 ms/);
  redis.thaw();
  await stage.looksWell();
});

test('nothing is asked of a server that a client has paused, or the question would be seen waiting there', async (t) => {
  const redis = await startOutageRedis(t);
  const silence = { isExplained: true, isPaused: false };
  const clock = new FakeClock();
  const stage = new Stage(t, redis.port, { silence, clock });
  const view = await RedisView.of(t, redis.port);
  const hasLooked = (times: number) => eventually('a look', () => stage.results.length === times);
  await hasLooked(1);
  silence.isPaused = true;
  clock.advance(1000);
  for (let round = 0; round < 20; round += 1) await view.ask('PING');
  silence.isPaused = false;
  clock.advance(20);
  await hasLooked(2);
  assert.match(await view.ask('INFO', 'commandstats'), /cmdstat_del:calls=2,/);
});

test('a frozen server is not left with a connection for every asking', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port, { timeoutMs: 50 });
  await stage.serves();
  stage.isWatching = false;
  await redis.freeze();
  for (let round = 0; round < 20; round += 1) await stage.finds(/did not reply/);
  const open = (): number =>
    process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length;
  await eventually('the sockets are gone', () => open() <= 1);
  redis.thaw();
});

test('a server that is loading', async (t) => {
  const redis = await startOutageRedis(
    t,
    '--key-load-delay',
    '200',
    '--loading-process-events-interval-bytes',
    '1024',
  );
  await redis.ask('DEBUG', 'POPULATE', 5000, 'key', 500);
  await redis.ask('SAVE');
  const stage = new Stage(t, redis.port);
  await redis.kill();
  redis.begin();
  await eventually('it listens', async () => {
    const found = await stage.ask();
    assert.match(found?.message ?? '', /LOADING/);
    return true;
  });
  await stage.looks(/LOADING/);
});

test('MISCONF: the last snapshot failed', async (t) => {
  const directory = temporaryDirectory(t, 'respool-probe-');
  const redis = await startOutageRedis(t, '--dir', directory, '--save', '3600 1');
  const stage = new Stage(t, redis.port);
  await stage.finds(null);
  // No file can take the place of a directory.
  mkdirSync(join(directory, 'dump.rdb'));
  await redis.ask('SET', 'a', 1);
  await redis.ask('BGSAVE');
  await eventually('the snapshot has failed', async () =>
    (await redis.ask('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
  );
  await stage.finds(/says MISCONF/);
  await stage.looks(/says MISCONF/);
  await redis.ask('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no');
  await stage.finds(null);
});

test('READONLY is wrong of what took writes before', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port);
  await stage.finds(null);
  await redis.ask('REPLICAOF', '127.0.0.1', await freePort());
  await stage.finds(/says READONLY/);
  await stage.looks(/says READONLY/);
  await redis.ask('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
  await stage.finds(/says MASTERDOWN/);
  await redis.ask('REPLICAOF', 'NO', 'ONE');
  await stage.finds(null);
});

test('what a client has made a replica answers as it should, until it takes writes again', async (t) => {
  const redis = await startOutageRedis(t);
  const demotion = new Demotion(systemClock);
  const stage = new Stage(t, redis.port, { demotion });
  await stage.finds(null);
  await redis.ask('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
  demotion.expect();
  await redis.ask('REPLICAOF', '127.0.0.1', await freePort());
  demotion.order();
  await stage.finds(null);
  await stage.looks(null);
  assert.ok(demotion.isOrdered);
  // Somebody else takes it back, and it becomes one again.
  await redis.ask('REPLICAOF', 'NO', 'ONE');
  await stage.finds(null);
  assert.ok(!demotion.isOrdered);
  await redis.ask('REPLICAOF', '127.0.0.1', await freePort());
  await stage.finds(/says MASTERDOWN/);
});

test('READONLY is how a replica answers, which is said once; and wrong once writes wait', async (t) => {
  const redis = await startOutageRedis(t);
  await redis.ask('REPLICAOF', '127.0.0.1', await freePort());
  let records = 0;
  const stage = new Stage(t, redis.port, { owesWrites: () => records > 0 });
  await stage.finds(null);
  await stage.looks(null);
  assert.equal(stage.probe.wasWritable, false);
  assert.deepEqual(stage.log, ['the upstream is a replica and takes no writes']);
  records = 1;
  await stage.finds(/says READONLY/);
});

test('NOREPLICAS: too few replicas to take writes', async (t) => {
  const redis = await startOutageRedis(t, '--min-replicas-to-write', '1');
  const stage = new Stage(t, redis.port);
  await stage.finds(/says NOREPLICAS/);
  await redis.ask('CONFIG', 'SET', 'min-replicas-to-write', '0');
  await stage.finds(null);
});

test('a password set while it runs shuts out what was let in before', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port);
  await stage.finds(null);
  const admin = await connectRaw(redis.port);
  t.after(() => admin.reset());
  await admin.ask('CONFIG', 'SET', 'requirepass', 'secret');
  await stage.looks(null);
  await stage.finds(/says NOAUTH/);
  await admin.ask('CONFIG', 'SET', 'requirepass', '');
  await stage.finds(null);
});

test('a password that clients bring themselves is nothing wrong; one of our own that is refused is', async (t) => {
  const redis = await startRedis(t, { args: ['--requirepass', 'sécret'] });
  const stranger = new Stage(t, redis.port);
  await stranger.finds(null);
  const wire = Buffer.from('sécret').toString('latin1');
  const own = new Stage(t, redis.port, { identity: identityWith(wire) });
  await own.finds(null);
  assert.equal(own.probe.wasWritable, true);
  const wrong = new Stage(t, redis.port, { identity: identityWith('guess') });
  await wrong.finds(/says WRONGPASS/);
});

test('NOPERM is nothing wrong, even while writes wait', async (t) => {
  const redis = await startOutageRedis(t);
  await redis.ask('ACL', 'SETUSER', 'default', '-ping', '-del', '-client');
  const stage = new Stage(t, redis.port, { owesWrites: () => true });
  await stage.finds(null);
  assert.equal(stage.probe.wasWritable, false);
});

test('max number of clients', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port);
  await stage.looks(null);
  const admin = await connectRaw(redis.port);
  t.after(() => admin.reset());
  await admin.ask('CONFIG', 'SET', 'maxclients', 1);
  await stage.looks(null);
  await stage.finds(/max number of clients|closed|ECONNRESET|EPIPE/);
  await admin.ask('CONFIG', 'SET', 'maxclients', 100);
  await stage.finds(null);
});

test('BUSY is nothing wrong, but cannot be written to', async (t) => {
  const redis = await startOutageRedis(t, '--busy-reply-threshold', '50');
  let records = 0;
  const stage = new Stage(t, redis.port, { owesWrites: () => records > 0 });
  await stage.finds(null);
  const busy = await connectRaw(redis.port);
  t.after(() => busy.reset());
  busy.send('EVAL', 'while true do end', 0);
  await eventually('it is busy', async () => (await redis.ask('PING')).startsWith('-BUSY'));
  await stage.finds(null);
  await stage.looks(null);
  records = 1;
  await stage.finds(/says BUSY/);
  await redis.ask('SCRIPT', 'KILL');
  await eventually('it is over', async () => (await stage.ask()) === null);
});

test('paused writes: its reads go on, but the breaker is told', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port, { timeoutMs: TIMEOUT_MS });
  await stage.serves();
  await redis.ask('CLIENT', 'PAUSE', 60_000, 'WRITE');
  await stage.looksWell();
  await stage.finds(/did not reply within 400 ms/);
  await redis.ask('CLIENT', 'UNPAUSE');
  await stage.serves();
});

test('while nobody watches it looks at nothing, and still answers', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port, { periodMs: 1 });
  await stage.looks(null);
  stage.isWatching = false;
  await stage.finds(null);
  const seen = stage.results.length;
  for (let asking = 0; asking < 20; asking += 1) await stage.finds(null);
  assert.equal(stage.results.length, seen + 20, 'what was asked for is a result too');
  stage.isWatching = true;
  await stage.looks(null);
});

test('every asking is answered once, also the one that another overtakes and the one that is closed', async (t) => {
  const redis = await startOutageRedis(t);
  const stage = new Stage(t, redis.port, { onResult: () => undefined });
  await redis.freeze();
  const answers: string[] = [];
  stage.probe.ask((problem) => answers.push(`first: ${problem?.message}`));
  stage.probe.ask((problem) => answers.push(`second: ${problem?.message}`));
  stage.probe.close();
  stage.probe.ask((problem) => answers.push(`third: ${problem?.message}`));
  redis.thaw();
  assert.deepEqual(answers, [
    'first: asked again',
    'second: the probe is closed',
    'third: the probe is closed',
  ]);
});
