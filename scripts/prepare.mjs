/**
 * Makes a clone ready to run: what `npm start` and `npm test` call first.
 *
 *   node scripts/prepare.mjs               packages and dist/
 *   node scripts/prepare.mjs --for-tests   also build/ and the programs that the tests run
 *   node scripts/prepare.mjs --for-bench   also the proxies to compare with
 *
 * It uses nothing but Node itself (there may be no node_modules yet) and costs a few dozen
 * milliseconds when there is nothing to do. When it cannot help it says what is missing and exits 1.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MINIMUM_NODE_MAJOR = 20;
const MINIMUM_REDIS_MAJOR = 7;

/** Programs and the Debian packages that bring them. */
const PROGRAMS_FOR_TESTS = {
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  'redis-benchmark': 'redis-tools',
  openssl: 'openssl',
  chromium: 'chromium',
  prometheus: 'prometheus',
  promtool: 'prometheus',
  ...(process.platform === 'linux' ? { 'systemd-analyze': 'systemd' } : {}),
};
const PROGRAMS_FOR_BENCH = { ...PROGRAMS_FOR_TESTS, nutcracker: 'nutcracker', haproxy: 'haproxy' };
/** The Python client that tests run. Debian's belongs to Debian's Python, which need not be first on PATH. */
const REDIS_PY = { package: 'python3-redis', interpreters: ['/usr/bin/python3', 'python3'] };

/** What is compiled: into which directory, from which sources, by which configuration. */
const PROGRAM_BUILD = { outDir: 'dist', project: 'tsconfig.build.json', sources: { src: '' } };
const TEST_BUILD = {
  outDir: 'build',
  project: 'tsconfig.json',
  sources: { src: 'src', test: 'test', bench: 'bench', examples: 'examples' },
};

/** A reason to stop that is a message for a person, not a stack trace. */
class Unprepared extends Error {}

/** Brings everything up to date; throws `Unprepared` with a sentence that says what to do. */
export function prepare({ forTests = false, forBench = false } = {}) {
  requireNode();
  installPackages();
  build(PROGRAM_BUILD);
  if (forTests || forBench) {
    build(TEST_BUILD);
    installPrograms(forBench ? PROGRAMS_FOR_BENCH : PROGRAMS_FOR_TESTS);
    requireRedis();
    if (forTests) installRedisPy();
  }
}

/** `prepare` for a script's first line: prints the sentence and ends the process if it fails. */
export function prepareOrExit(options) {
  try {
    prepare(options);
  } catch (error) {
    if (!(error instanceof Unprepared)) throw error;
    process.stderr.write(`respool: ${error.message}\n`);
    process.exit(1);
  }
}

function requireNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major >= MINIMUM_NODE_MAJOR) return;
  throw new Unprepared(
    `Node.js ${MINIMUM_NODE_MAJOR} or newer is needed; this is ${process.versions.node}.`,
  );
}

function installPackages() {
  if (packagesAreCurrent()) return;
  say('installing packages (npm ci)');
  // NODE_ENV=production would leave the compiler out.
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const viaNode = npm !== undefined && /\.[cm]?js$/.test(npm);
  const status = viaNode ? run(process.execPath, [npm, ...args]) : run('npm', args);
  if (status !== 0) throw new Unprepared('"npm ci" failed; its own message is above.');
}

