/**
 * The test suites of other people's clients, run directly on a redis-server and then through the sidecar in front of the
 * same one, and compared test by test. By hand, because it takes minutes and downloads the suites: Debian's source
 * packages, pinned by their sha256. docs/reliability.md has what they found.
 *
 *   npm run test:client-suites                 all of them
 *   npm run test:client-suites -- hiredis      one: redis-py-resp2, redis-py-resp3, hiredis
 *
 * A test that passes directly and not through the sidecar is a difference, unless it is in `MEANT` below; the exit code is
 * 1 then. What fails on both sides (no Sentinel here, an older Redis) says nothing about the sidecar.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { prepareOrExit } from './prepare.mjs';

const runFile = promisify(execFile);
const CACHE = fileURLToPath(new URL('../build/client-suites', import.meta.url));
const POOL = 'http://deb.debian.org/debian/pool/main';
const PYTHON = '/usr/bin/python3';
const PYTEST_PACKAGES =
  'python3-pytest python3-pytest-asyncio python3-pytest-timeout python3-async-timeout';

const SOURCES = {
  'redis-py': {
    path: 'p/python-redis/python-redis_6.4.0.orig.tar.gz',
    sha256: '7ce2a05bc9888af3bb7c4c11f3dcccefe8b66136d3248c0ef86eb6d412660419',
  },
  hiredis: {
    path: 'h/hiredis/hiredis_1.2.0.orig.tar.gz',
    sha256: '82ad632d31ee05da13b537c124f819eb88e18851d9cb0c30ae0552084811588c',
  },
};

const SUITES = {
  'redis-py-resp2': { source: 'redis-py', prepare: requirePytest, run: redisPy(2) },
  'redis-py-resp3': { source: 'redis-py', prepare: requirePytest, run: redisPy(3) },
  hiredis: { source: 'hiredis', prepare: buildHiredis, run: hiredis },
};

/** They expect NOSCRIPT after a SCRIPT FLUSH of their own: the sidecar remembers the script (SEMANTICS §6). */
const MEANT = [/test_evalsha_script_not_loaded/];

const wanted = process.argv.slice(2);
if (wanted.some((name) => !(name in SUITES))) {
  process.stderr.write(
    `usage: npm run test:client-suites -- [${Object.keys(SUITES).join(' | ')}]\n`,
  );
  process.exit(2);
}

prepareOrExit({ forTests: true });
const { Cleanups } = await import('../build/test/helpers/cleanups.js');
const { startRedis, startSidecar } = await import('../build/test/helpers/servers.js');

for (const name of wanted.length > 0 ? wanted : Object.keys(SUITES)) {
  const { source, prepare, run } = SUITES[name];
  const directory = await unpacked(source);
  prepare(directory);
  const direct = await withServers(false, (place) => run(directory, place));
  const through = await withServers(true, (place) => run(directory, place));
  report(name, direct, through);
}

/** Runs `run` beside a fresh redis-server; `place` is where its clients find it, or the sidecar in front of it. */
async function withServers(isThrough, run) {
  const cleanups = new Cleanups();
  try {
    const redis = await startRedis(cleanups, {
      unixSocket: true,
      args: ['--enable-debug-command', 'yes'],
    });
    if (!isThrough) return await run({ port: redis.port, unixPath: redis.unixPath });
    const unixPath = join(CACHE, 'sidecar.sock');
    const args = ['--listen', `unix:${unixPath}`];
    const { port } = await startSidecar(cleanups, { upstream: redis.url, args });
    return await run({ port, unixPath });
  } finally {
    await cleanups.run();
  }
}

// ── the suites: each gives a Map from a test's name to whether it passed ─────────────────────────────

