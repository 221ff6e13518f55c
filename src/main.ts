#!/usr/bin/env node
/** The bin: connects the command line to this process, runs it, and exits with its code. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from './base/clock.js';
import { sleep } from './base/sleep.js';
import type { Output } from './cli/host.js';
import { runCli } from './cli/run.js';
import { createSidecar, dialUpstream } from './sidecar/sidecar.js';
import { lookAround } from './sidecar/surroundings.js';

// Bytes in transit are external memory that dies within a tick. V8 answers each 64 MB of it by marking its small heap
// bit by bit, on both cores: with 1 MB values that was more than half of all CPU time (docs/decisions/0011). Marking it in
// one go, when it must, takes a few milliseconds.
setFlagsFromString('--no-incremental-marking');

function outputTo(stream: NodeJS.WriteStream): Output {
  // Whoever read the log or the table has gone (`respool check | head -1`): no reason for a sidecar to die.
  stream.on('error', () => {});
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY,
    get size() {
      return { columns: stream.columns, rows: stream.rows };
    },
  };
}

/** As `CliHost` says. */
function enterAsOwner(directory: string): string {
  const { uid, gid } = statSync(directory);
  if (process.geteuid?.() !== 0 || uid === 0) return directory;
  // Above it there may be what only root can pass, as /var/lib/private of systemd.
  process.chdir(directory);
  try {
    process.setgroups!([gid]);
    process.setgid!(gid);
    process.setuid!(uid);
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`run this as user ${uid}, who owns ${directory} (${why})`, { cause: error });
  }
  return '.';
}

process.exit(
  await runCli({
    argv: process.argv.slice(2),
    env: process.env,
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    readFile: (path) => readFileSync(path, 'utf8'),
    readDirectory: (path) => readdirSync(path),
    enterAsOwner,
    clock: systemClock,
    sleep,
    onStopSignal(handler) {
      process.on('SIGTERM', handler).on('SIGINT', handler);
    },
    onReloadSignal: (handler) => void process.on('SIGHUP', handler),
    createSidecar,
    dialUpstream,
    lookAround,
  }),
);