/** Compares what npm noted about node_modules with the lock file, package by package. */
function packagesAreCurrent() {
  const wanted = readJson('package-lock.json')?.packages ?? {};
  const present = readJson('node_modules/.package-lock.json')?.packages;
  if (present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    const found = present[path];
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

/** Compiles unless the sources are those that were compiled last. */
function build({ outDir, project, sources }) {
  const stampFile = join(ROOT, outDir, '.stamp');
  const fingerprint = fingerprintOf(Object.keys(sources), project);
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === fingerprint) return;
  say(`building ${outDir}/`);
  // The compiler believes its own notes, even if somebody has deleted what it once wrote.
  if (!existsSync(stampFile)) rmSync(join(ROOT, outDir), { recursive: true, force: true });
  mkdirSync(join(ROOT, outDir), { recursive: true });
  writeFileSync(stampFile, 'unfinished');
  const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  if (run(process.execPath, [compiler, '-p', project]) !== 0) {
    throw new Unprepared(`the build of ${outDir}/ failed; the compiler's messages are above.`);
  }
  for (const [source, target] of Object.entries(sources)) removeOrphans(source, outDir, target);
  writeFileSync(stampFile, fingerprint);
}

/** Changes when any source appears, disappears or is written, and when the compiler does. */
function fingerprintOf(folders, project) {
  const hash = createHash('sha256');
  const files = folders.flatMap((folder) => filesUnder(join(ROOT, folder)));
  const settings = ['tsconfig.json', project, 'package.json', 'package-lock.json'];
  for (const file of [...settings.map((name) => join(ROOT, name)), ...files]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(ROOT, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** Deletes compiled files whose source is gone, so that nothing runs that nobody can read. */
function removeOrphans(source, outDir, target) {
  const compiled = join(ROOT, outDir, target);
  for (const file of filesUnder(compiled)) {
    if (!/\.js(\.map)?$/.test(file)) continue;
    const origin = relative(compiled, file).replace(/\.js(\.map)?$/, '.ts');
    if (!existsSync(join(ROOT, source, origin))) rmSync(file);
  }
}

function installPrograms(programs) {
  const missing = Object.keys(programs).filter((program) => findOnPath(program) === null);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => programs[program]))].join(' ');
  installDebian(packages, missing.join(', '));
  if (missing.some((program) => findOnPath(program) === null)) throw notInstalled(packages);
}

function installRedisPy() {
  const { package: name, interpreters } = REDIS_PY;
  const canImport = (python) => spawnSync(python, ['-c', 'import redis']).status === 0;
  if (interpreters.some(canImport)) return;
  installDebian(name, 'the Python client');
  if (!interpreters.some(canImport)) throw notInstalled(name);
}

/** `packages` are Debian's, separated by spaces; `what` names for people what is missing. */
function installDebian(packages, what) {
  if (process.getuid?.() !== 0 || findOnPath('apt-get') === null) {
    throw new Unprepared(
      `${what} not found; please install the Debian packages "${packages}" ` +
        `(sudo apt-get install -y ${packages}) or their like on your system, then run this again.`,
    );
  }
  say(`installing ${packages} (for ${what})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => run('apt-get', ['-q', ...args], env);
  // A failing update is not yet a failure: the lists may be good enough.
  apt('update');
  const status = apt('install', '-y', '--no-install-recommends', ...packages.split(' '));
  if (status !== 0) throw notInstalled(packages);
}

function notInstalled(packages) {
  return new Unprepared(`apt-get could not install ${packages}; its own message is above.`);
}

function requireRedis() {
  const { stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  const version = /\bv=((\d+)\.\S+)/.exec(stdout ?? '');
  if (version !== null && Number(version[2]) >= MINIMUM_REDIS_MAJOR) return;
  const found = version === null ? 'its version cannot be read' : `this is ${version[1]}`;
  throw new Unprepared(`the tests need redis-server ${MINIMUM_REDIS_MAJOR}.0 or newer; ${found}.`);
}

function findOnPath(program) {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const file = resolve(directory, program);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return null;
}

/** All files under a directory, sorted; none if it does not exist. */
function filesUnder(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function readJson(path) {
  const file = join(ROOT, path);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** Runs a program with its output on our stderr (stdout belongs to whoever runs next). */
function run(file, args, env = process.env) {
  const stdio = ['ignore', process.stderr, process.stderr];
  const { status, error } = spawnSync(file, args, { cwd: ROOT, stdio, env });
  if (error !== undefined) throw new Unprepared(`${file} could not be run: ${error.message}.`);
  return status;
}

function say(what) {
  process.stderr.write(`respool: ${what}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flags = process.argv.slice(2);
  prepareOrExit({
    forTests: flags.includes('--for-tests'),
    forBench: flags.includes('--for-bench'),
  });
}
