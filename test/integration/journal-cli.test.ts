/** `respool journal` as its users run it, offline and beside a running sidecar; `export` into a real redis-server. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskFiles } from '../../src/journal/disk-files.js';
import { TRANSACTION } from '../../src/journal/record.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { runCli } from '../../src/cli/run.js';
import type { CliHost, Output } from '../../src/cli/host.js';
import { systemClock } from '../../src/base/clock.js';
import { run, temporaryDirectory } from '../helpers/child-process.js';
import { mainFile } from '../helpers/project.js';
import { startRedis } from '../helpers/servers.js';
import { TestJournal } from '../helpers/test-journal.js';

/** Collects what a command prints, bytes as they are. */
class Page implements Output {
  readonly isTTY = false;
  private readonly pieces: Buffer[] = [];

  write(text: string | Uint8Array): void {
    this.pieces.push(Buffer.from(text as Uint8Array));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  get text(): string {
    return this.bytes.toString();
  }
}

interface Told {
  readonly exitCode: number;
  readonly out: string;
  readonly bytes: Buffer;
  readonly err: string;
}

function respool(...argv: string[]): Promise<Told> {
  return respoolWith({}, ...argv);
}

async function respoolWith(env: CliHost['env'], ...argv: string[]): Promise<Told> {
  const [stdout, stderr] = [new Page(), new Page()];
  const unused = (): never => {
    throw new Error('a journal command needs nothing of this');
  };
  const host: CliHost = {
    ...{ argv: ['journal', ...argv], env, stdout, stderr, clock: systemClock },
    ...{ readFile: unused, readDirectory: unused, sleep: unused },
    enterAsOwner: (directory) => directory,
    ...{ onStopSignal: unused, onReloadSignal: unused },
    ...{ createSidecar: unused, dialUpstream: unused, lookAround: unused },
  };
  const exitCode = await runCli(host);
  return { exitCode, out: stdout.text, bytes: stdout.bytes, err: stderr.text };
}

const BINARY = Buffer.from([0, 13, 10, 255, 36, 42]);

/** A journal with a few records in several databases, and two dead letters. */
async function filled(directory: string): Promise<TestJournal> {
  const it = await TestJournal.open({ files: diskFiles(directory) });
  it.append(encodeCommand(['SET', 'plain', 'value']));
  it.append(encodeCommand(['SET', BINARY, BINARY]), { db: 2 });
  const block = [
    encodeCommand(['RPUSH', 'list', 'a', 'b']),
    encodeCommand(['HSET', 'h', 'f', 'v']),
  ];
  it.append(Buffer.concat(block), { db: 2, flags: TRANSACTION, commands: 2 });
  it.append(encodeCommand(['APPEND', 'plain', '!']));
  await it.allSettled();
  const letter = { wallMs: 1_000, flags: 0, commands: 1, reason: 'WRONGTYPE wrong kind' };
  await it.journal.deadLetters.add({
    ...{ ...letter, seq: 2, db: 2 },
    bytes: encodeCommand(['LPUSH', 'h', 'x']),
  });
  await it.journal.deadLetters.add({
    ...letter,
    seq: 3,
    db: 0,
    bytes: encodeCommand(['SET', 'late', '1']),
  });
  return it;
}

test('export prints RESP that redis-cli --pipe accepts, with databases, transactions and any bytes', async (t) => {
  const directory = temporaryDirectory(t);
  await (await filled(directory)).journal.close();
  const redis = await startRedis(t);
  const exported = await respool('export', '--dir', directory);
  assert.equal(exported.exitCode, 0, exported.err);
  const cli = (args: string[], input?: Buffer): string => {
    const options = { input: input ?? '', encoding: 'latin1' as const, timeout: 20_000 };
    const { stdout, status, stderr } = spawnSync(
      'redis-cli',
      ['-p', String(redis.port), ...args],
      options,
    );
    assert.equal(status, 0, stderr);
    return stdout.trimEnd();
  };
  const piped = cli(['--pipe'], exported.bytes);
  // Three SELECTs, three commands, and MULTI, two queued, EXEC.
  assert.match(piped, /errors: 0, replies: 10/);
  assert.equal(cli(['GET', 'plain']), 'value!');
  assert.equal(cli(['-n', '2', 'LRANGE', 'list', '0', '-1']), 'a\nb');
  assert.equal(cli(['-n', '2', 'HGET', 'h', 'f']), 'v');
  const binary = cli([
    '-n',
    '2',
    'EVAL',
    'return redis.call("GET", string.char(0,13,10,255,36,42))',
    '0',
  ]);
  assert.equal(binary, BINARY.toString('latin1'));
});

test('show and ls say what is pending, in words', async (t) => {
  const directory = temporaryDirectory(t);
  await (await filled(directory)).journal.close();
  const shown = await respool('show', '--dir', directory);
  assert.equal(shown.exitCode, 0, shown.err);
  const withoutTime = shown.out.replace(/ {2}20\S+Z {2}/g, '  ');
  assert.equal(
    withoutTime.replace(/^ +/gm, '    '),
    [
      '1  db 0  SET plain value',
      '2  db 2  SET "\\x00\\x0d\\x0a\\xff$*" "\\x00\\x0d\\x0a\\xff$*"',
      '3  db 2  MULTI',
      '    RPUSH list a b',
      '    HSET h f v',
      '    EXEC',
      '4  db 0  APPEND plain "!"',
      '',
    ].join('\n'),
  );
  assert.match((await respool('show', '--dir', directory, '--after', '3')).out, /^4 .*APPEND/);
  assert.match(
    (await respool('show', '--dir', directory, '--limit', '1')).out,
    /\nmore: --limit 10/,
  );
  const listed = await respool('ls', '--dir', directory);
  assert.match(listed.out, /^journal [0-9a-f]{16} in .*, nobody is using it\n/);
  assert.match(listed.out, /segment-000000000001\.journal {2}\S+ {2}4 {8}4 {8}\d+ +1–4\n/);
  assert.match(listed.out, /\n4 records pending .*, 2 dead letters\n/);
});

test('beside a running sidecar everything can be seen and nothing is changed', async (t) => {
  const directory = temporaryDirectory(t);
  const it = await filled(directory);
  t.after(() => it.journal.close());
  const files = (): [string, Buffer][] =>
    readdirSync(directory)
      .filter((name) => name.endsWith('.journal'))
      .map((name) => [name, readFileSync(join(directory, name))]);
  const before = files();
  assert.match((await respool('ls', '--dir', directory)).out, /a sidecar is running on it/);
  assert.equal((await respool('export', '--dir', directory)).exitCode, 0);
  assert.match((await respool('dead-letters', '--dir', directory)).out, /^1 {2}\S+ {2}WRONGTYPE/);
  for (const action of ['retry', 'drop']) {
    const refused = await respool(action, 'all', '--dir', directory);
    assert.equal(refused.exitCode, 1);
    assert.match(
      refused.err,
      new RegExp(`^respool: a sidecar is running on .*: ${action} needs it`),
    );
  }
  assert.deepEqual(files(), before);
});

test('retry puts a dead letter at the end of the journal, drop removes one', async (t) => {
  const directory = temporaryDirectory(t);
  await (await filled(directory)).journal.close();
  for (const action of ['retry', 'drop']) {
    const early = await respool(action, 'all', '--dir', directory);
    assert.match(early.err, /replay has not gone past dead letter 1, 2 yet: .*nothing was changed/);
  }
  const replayed = await TestJournal.open({ files: diskFiles(directory) });
  replayed.journal.release(replayed.journal.lastSeq);
  assert.ok(await replayed.journal.empty());
  await replayed.journal.close();
  const unknown = await respool('drop', '1', '7', '--dir', directory);
  assert.match(unknown.err, /no dead letter 7; nothing was changed/);
  assert.match((await respool('retry', '2', '--dir', directory)).out, /^1 dead letter at the end/);
  const it = await TestJournal.open({ files: diskFiles(directory) });
  const last = it.readAll().at(-1)!;
  assert.deepEqual(last.bytes, encodeCommand(['SET', 'late', '1']));
  assert.ok(last.seq > 4);
  assert.equal(it.journal.deadLetters.count, 1);
  await it.journal.close();
  assert.match((await respool('drop', 'all', '--dir', directory)).out, /^1 dead letter dropped/);
  assert.equal((await respool('dead-letters', '--dir', directory)).out, 'no dead letters\n');
});

test('where there is no journal it says so, and makes none', async (t) => {
  const directory = temporaryDirectory(t);
  for (const action of ['ls', 'show', 'export', 'dead-letters', 'retry', 'drop']) {
    const ids = action === 'retry' || action === 'drop' ? ['all'] : [];
    const told = await respool(action, ...ids, '--dir', directory);
    assert.equal(told.exitCode, 1);
    assert.match(told.err, /^respool: there is no journal in /);
    const missing = await respool(action, ...ids, '--dir', join(directory, 'none'));
    assert.match(
      missing.err,
      /^respool: there is no directory .*; name the journal's with --dir\n$/,
    );
  }
  assert.deepEqual(readdirSync(directory), []);
});

test('without --dir it looks where the sidecar of this environment has its journal', async (t) => {
  const directory = temporaryDirectory(t);
  await (await filled(directory)).journal.close();
  const listed = await respoolWith({ RESPOOL_JOURNAL_DIR: directory }, 'ls');
  assert.ok(listed.out.includes(` in ${directory}, nobody is using it`), listed.err);
  const named = await respoolWith({ RESPOOL_JOURNAL_DIR: '/nowhere' }, 'ls', '--dir', directory);
  assert.equal(named.exitCode, 0, named.err);
  assert.match((await respoolWith({}, 'ls')).err, /there is no directory \.\/respool-data;/);
  const inMemory = await respoolWith({ RESPOOL_JOURNAL_DIR: 'memory' }, 'ls');
  assert.equal(inMemory.exitCode, 2);
  assert.match(
    inMemory.err,
    /\n {2}RESPOOL_JOURNAL_DIR is memory: .* name another one's with --dir\n$/,
  );
});

test("what root settles stays its owner's, also where only root can pass", async (t) => {
  const parent = temporaryDirectory(t);
  const directory = join(parent, 'journal');
  const replayed = await filled(directory);
  replayed.journal.release(replayed.journal.lastSeq);
  assert.ok(await replayed.journal.empty());
  await replayed.journal.close();
  const isRoot = process.geteuid?.() === 0;
  const owner = isRoot ? 1000 : process.geteuid!();
  if (isRoot)
    for (const path of ['', ...readdirSync(directory)])
      chownSync(join(directory, path), 1000, 1000);
  for (const [action, id] of [
    ['retry', '1'],
    ['drop', '2'],
  ] as const) {
    const args = [mainFile(), 'journal', action, id, '--dir', directory];
    const { code, stdout, stderr } = await run(process.execPath, args, { cwd: parent });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^1 dead letter /);
  }
  const names = readdirSync(directory);
  assert.ok(names.some((name) => name.endsWith('.journal')));
  for (const name of names) assert.equal(statSync(join(directory, name)).uid, owner, name);
  assert.match((await respool('show', '--dir', directory)).out, /LPUSH h x/);
});

test('mistakes in the arguments are named, with exit code 2', async () => {
  const told = await respool('drop', 'x', '--foo');
  assert.equal(told.exitCode, 2);
  assert.match(told.err, /--foo: there is no such flag/);
  assert.match(told.err, /"x" is no id of a dead letter; allowed: a number, all/);
  assert.match((await respool('show', '--after', '-')).err, /--after: "-" is not a whole number/);
  assert.equal((await respool('retry')).exitCode, 2);
  assert.equal((await respool()).exitCode, 2);
});
