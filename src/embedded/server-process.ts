/**
 * A server program as a child process: found on PATH, its output read line by line, ended with us. Knows nothing of
 * what the program serves.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Clock } from '../base/clock.js';
import { EmbeddedEngineError } from './engine.js';

/** A running child. */
export interface ServerProcess {
  readonly program: string;
  /** Resolves with the reason when the child has ended, whoever wanted it. Never rejects. */
  readonly ended: Promise<string>;
  /** Asks the child to end, insists after a while, and resolves when it has ended. */
  stop(): Promise<void>;
}

const STOP_PATIENCE_MS = 5_000;

/**
 * Runs "$@" beside a reader of our end of a pipe. A killed parent tells its children nothing, but its pipes close: the
 * reader then ends the server, so that no orphan keeps the memory. "$0" is the server's private directory, removed when
 * nobody else is left to do it. The shell ends with the server's exit code.
 */
const ENDS_WITH_US = `exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ cat <&3; kill $server; sleep 5; kill -9 $server; } >/dev/null 2>&1 & reader=$!
exec 3<&-
wait $server
code=$?
kill $reader 2>/dev/null
rm -rf -- "$0"
exit $code`;

/**
 * Starts the first of `programs` that exists. Throws an EmbeddedEngineError when none does. `directory` is removed when
 * the server has ended.
 */
export async function spawnServer(
  programs: readonly string[],
  args: readonly string[],
  directory: string,
  onLine: (line: string) => void,
  clock: Clock,
): Promise<ServerProcess> {
  for (const program of programs) {
    if (await exists(program)) return start(program, args, directory, onLine, clock);
  }
  throw new EmbeddedEngineError(
    `no ${programs.join(' or ')} on PATH: install one, or use --embedded-engine wasm, which needs none`,
  );
}

async function exists(program: string): Promise<boolean> {
  const probe = spawn(program, ['--version'], { stdio: 'ignore' });
  try {
    await once(probe, 'exit');
    return true;
  } catch {
    return false;
  }
}

function start(
  program: string,
  args: readonly string[],
  directory: string,
  onLine: (line: string) => void,
  clock: Clock,
): ServerProcess {
  const child = spawn('/bin/sh', ['-c', ENDS_WITH_US, directory, program, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C is for us, who drain first and then end the server.
    detached: true,
  });
  child.stdin.on('error', () => {}); // the server ended first; `ended` says so
  createInterface(child.stdout).on('line', onLine);
  createInterface(child.stderr).on('line', onLine);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) =>
      resolve(`${program} ended with ${signal ?? `code ${code}`}`),
    );
  });
  return { program, ended, stop: () => stop(child, ended, clock) };
}

async function stop(child: ChildProcess, ended: Promise<string>, clock: Clock): Promise<void> {
  child.stdin?.end();
  const insist = clock.after(STOP_PATIENCE_MS, () => killGroup(child));
  await ended;
  insist.cancel();
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // It ended in this moment.
  }
}