function redisPy(protocol) {
  return async (directory, { port }) => {
    const args = ['-m', 'pytest', '-c', '/dev/null', '--rootdir', '.', '-o', 'asyncio_mode=auto'];
    const ignored = ['credentials', 'cluster'].flatMap((topic) =>
      ['tests', 'tests/test_asyncio'].map((folder) => `--ignore=${folder}/test_${topic}.py`),
    );
    const marks = 'not onlycluster and not redismod and not ssl and not cp_integration';
    const options = ['-q', '-rA', '--tb=no', '--timeout=60', '-p', 'no:cacheprovider', '-m', marks];
    const ours = [`--redis-url=redis://127.0.0.1:${port}`, `--protocol=${protocol}`, 'tests'];
    const env = { PYTHONPATH: directory };
    const output = await program(
      directory,
      PYTHON,
      [...args, ...options, ...ignored, ...ours],
      env,
    );
    return outcomes(output, /^(PASSED|FAILED|ERROR) (tests\S+)/gm, ([, word, test]) => [
      test,
      word === 'PASSED',
    ]);
  };
}

async function hiredis(directory, { port, unixPath }) {
  const args = ['-h', '127.0.0.1', '-p', String(port), '-s', unixPath];
  const output = await program(directory, './hiredis-test', args);
  return outcomes(
    output,
    /^#(\d+) (.*): \u001b\[\S*?(PASSED|FAILED)/gm,
    ([, number, what, word]) => [`${number} ${what}`, word === 'PASSED'],
  );
}

function outcomes(output, pattern, read) {
  const found = new Map([...output.matchAll(pattern)].map(read));
  if (found.size === 0) throw new Error(`the suite did not run:\n${output.slice(-2_000)}`);
  return found;
}

function requirePytest() {
  const { status } = spawnSync(PYTHON, ['-c', 'import pytest, pytest_asyncio, pytest_timeout']);
  if (status !== 0) fail(`the suite needs the Debian packages ${PYTEST_PACKAGES}`);
}

function buildHiredis(directory) {
  const { status, stderr } = spawnSync('make', ['-s', 'hiredis-test'], { cwd: directory });
  if (status !== 0) fail(`hiredis needs make and a C compiler: ${stderr}`);
}

// ── fetching, running, telling ───────────────────────────────────────────────────────────────────────

async function unpacked(name) {
  const { path, sha256 } = SOURCES[name];
  const directory = join(CACHE, sha256.slice(0, 16));
  if (existsSync(directory)) return directory;
  const response = await fetch(`${POOL}/${path}`);
  if (!response.ok) fail(`${POOL}/${path}: ${response.status} ${response.statusText}`);
  const archive = Buffer.from(await response.arrayBuffer());
  const found = createHash('sha256').update(archive).digest('hex');
  if (found !== sha256) fail(`${path} has the sha256 ${found}, not ${sha256}`);
  const unfinished = `${directory}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  writeFileSync(join(unfinished, 'archive'), archive);
  await program(unfinished, 'tar', ['xzf', 'archive', '--strip-components=1']);
  renameSync(unfinished, directory);
  return directory;
}

/** All that it printed, whatever its exit code. */
async function program(cwd, file, args, env = {}) {
  const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 256 * 1024 * 1024 };
  const { stdout, stderr } = await runFile(file, args, options).catch((error) => {
    if (error.stdout === undefined) throw error;
    return error;
  });
  return stdout + stderr;
}

function report(name, direct, through) {
  const passed = (results) => [...results.values()].filter(Boolean).length;
  say(`${name}: ${passed(direct)} of ${direct.size} pass directly, ${passed(through)} through`);
  for (const [test, hasPassed] of direct) {
    if (!hasPassed || through.get(test) === true) continue;
    const isMeant = MEANT.some((pattern) => pattern.test(test));
    say(`  ${isMeant ? 'meant' : 'DIFFERENT'}: ${test}`);
    if (!isMeant) process.exitCode = 1;
  }
}

function fail(sentence) {
  process.stderr.write(`respool: ${sentence}\n`);
  process.exit(1);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
