/** Connections as a weapon: opened and dropped by the thousand, left half-said, announcing more than they bring. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Bystander } from '../helpers/bystander.js';
import { eventually } from '../helpers/eventually.js';
import { connectMany } from '../helpers/many-clients.js';
import { MEGABYTE, openDescriptors, residentBytes } from '../helpers/process-figures.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

/** What all of a misdeed may cost the sidecar, on top of what it had. */
const MEMORY_LIMIT_BYTES = 100 * MEGABYTE;

for (const upstream of ['redis', 'embedded'] as const) {
  test(`10,000 connections opened and dropped leave nothing behind (${upstream})`, async (t) => {
    const { port, pid, bystander, admin, noClientIsLeft } = await start(t, upstream);
    const resident = residentBytes(pid).now;
    await bystander.isUnharmedBy(async () => {
      for (let wave = 0; wave < 20; wave += 1) {
        const clients = await connectMany(null, port, 500);
        clients.forEach((client, n) => leave(client, n));
      }
    });
    await noClientIsLeft();
    const grownBytes = residentBytes(pid).peak - resident;
    assert.ok(grownBytes <= MEMORY_LIMIT_BYTES, `${grownBytes / MEGABYTE} MB more`);
    // The bystander stays.
    await eventually('nobody holds anything', async () => {
      const status = await admin('/status');
      return /"connected": *[01],\s*"pinned": *0\b/.test(status);
    });
  });
}

/** In turn: at once, with a reset, with a command unanswered, half-said, subscribed, in a transaction, waiting. */
function leave(client: RawClient, n: number): void {
  const lastWords = [
    '',
    '',
    'GET bystander\r\n',
    '*2\r\n$3\r\nGE',
    'SUBSCRIBE c\r\n',
    'MULTI\r\nINCR x\r\n',
    'BLPOP q 0\r\n',
  ];
  client.write(lastWords[n % lastWords.length] ?? '');
  if (n % 2 === 0) client.socket.end(() => client.socket.destroy());
  else client.socket.end(() => client.reset());
}

/** What 1,000 clients each begin to say and do not finish, and how much the sidecar may spend on all of them. */
const HALF_SENT: Readonly<Record<string, string>> = {
  'a header': '*2',
  'a command name': '*2\r\n$3\r\nGE',
  'a key': '*2\r\n$3\r\nGET\r\n$10\r\nbyst',
  'an inline command': 'GET bystan',
  'the last newline': '*1\r\n$4\r\nPING\r',
  'a billion arguments': '*1000000000\r\n$4\r\nMGET\r\n$1\r\na\r\n',
  'ten million arguments': '*10000000\r\n',
  '512 MB': '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\na few bytes',
};

test('1,000 half-sent frames of every kind cost little and harm nobody', async (t) => {
  const { port, pid, bystander, noClientIsLeft } = await start(t, 'redis');
  const resident = residentBytes(pid).now;
  for (const [what, bytes] of Object.entries(HALF_SENT)) {
    await bystander.isUnharmedBy(async () => {
      const clients = await connectMany(t, port, 1_000);
      for (const client of clients) client.write(bytes);
      await clients[0]?.expectSilence(100);
      for (const client of clients)
        assert.equal(client.ending, null, `${what}: Redis waits for more, too`);
      const grownBytes = residentBytes(pid).peak - resident;
      assert.ok(grownBytes <= MEMORY_LIMIT_BYTES, `${what}: ${grownBytes / MEGABYTE} MB more`);
      for (const client of clients) client.reset();
    });
    await noClientIsLeft();
  }
});

test('more clients than descriptors or --max-clients: the surplus is told so, the others go on', async (t) => {
  const { port, bystander, noClientIsLeft } = await start(t, 'redis', ['--max-clients', '200']);
  await bystander.isUnharmedBy(async () => {
    for (let wave = 0; wave < 5; wave += 1) {
      const clients = await connectMany(t, port, 1_000);
      const answers = await Promise.all(
        clients.slice(199).map((client) => client.readUntilClose().then(String, String)),
      );
      // A reset may overtake the last words, as it may with Redis.
      for (const answer of answers)
        assert.match(answer, /^(-ERR max number of clients reached\r\n)?$|ECONNRESET/);
      for (const client of clients) client.reset();
      await noClientIsLeft();
    }
  });
  assert.equal(await (await connectRaw(port)).ask('PING'), '+PONG\r\n');
});

async function start(t: TestContext, upstream: 'redis' | 'embedded', args: string[] = []) {
  const redis = upstream === 'redis' ? await startRedis(t) : null;
  const sidecar = await startSidecar(t, { upstream: redis?.url ?? 'embedded:', args });
  const { port, pid } = sidecar;
  const view = redis === null ? null : await RedisView.of(t, redis.port);
  const bystander = await Bystander.start(t, port, redis === null ? [pid] : [pid, redis.pid]);
  const admin = async (path: string): Promise<string> => (await sidecar.admin(path)).body;
  // Connections to Redis may stay open for whoever comes next; sockets of clients may not.
  const withoutUpstream = async (): Promise<number> =>
    openDescriptors(pid) - ((await view?.connections())?.length ?? 0);
  const before = await withoutUpstream();
  const noClientIsLeft = async (): Promise<void> => {
    const left = async () => (await withoutUpstream()) - before;
    await eventually('all descriptors are given back', async () => (await left()) <= 0);
  };
  return { port, pid, bystander, admin, noClientIsLeft };
}
