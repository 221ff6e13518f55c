#!/usr/bin/env node
/** The bin: connects the command line to this process, runs it, and exits with its code. */
import { readFileSync } from 'node:fs';
import { systemClock } from './base/clock.js';
import { sleep } from './base/sleep.js';
import type { Output } from './cli/host.js';
import { runCli } from './cli/run.js';
import { createSidecar, dialUpstream } from './sidecar.js';

function outputTo(stream: NodeJS.WriteStream): Output {
  // Whoever read the log or the table has gone (`respool check | head -1`): no reason for a sidecar to die.
  stream.on('error', () => {});
  return { write: (text) => void stream.write(text), isTTY: stream.isTTY };
}

process.exit(
  await runCli({
    argv: process.argv.slice(2),
    env: process.env,
    stdout: outputTo(process.stdout),
    stderr: outputTo(process.stderr),
    readFile: (path) => readFileSync(path, 'utf8'),
    clock: systemClock,
    sleep,
    onStopSignal(handler) {
      process.on('SIGTERM', handler).on('SIGINT', handler);
    },
    createSidecar,
    dialUpstream,
  }),
);
