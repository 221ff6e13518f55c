/** `respool check` in front of real servers, each set up so that something will not work: it says so, and what to do. */
import assert from 'node:assert/strict';
import { createServer, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { runCli } from '../../src/cli/run.js';
import { CheckHost } from '../helpers/check-host.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/ports.js';
import { readProjectFile } from '../helpers/project.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, type RedisServer } from '../helpers/servers.js';

interface Report {
  readonly upstream: string | null;
  readonly findings: readonly { severity: string; code: string; found: string; advice: string }[];
}

interface Checked {
  readonly code: number;
  /** `severity code` of what was found about the upstream, the worst first. */
  readonly codes: readonly string[];
  /** All sentences. */
  readonly text: string;
}

/** What the machine is like is none of these tests' business. */
const OF_THE_MACHINE = /^(journal-|descriptors$|address)/;

async function check(upstream: string, ...args: string[]): Promise<Checked> {
  const all = ['check', '--json', '--listen', '127.0.0.1:0', '--admin', 'off'];
  const host = new CheckHost([...all, '--upstream', upstream, ...args]);
  const code = await runCli(host);
  assert.equal(host.stderr.text, '');
  const { findings } = JSON.parse(host.stdout.text) as Report;
  const about = findings.filter((each) => !OF_THE_MACHINE.test(each.code));
  for (const { found, advice } of about)
    assert.ok(found.endsWith('.') && advice.endsWith('.'), found);
  return {
    code,
    codes: about.map(({ severity, code: name }) => `${severity} ${name}`),
    text: about.map(({ found, advice }) => `${found} ${advice}`).join('\n'),
  };
}

/** One that lacks nothing, but for what its arguments say. */
function start(t: TestContext, ...args: string[]): Promise<RedisServer> {
  return startRedis(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always', ...args] });
}

async function tell(redis: RedisServer, ...words: (string | number)[]): Promise<void> {
  const client = await connectRaw(redis.port);
  assert.doesNotMatch(await client.ask(...words), /^-/, words.join(' '));
  await client.close();
}

/** A user that may do everything but what `rules` take away. */
async function withUser(redis: RedisServer, ...rules: string[]): Promise<string> {
  await tell(redis, 'ACL', 'SETUSER', 'app', 'reset', 'on', '>pw', '+@all', '~*', '&*', ...rules);
  return `redis://app:pw@127.0.0.1:${redis.port}`;
}

test('nothing is found about a server that lacks nothing, and it holds nothing afterwards', async (t) => {
  const redis = await start(t);
  assert.deepEqual(await check(redis.url), { code: 0, codes: [], text: '' });
  const client = await connectRaw(redis.port);
  assert.equal(await client.ask('DBSIZE'), ':0\r\n');
  assert.match(await client.ask('INFO', 'memory'), /number_of_cached_scripts:0\r/);
  assert.match(await client.ask('INFO', 'persistence'), /rdb_changes_since_last_save:0\r/);
});

test('what the user of upstream may not do', async (t) => {
  const redis = await start(t);
  const cases: readonly (readonly [string[], number, string[], RegExp])[] = [
    [['-eval', '-evalsha'], 0, ['warning no-scripts'], /EVAL and EVALSHA.* Grant \+eval \+evalsha/],
    [['-client|kill'], 0, ['warning no-fences'], /CLIENT KILL says "NOPERM.*-UNKNOWNOUTCOME/],
    [['-client|info'], 0, ['warning no-fences'], /CLIENT INFO says/],
    [['resetkeys', '~app:*'], 1, ['error no-cursor'], /WATCH, GET, SET, DEL.*~respool:\*/],
    [['-multi'], 1, ['error no-cursor'], /may not use MULTI/],
    [['-@dangerous'], 0, ['warning no-fences'], /Grant \+client/],
  ];
  for (const [rules, code, codes, words] of cases) {
    const checked = await check(await withUser(redis, ...rules));
    assert.deepEqual([checked.code, checked.codes], [code, codes], rules.join(' '));
    assert.match(checked.text, words);
  }
  // What SECURITY.md says is enough.
  const rights = /For its own work it needs `([^`]*)`/.exec(readProjectFile('SECURITY.md'));
  const own = rights![1]!.split(/\s+/);
  const modest = await check(await withUser(redis, 'resetkeys', '-@all', ...own));
  assert.deepEqual(modest.codes, ['warning no-scripts']);
  const inDatabase = `${await withUser(redis, '-select')}/1`;
  assert.deepEqual((await check(inDatabase)).codes, ['error database']);
  const without = await check(await withUser(redis, '-multi'), '--outage-writes', 'refuse');
  assert.deepEqual(without, { code: 0, codes: [], text: '' });
});

test('how the server keeps its data, and what an outage then costs', async (t) => {
  const redis = await start(t);
  const cases: readonly (readonly [string[][], string[], RegExp])[] = [
    [[['appendfsync', 'everysec']], ['note appendfsync'], /up to two seconds of writes/],
    [[['appendfsync', 'no']], ['warning appendfsync'], /often 30 s/],
    [
      [
        ['appendonly', 'no'],
        ['save', '60 1'],
      ],
      ['warning snapshots-only'],
      /since the last one/,
    ],
    [[['save', '']], ['warning no-persistence'], /keeps nothing on disk/],
    [
      [
        ['maxmemory', '100mb'],
        ['maxmemory-policy', 'allkeys-lru'],
      ],
      ['warning eviction', 'warning no-persistence'],
      /also the replay cursor.*volatile-/,
    ],
    [
      [
        ['maxmemory-policy', 'noeviction'],
        ['maxmemory', '1'],
      ],
      ['error out-of-memory', 'warning no-persistence'],
      /maxmemory/,
    ],
    [
      [
        ['maxmemory', '0'],
        ['min-replicas-to-write', '1'],
      ],
      ['error not-serving', 'warning no-persistence'],
      /NOREPLICAS.*min-replicas-to-write/,
    ],
  ];
  for (const [settings, codes, words] of cases) {
    for (const [name, value] of settings) await tell(redis, 'CONFIG', 'SET', name!, value!);
    const checked = await check(redis.url);
    assert.deepEqual(checked.codes, codes, settings.join());
    assert.match(checked.text, words);
  }
});

test('a node of a cluster, a replica, a database that is not there', async (t) => {
  const node = await startRedis(t, { args: ['--cluster-enabled', 'yes'] });
  const clustered = await check(node.url);
  assert.equal(clustered.code, 1);
  assert.ok(clustered.codes.includes('error cluster'), clustered.text);
  const primary = await start(t, '--repl-diskless-sync-delay', '0');
  assert.deepEqual((await check(`${primary.url}/99`)).codes, ['error database']);
  const replica = await start(t, '--replicaof', `127.0.0.1 ${primary.port}`);
  const seen = await eventually('the replica has caught up', async () => {
    const checked = await check(replica.url);
    return !/LOADING|lost its connection/.test(checked.text) && checked;
  });
  assert.deepEqual(seen.codes, ['warning replica']);
  assert.match(
    seen.text,
    new RegExp(`a replica of 127.0.0.1:${primary.port}: writes are answered`),
  );
});

test('who cannot be reached or will not let us in, and why', async (t) => {
  const guarded = await start(t, '--requirepass', 'pw');
  const { port } = guarded;
  const closed = await freePort();
  const cases: readonly (readonly [string, RegExp])[] = [
    [`redis://127.0.0.1:${closed}`, /ECONNREFUSED.* Start it, or correct host and port/],
    [`redis://:wrong@127.0.0.1:${port}`, /WRONGPASS.* Correct user and password/],
    [`rediss://127.0.0.1:${port}`, /within 300 ms\..* Does it speak TLS/],
    ['unix:///nowhere/redis.sock', /ENOENT.* there is no such socket/],
  ];
  for (const [upstream, words] of cases) {
    const checked = await check(upstream, '--upstream-timeout', '300ms');
    assert.deepEqual([checked.code, checked.codes], [1, ['error unreachable']], upstream);
    assert.match(checked.text, words);
  }
});

