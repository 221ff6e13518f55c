/**
 * Redis' own external test suite, directly and through the sidecar, and what differs.
 *
 *   npm run test:redis-suite                               all units; about twenty minutes
 *   npm run test:redis-suite -- unit/multi type/list       those whose name contains one of the words
 *   npm run test:redis-suite -- --flags="--scripts pass"   a sidecar with these flags
 *   npm run test:redis-suite -- --embedded                 through the sidecar on its embedded engine
 *
 * The suite is fetched as Debian's source package, once, into build/redis-suite; it needs tclsh, and runs the
 * redis-server that is installed. Each unit gets a server of its own, twice; every test must end alike (passed, failed,
 * skipped). The exit code is 1 where one does not and is not in EXPECTED, whose lines name the reason.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, openSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs, stripVTControlCharacters } from 'node:util';
import { prepareOrExit } from './prepare.mjs';

const SOURCE = {
  url: 'http://deb.debian.org/debian/pool/main/r/redis/redis_7.0.15.orig.tar.gz',
  sha256: '4b1dc4ee6d622a09fff9c6777191209750fb5e5a725ef78ea012d6eef4c22982',
  folder: 'redis-7.0.15',
};
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const HOME = join(ROOT, 'build', 'redis-suite');
const SUITE = join(HOME, SOURCE.folder);
/** Without progress for as long, a test counts as hanging. */
const HANG_SECONDS = 120;
const UNIT_SECONDS = 1200;

/** Not run, neither way: through the sidecar they mean something else, and the next test would meet what they leave. */
const LEFT_OUT = [
  // One client keeps Redis busy with a script, another one expects -BUSY: behind the sidecar it waits for the end.
  '/script timeout$',
  '/^Timedout ',
  '/^FUNCTION - test (function|script) kill( not working on .*)?$',
  // REPLICAOF in a transaction is not noticed, so READONLY looks like a failover, and REPLICAOF NO ONE is refused in it.
  'MULTI / EXEC with REPLICAOF',
];

const OWN_COMMANDS = 'MONITOR also shows what the sidecar says for itself';
const HEALED = 'a script that Redis has forgotten is run all the same, and so is known again';
const KEEPS_SOCKETS = 'a client keeps its socket when connections of the sidecar are killed';
/** Tests that end differently through the sidecar, and why. */
const EXPECTED = new Map([
  ['MONITOR supports redacting command arguments', OWN_COMMANDS],
  ['MONITOR correctly handles multi-exec cases', OWN_COMMANDS],
  ['SCRIPTING FLUSH - is able to clear the scripts cache?', HEALED],
  ['SCRIPTING FLUSH ASYNC', HEALED],
  ['CLIENT KILL SKIPME YES/NO will kill all clients', KEEPS_SOCKETS],
]);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    flags: { type: 'string', default: '' },
    embedded: { type: 'boolean', default: false },
  },
});

prepareOrExit();
await fetchSuite();
process.exitCode = (await compareUnits(unitsNamed(positionals))) ? 0 : 1;

/** Runs the units both ways; whether every difference was expected. */
async function compareUnits(units) {
  const totals = { tests: 0, alike: 0, expected: 0, unexpected: 0 };
  for (const unit of units) {
    const direct = await runUnit(unit, null);
    const proxied = await runUnit(unit, values.flags.split(' ').filter(Boolean));
    if (direct.results.size + proxied.results.size === 0) continue;
    const seconds = `${direct.seconds} s, through the sidecar ${proxied.seconds} s`;
    say(`${unit}: ${direct.results.size} tests, ${seconds}`);
    for (const name of new Set([...direct.results.keys(), ...proxied.results.keys()])) {
      const before = direct.results.get(name) ?? 'not run';
      const after = proxied.results.get(name) ?? 'not run';
      totals.tests += 1;
      if (before === after) {
        totals.alike += 1;
        continue;
      }
      const reason = EXPECTED.get(name);
      totals[reason === undefined ? 'unexpected' : 'expected'] += 1;
      say(`  ${before} -> ${after}: ${name}${reason === undefined ? '' : ` (${reason})`}`);
    }
  }
  const { tests, alike, expected, unexpected } = totals;
  say(
    `${tests} tests: ${alike} end alike, ${expected} differ as expected, ${unexpected} otherwise`,
  );
  return unexpected === 0;
}

