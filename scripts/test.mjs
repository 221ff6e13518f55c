/**
 * Runs the compiled tests, one process per file, and reports once in the end.
 *
 *   npm run tests                     all of them
 *   npm run tests -- framer e2e/      only files whose path contains one of the words
 *   npm run tests -- framer --test-name-pattern="every split"
 *
 * Why not `node --test` alone: on Node 20 it takes no globs, counts helpers under test/ as tests,
 * prints no file names, and waits for ever for a file that spins. Here a file that takes too long
 * is killed, its output is shown only if it fails, and a file without tests is a failure.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { prepareOrExit } from './prepare.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CORES = Math.max(2, Math.min(8, availableParallelism()));

/**
 * The folders of test/ in the order they run: how many files at once, and how long one may take.
 * Servers share the cores with their tests, and what measures time runs alone. The times are several times what a file
 * takes on an idle machine: they end what hangs.
 */
const PHASES = [
  { folder: 'unit', concurrency: CORES, timeoutMs: 300_000 },
  { folder: 'integration', concurrency: 2, timeoutMs: 600_000 },
  { folder: 'conformance', concurrency: 2, timeoutMs: 600_000 },
  { folder: 'e2e', concurrency: 2, timeoutMs: 600_000 },
  { folder: 'faults', concurrency: 1, timeoutMs: 600_000 },
];
const KILL_AFTER_MS = 5_000;
const LEFTOVERS_AFTER_MS = 1_000;

/** Test processes that are still running: they end when we are told to. */
const running = new Set();

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const nodeFlags = process.argv.slice(2).filter((word) => word.startsWith('--'));

prepareOrExit({ forTests: true });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    process.exit(1);
  });
}
process.exitCode = await main();

async function main() {
  const startedAt = performance.now();
  const results = [];
  for (const phase of PHASES) {
    const files = testFiles(phase.folder).filter(isChosen);
    const next = files.values();
    const worker = async () => {
      for (const file of next) results.push(await runFile(file, phase.timeoutMs));
    };
    await Promise.all(Array.from({ length: phase.concurrency }, worker));
  }
  return report(results, performance.now() - startedAt);
}

/** Paths relative to test/, of the sources: what is compiled but has no source is not run. */
function testFiles(folder) {
  const directory = join(ROOT, 'test', folder);
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
    .sort();
}

function isChosen(file) {
  return words.length === 0 || words.some((word) => file.includes(word.replace(/^test\//, '')));
}

/** Runs one file to its end or to its timeout; never rejects. */
function runFile(source, timeoutMs) {
  const compiled = join(ROOT, 'build', 'test', source.replace(/\.ts$/, '.js'));
  const args = ['--enable-source-maps', '--test-reporter=spec', ...nodeFlags, compiled];
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Of its own group, so that what it started goes with it if it must be killed.
      detached: true,
    });
    let output = '';
    let timedOut = false;
    const collect = (chunk) => (output += chunk.toString());
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    const stop = () => {
      timedOut = true;
      // SIGTERM lets the helpers end their servers; a file that spins does not hear it.
      child.kill('SIGTERM');
      setTimeout(() => signalGroup(child.pid, 'SIGKILL'), KILL_AFTER_MS).unref();
    };
    const timer = setTimeout(stop, timeoutMs);
    running.add(child);
    child.on('close', async (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const durationMs = performance.now() - startedAt;
      const timeout = timedOut ? `not finished within ${timeoutMs / 1000} s` : null;
      const leftovers = await leftoversOf(child.pid);
      resolve(judge({ source, output, code, signal, durationMs, timeout, leftovers }));
    });
  });
}

/** Reads the counts from the reporter's last lines and decides whether the file passed. */
function judge({ source, output, code, signal, durationMs, timeout, leftovers }) {
  const count = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const tests = count('tests');
  const passed = count('pass');
  // With a name pattern, everything else counts as skipped; otherwise nobody skips a test here.
  const skipped = nodeFlags.length > 0 ? 0 : count('skipped') + count('todo');
  let reason = timeout;
  if (reason === null && code !== 0) reason = signal ?? `exit code ${code}`;
  if (reason === null && tests === 0) reason = 'no test in it ran';
  if (reason === null && skipped > 0) reason = `${skipped} skipped or to do`;
  if (reason === null && leftovers.length > 0) reason = `left running: ${leftovers.join(', ')}`;
  const seconds = `${(durationMs / 1000).toFixed(1)} s`;
  if (reason === null) process.stdout.write(`✔ ${source} (${passed} tests, ${seconds})\n`);
  else process.stdout.write(`✖ ${source} (${reason}, ${seconds})\n${indent(output)}\n`);
  return { source, tests, passed, reason, durationMs };
}

function report(results, durationMs) {
  const failures = results.filter(({ reason }) => reason !== null);
  const slowest = results.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, 5);
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const lines = [
    '',
    `${results.length} files, ${sum('tests')} tests, ${sum('passed')} passed, ` +
      `${failures.length} files failed, ${(durationMs / 1000).toFixed(1)} s`,
    `slowest: ${slowest.map((r) => `${r.source} ${(r.durationMs / 1000).toFixed(1)} s`).join(', ')}`,
    ...failures.map(({ source, reason }) => `✖ ${source}: ${reason}`),
  ];
  if (results.length === 0) lines.splice(1, 2, `no test file matches: ${words.join(' ')}`);
  process.stdout.write(`${lines.join('\n')}\n`);
  return results.length > 0 && failures.length === 0 ? 0 : 1;
}

/** Names of the processes of a test's group that are still there after a while; they are killed. */
async function leftoversOf(group) {
  const deadline = performance.now() + LEFTOVERS_AFTER_MS;
  let names = membersOf(group);
  while (names.length > 0 && performance.now() < deadline) {
    await pause(20);
    names = membersOf(group);
  }
  signalGroup(group, 'SIGKILL');
  return names;
}

/**
 * Names of a process group's members, without zombies (which an init that does not reap keeps for
 * ever). Only Linux tells this without another program; elsewhere nothing is found.
 */
function membersOf(group) {
  if (!existsSync('/proc/self/stat')) return [];
  const names = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      // "pid (name) state ppid pgrp ..."; the name may itself contain brackets.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
      if (Number(pgrp) === group && state !== 'Z') names.push(name);
    } catch {
      // It ended while we looked.
    }
  }
  return names;
}

/** False if there is no such group (any more). */
function signalGroup(pid, signal) {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

function indent(text) {
  return text.trimEnd().replace(/^/gm, '    ');
}