test('a password that only clients have', async (t) => {
  const { url } = await start(t, '--requirepass', 'pw');
  const { code, codes, text } = await check(url);
  assert.deepEqual([code, codes], [1, ['error no-password']]);
  assert.match(text, /Give it one: upstream-password-file/);
  const passing = await check(url, '--outage-writes', 'refuse');
  assert.deepEqual([passing.code, passing.codes], [0, ['warning no-password']]);
});

test('a proxy that does not pass what is needed, and one that distributes connections', async (t) => {
  const [one, other] = [await start(t), await start(t)];
  const redises = [one, other];
  let accepted = 0;
  // As HAProxy in TCP mode does it.
  const balancer = createServer((client) => {
    const server = connect(redises[accepted++ % 2]!.port, '127.0.0.1');
    for (const socket of [client, server]) socket.on('error', () => undefined);
    client.pipe(server).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(balancer, 'listening');
  t.after(() => balancer.close());
  const { port } = balancer.address() as AddressInfo;
  const distributed = await check(`redis://127.0.0.1:${port}`);
  assert.deepEqual([distributed.code, distributed.codes], [1, ['error several-servers']]);
  const renamed = await start(t, '--rename-command', 'MULTI', '');
  const unpassed = await check(renamed.url);
  assert.deepEqual([unpassed.code, unpassed.codes], [1, ['error proxy']]);
  assert.match(unpassed.text, /does not pass MULTI/);
});