/** One unit against a server of its own; `flags`: through a sidecar with these, null for directly. */
async function runUnit(unit, flags) {
  const directory = join(HOME, 'run');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const log = openSync(join(HOME, 'log'), 'w');
  const start = (program, args) =>
    spawn(program, args, { cwd: directory, stdio: ['ignore', log, log] });
  const [redisPort, sidecarPort] = [await freePort(), await freePort()];
  const started = [];
  try {
    if (flags === null || !values.embedded) {
      started.push(start('redis-server', [...redisFlags(), '--port', redisPort]));
      await listens(redisPort);
    }
    if (flags !== null) {
      const upstream = values.embedded ? 'embedded:' : `redis://127.0.0.1:${redisPort}`;
      const own = ['--upstream', upstream, '--listen', `127.0.0.1:${sidecarPort}`];
      const main = join(ROOT, 'dist', 'main.js');
      started.push(start(process.execPath, [main, ...own, '--admin', 'off', ...flags]));
      await listens(sidecarPort);
    }
    return await runSuite(unit, flags === null ? redisPort : sidecarPort);
  } finally {
    for (const child of started.reverse()) await end(child);
  }
}

/** What the suite's own default.conf says, as far as tests depend on it. */
function redisFlags() {
  const settings = {
    'notify-keyspace-events': 'KEA',
    'latency-monitor-threshold': '1',
    'repl-diskless-sync-delay': '0',
    'enable-protected-configs': 'yes',
    'enable-debug-command': 'yes',
    'enable-module-command': 'yes',
    bind: '127.0.0.1',
  };
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

async function runSuite(unit, port) {
  const args = ['--host', '127.0.0.1', '--port', port, '--single', unit, '--durable'];
  const skips = LEFT_OUT.flatMap((name) => ['--skiptest', name]);
  const limits = ['--timeout', HANG_SECONDS, '--baseport', await freePort()];
  const began = performance.now();
  const child = spawn('./runtest', [...args, ...skips, ...limits], { cwd: SUITE });
  const limit = setTimeout(() => child.kill(), UNIT_SECONDS * 1000);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(limit);
  const seconds = Math.round((performance.now() - began) / 1000);
  return { results: resultsIn(stripVTControlCharacters(output)), seconds };
}

/** How each test ended, by name; where names repeat, numbered. */
function resultsIn(output) {
  const results = new Map();
  for (const [, outcome, text] of output.matchAll(/^\[(ok|err|skip|exception)\]: (.*)$/gm)) {
    const name = text.replace(/ \(\d+ ms\)$/, '').replace(/ in tests\/\S+\.tcl$/, '');
    let key = name;
    for (let count = 2; results.has(key); count += 1) key = `${name} #${count}`;
    results.set(key, outcome);
  }
  if (output.includes('[TIMEOUT]')) results.set('(the unit comes to its end)', 'hangs');
  return results;
}

function unitsNamed(words) {
  const { stdout } = spawnSync('./runtest', ['--list-tests'], { cwd: SUITE, encoding: 'utf8' });
  const all = stdout.split('\n').filter(Boolean);
  const wanted = words.length === 0 ? ['unit/', 'integration/'] : words;
  return all.filter((unit) => wanted.some((word) => unit.includes(word)));
}

/** Unpacks the suite, unless it is there, and gives it the installed programs. */
async function fetchSuite() {
  if (spawnSync('tclsh', [], { input: '' }).error !== undefined)
    stop('tclsh not found; please install the Debian package "tcl" or its like.');
  if (existsSync(join(SUITE, 'src', 'redis-server'))) return;
  say(`fetching ${SOURCE.url}`);
  const response = await fetch(SOURCE.url);
  const bytes = Buffer.from(await response.arrayBuffer());
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found !== SOURCE.sha256) stop(`${SOURCE.url} is not what it was: its sha256 is ${found}.`);
  mkdirSync(HOME, { recursive: true });
  const archive = join(HOME, 'source.tar.gz');
  writeFileSync(archive, bytes);
  const parts = ['tests', 'runtest', 'src'].map((part) => `${SOURCE.folder}/${part}`);
  const { status } = spawnSync('tar', ['-xzf', archive, '-C', HOME, ...parts]);
  if (status !== 0) stop(`tar could not unpack ${archive}.`);
  for (const program of ['redis-cli', 'redis-benchmark', 'redis-server'])
    symlinkSync(which(program), join(SUITE, 'src', program));
}

function which(program) {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' });
  if (stdout === '') stop(`${program} not found; npm test installs it.`);
  return stdout.trim();
}

async function listens(port) {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await wait(50))
    if (await accepts(port)) return;
  stop(`nothing listens on port ${port}; see ${join(HOME, 'log')}.`);
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      // A port that nobody has may be given to whoever connects to it, who is then connected to itself.
      const isItself = socket.localPort === port;
      socket.destroy();
      resolve(!isItself);
    });
    socket.once('error', () => resolve(false));
  });
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  const patience = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(patience);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

function stop(why) {
  process.stderr.write(`respool: ${why}\n`);
  process.exit(1);
}
