/** An upstream that falls silent without hanging up: found by the deadline, said truthfully, recovered from. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { busyScript } from '../helpers/busy-script.js';
import { eventually } from '../helpers/eventually.js';
import { freezeProcess } from '../helpers/freeze.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar, type RedisServer, type Sidecar } from '../helpers/servers.js';

const TIMEOUT_MS = 400;
const HOLD_MS = 200;
/** What the machine may need on top, busy as it may be: these tests look for a deadline that is missing. */
const SLACK_MS = 5_000;

test('a frozen upstream is found within the timeout; the outcome of what was sent is unknown', async (t) => {
  const { redis, sidecar } = await start(t);
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('INCR', 'n'), ':1\r\n');
  await freeze(redis);
  const sentAt = performance.now();
  assert.match(await client.ask('INCR', 'n'), /^-UNKNOWNOUTCOME [^\r\n]+\r\n$/);
  const waitedMs = performance.now() - sentAt;
  assert.ok(waitedMs >= TIMEOUT_MS * 0.8 && waitedMs <= TIMEOUT_MS + SLACK_MS, `${waitedMs} ms`);
  thaw(redis);
  const n = await recovered(client);
  assert.ok(n === ':1\r\n' || n === ':2\r\n', 'it ran at most once');
});

test('what comes while the upstream is frozen is answered in time, and nobody hangs', async (t) => {
  const { redis, sidecar } = await start(t);
  const client = await connectRaw(sidecar.port);
  await client.ask('SET', 'k', 'v');
  await freeze(redis);
  const answers: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const sentAt = performance.now();
    client.write('GET k\r\nMULTI\r\nINCR n\r\nEXEC\r\n');
    answers.push(...(await client.readFrames(4)).map(String));
    const waitedMs = performance.now() - sentAt;
    assert.ok(
      waitedMs <= 2 * (TIMEOUT_MS + HOLD_MS) + SLACK_MS,
      `${waitedMs} ms in round ${round}`,
    );
    const late = await connectRaw(sidecar.port);
    assert.equal(await late.ask('GET', 'k'), '$-1\r\n', 'what an empty Redis says');
    assert.match(await late.ask('INCR', 'n'), /^-UNAVAILABLE [^\r\n]+\r\n$/);
    await late.close();
  }
  thaw(redis);
  await recovered(client);
  for (const answer of answers) {
    assert.match(answer, /^(-UNKNOWNOUTCOME |-UNAVAILABLE |-EXECABORT |\+QUEUED|\+OK|\$)/);
  }
  const unknown = answers.filter((answer) => answer.startsWith('-UNKNOWNOUTCOME')).length;
  const ran = Number(/-?\d+/.exec(await client.ask('INCRBY', 'n', 0)));
  assert.ok(ran <= unknown, `${ran} transactions ran, ${unknown} outcomes were unknown`);
  assert.equal(client.ending, null);
});

test('silence that is asked for is no failure: blocked pops and slow scripts outlast the timeout', async (t) => {
  const { sidecar } = await start(t);
  const [blocked, slow, other] = await Promise.all([1, 2, 3].map(() => connectRaw(sidecar.port)));
  assert.ok(blocked && slow && other);
  blocked.send('BLPOP', 'nothing', (TIMEOUT_MS * 2) / 1_000);
  assert.equal(String(await blocked.readFrame()), '*-1\r\n');
  slow.send('EVAL', await busyScript(slow, TIMEOUT_MS * 2), 0);
  other.send('GET', 'k');
  assert.equal(String(await slow.readFrame()), ':1\r\n');
  assert.equal(String(await other.readFrame()), '$-1\r\n');
});

async function start(t: TestContext): Promise<{ redis: RedisServer; sidecar: Sidecar }> {
  const redis = await startRedis(t);
  const args = ['--upstream-timeout', `${TIMEOUT_MS}ms`, '--hold', `${HOLD_MS}ms`];
  return { redis, sidecar: await startSidecar(t, { upstream: redis.url, args }) };
}

/** Stops the process without closing anything: its kernel goes on accepting bytes and connections. SIGKILL ends it, too. */
function freeze(redis: RedisServer): Promise<void> {
  return freezeProcess(redis.pid);
}

function thaw(redis: RedisServer): void {
  process.kill(redis.pid, 'SIGCONT');
}

/** Waits until the client's own socket answers again; the value of `n`. */
async function recovered(client: Awaited<ReturnType<typeof connectRaw>>): Promise<string> {
  return eventually('it answers again', async () => {
    const answer = await client.ask('INCRBY', 'n', 0);
    return answer.startsWith(':') && answer;
  });
}
