/** `respool check` on a real machine: addresses that are taken, a journal that is in use or cannot be, secrets. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../../src/cli/run.js';
import { CheckHost } from '../helpers/check-host.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { startRedis, startSidecar } from '../helpers/servers.js';
import { mountSmallDisk } from '../helpers/small-disk.js';

async function check(...args: string[]): Promise<{ code: number; codes: string[]; text: string }> {
  const host = new CheckHost(['check', ...args]);
  const code = await runCli(host);
  const { text } = host.stdout;
  const json = new CheckHost(['check', '--json', ...args]);
  assert.equal(await runCli(json), code);
  const { findings } = JSON.parse(json.stdout.text) as { findings: { code: string }[] };
  return { code, codes: findings.map((finding) => finding.code), text };
}

test('beside a running sidecar it says what that one has, and disturbs nothing', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const { code, codes, text } = await check(
    ...['--upstream', redis.url, '--listen', `127.0.0.1:${sidecar.port}`],
    ...['--admin', `127.0.0.1:${sidecar.adminPort}`],
    ...['--journal-dir', join(sidecar.directory, 'respool-data')],
  );
  assert.equal(code, 0, text);
  assert.equal(codes.filter((each) => each === 'address-in-use').length, 2);
  assert.ok(codes.includes('journal-in-use'));
  assert.match(text, new RegExp(`^listen +127.0.0.1:${sidecar.port} +--listen$`, 'm'));
  assert.match(text, new RegExp(`^upstream ${redis.url} answers: Redis 7`, 'm'));
  assert.equal((await sidecar.admin('/readyz')).status, 200);
});

test('a journal that cannot be written, and one on a small disk in memory', async (t) => {
  const redis = await startRedis(t);
  const directory = temporaryDirectory(t);
  const common = ['--upstream', redis.url, '--listen', `unix:${join(directory, 's')}`];
  common.push('--admin', 'off');
  writeFileSync(join(directory, 'file'), '');
  const notThere = await check(...common, '--journal-dir', join(directory, 'file', 'journal'));
  assert.ok(notThere.code === 1 && notThere.codes.includes('journal-not-writable'), notThere.text);
  assert.match(notThere.text, /^error: The journal cannot be in \S+: .*is not a directory/m);
  const small = mountSmallDisk(t, 4 * 2 ** 20);
  // Only root may mount.
  if (small === null) return;
  mkdirSync(join(small, 'journal'));
  const { codes } = await check(...common, '--journal-dir', join(small, 'journal'));
  assert.ok(codes.includes('journal-on-memory') && codes.includes('journal-space'), codes.join());
});

test('what is open to other machines, and an address that is not of this one', async (t) => {
  const redis = await startRedis(t);
  const common = ['--upstream', redis.url, '--journal-dir', 'memory'];
  const open = await check(...common, '--listen', '0.0.0.0:0', '--admin', '0.0.0.0:0');
  assert.equal(open.code, 0);
  for (const code of ['plain-text', 'open', 'admin-open', 'journal-in-memory'])
    assert.ok(open.codes.includes(code), code);
  const foreign = await check(...common, '--listen', '192.0.2.1:6380', '--admin', 'off');
  assert.ok(foreign.code === 1 && foreign.codes.includes('address'), foreign.text);
  const nowhere = await check(...common, '--listen', 'unix:/nowhere/socket', '--admin', 'off');
  assert.ok(nowhere.code === 1 && nowhere.codes.includes('address'), nowhere.text);
});
