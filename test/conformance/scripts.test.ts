/**
 * The same script has the same result: directly on Redis, through the sidecar, and on the embedded
 * engine, in RESP2 and RESP3, byte for byte.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';
import { report } from './report.js';
import { SCRIPT_DIFFERENCES } from './script-differences.js';
import { judge } from './script-judgement.js';
import { differencesBetween, runScripts, SNIPPETS, type ScriptRun } from './script-runs.js';
import { CORPUS } from './scripts/all.js';
import { MAX_MEMORY_BYTES } from './scripts/flags.js';
import * as targets from './targets.js';

const PROTOCOLS = [2, 3] as const;
const MAX_MEMORY = String(MAX_MEMORY_BYTES);
const REDIS_ARGUMENTS = ['--maxmemory', MAX_MEMORY];

/** The list of differences is about this one. */
const LISTED_REDIS = /redis_version:7\.0\./;

test('a script has the same result with the sidecar and on the embedded engine', async (t) => {
  const [redis, upstream, embedded] = await Promise.all([
    startRedis(t, { args: REDIS_ARGUMENTS }),
    startRedis(t, { args: REDIS_ARGUMENTS }),
    startSidecar(t, { args: ['--embedded-max-memory', MAX_MEMORY] }),
  ]);
  const through = await targets.sidecar(t, upstream);
  const runs = await Promise.all([redis.port, through, embedded.port].map(runBoth));
  const [direct = [], sidecar = [], engine = []] = runs;
  t.diagnostic(`${SNIPPETS.size} scripts`);

  await t.test('the sidecar adds nothing', () => {
    const differences = PROTOCOLS.flatMap((protocol, i) =>
      differencesBetween(`RESP${protocol}`, direct[i]!, sidecar[i]!),
    );
    assert.equal(differences.length, 0, report(differences));
  });

  await t.test('the embedded engine differs where it is listed, and nowhere else', async (t) => {
    const { unlisted, unseen } = judge(
      PROTOCOLS.map((protocol, i) => [`RESP${protocol}`, direct[i]!, engine[i]!]),
    );
    if (!LISTED_REDIS.test(await infoOf(redis.port))) {
      t.diagnostic(`another Redis than listed: ${unlisted.length} more, ${unseen.length} fewer`);
      return;
    }
    assert.equal(unlisted.length, 0, report(unlisted));
    assert.deepEqual(unseen, [], 'listed, but not different');
  });
});

test('each script has a name of its own, and the list names scripts that are there', () => {
  const count = Object.values(CORPUS).flatMap((snippets) => Object.keys(snippets)).length;
  assert.equal(SNIPPETS.size, count);
  const named = SCRIPT_DIFFERENCES.flatMap(({ snippets }) => snippets ?? []);
  assert.deepEqual(
    named.filter((name) => !SNIPPETS.has(name)),
    [],
  );
});

test('the comparison notices a proxy that is wrong', async (t) => {
  const redis = await startRedis(t, { args: REDIS_ARGUMENTS });
  const direct = await runScripts(redis.port, 3);
  assert.deepEqual(differencesBetween('twice', direct, await runScripts(redis.port, 3)), []);
  for (const target of [targets.statusConfusingForwarder, targets.flatteningForwarder]) {
    const through = await runScripts(await target(t, redis), 3);
    assert.notDeepEqual(differencesBetween('wrong', direct, through), []);
  }
});

test('the list excuses nothing else, and each of its entries has to show', () => {
  const run = (reply: string): ScriptRun => new Map([['nil', [Buffer.from(reply)]]]);
  const listed = {
    ...{ what: '', redis: '', embedded: '', reason: '' },
    wordings: [[/a Redis word/, 'a word']],
  } as const;
  const judged = (redis: string, embedded: string): [number, number] => {
    const { unlisted, unseen } = judge([['RESP2', run(redis), run(embedded)]], [listed]);
    return [unlisted.length, unseen.length];
  };
  assert.deepEqual(judged('-ERR a Redis word\r\n', '-ERR a word\r\n'), [0, 0]);
  assert.deepEqual(judged('*1\r\n$12\r\na Redis word\r\n', '*1\r\n$6\r\na word\r\n'), [0, 0]);
  assert.deepEqual(judged('-ERR a word\r\n', '-ERR a word\r\n'), [0, 1]);
  assert.deepEqual(judged('-ERR a Redis word\r\n', '-ERR another word\r\n'), [1, 1]);
  assert.deepEqual(judged('-ERR a Redis word\r\n', '+ERR a word\r\n'), [1, 1]);
  assert.deepEqual(judged('*1\r\n:1\r\n', '*2\r\n:1\r\n:1\r\n'), [1, 1]);
  assert.deepEqual(judged('$-1\r\n', '*-1\r\n'), [1, 1]);
  assert.deepEqual(judged('$-1\r\n', '$0\r\n\r\n'), [1, 1]);
  assert.deepEqual(judged('*-1\r\n', '*0\r\n'), [1, 1]);
  const byName = { ...listed, wordings: [], snippets: ['nil', 'true'] };
  const pairs = [['RESP2', run(':1\r\n'), run(':2\r\n')]] as const;
  assert.deepEqual(judge(pairs, [byName]), { unlisted: [], unseen: ['true'] });
});

async function runBoth(port: number): Promise<ScriptRun[]> {
  const runs: ScriptRun[] = [];
  for (const protocol of PROTOCOLS) runs.push(await runScripts(port, protocol));
  return runs;
}

async function infoOf(port: number): Promise<string> {
  const client = await connectRaw(port);
  const info = await client.ask('INFO', 'server');
  await client.close();
  return info;
}
