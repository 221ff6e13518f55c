/** The file of scripts outside the process: loaded into a Redis, and left behind by a sidecar that was killed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { ScriptRegistry } from '../../src/script/registry.js';
import { ScriptFile } from '../../src/script/script-file.js';
import { ManagedProcess, run, temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis } from '../helpers/servers.js';

const LEARNER = fileURLToPath(new URL('../helpers/script-learner.js', import.meta.url));

async function openFile(path: string): Promise<{ registry: ScriptRegistry; file: ScriptFile }> {
  const registry = new ScriptRegistry({ maxBytes: 2 ** 24 });
  const logger = silentLogger;
  const file = await ScriptFile.open({ path, registry, clock: systemClock, logger });
  return { registry, file };
}

test('redis-cli --pipe loads the file into a Redis, which then knows every script', async (t) => {
  const path = join(temporaryDirectory(t), 'scripts.resp');
  const { registry, file } = await openFile(path);
  const sources = [
    'return 1',
    '',
    '-- line\r\n-- ends\r\nreturn "\\0"',
    Buffer.from('return "\xff\xfe"', 'latin1'),
    '#!lua flags=no-writes\nreturn redis.call("GET", KEYS[1])',
    `--[[ ${'x'.repeat(100_000)} ]] return 2`,
    ...Array.from({ length: 200 }, (_, number) => `return ${number}`),
  ].map((source) => Buffer.from(source));
  for (const source of sources) registry.learn(source);
  await file.close();
  const redis = await startRedis(t);
  const piped = await run('redis-cli', ['-p', String(redis.port), '--pipe'], {
    input: readFileSync(path),
  });
  assert.equal(piped.code, 0, piped.stderr);
  assert.match(piped.stdout, /errors: 0, replies: 205/);
  const client = await connectRaw(redis.port);
  const shas = sources.map((source) => createHash('sha1').update(source).digest('hex'));
  const reply = await client.ask('SCRIPT', 'EXISTS', ...shas);
  assert.equal(reply, `*${shas.length}\r\n${':1\r\n'.repeat(shas.length)}`);
  await client.close();
});

test('a sidecar that is killed has lost the scripts of its last tick at most', async (t) => {
  for (const killAfter of ['7', '60']) {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'scripts.resp');
    const learner = new ManagedProcess({
      file: process.execPath,
      args: [LEARNER, path],
      cwd: directory,
    });
    t.after(() => learner.stop('SIGKILL'));
    await eventually(`tick ${killAfter}`, () => learner.output().includes(`\n${killAfter}\n`));
    await learner.stop('SIGKILL');
    const announced = Number(learner.output().trimEnd().split('\n').at(-1));
    const { registry, file } = await openFile(path);
    await file.close();
    const learned = registry.learned().map((source) => /"(.*)"/.exec(source.toString())![1]);
    const expected = Array.from({ length: announced + 2 }, (_, tick) =>
      ['a', 'b', 'c'].map((part) => `${tick}${part}`),
    ).flat();
    assert.deepEqual(learned, expected.slice(0, learned.length));
    assert.ok(learned.length >= 3 * (announced + 1), `${learned.length} of ${announced}`);
  }
});
