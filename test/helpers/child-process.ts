/**
 * Child processes of tests: started with their output captured, gone when the test process is gone,
 * however it ends. `servers.ts` builds Redis and the sidecar on it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The part of `node:test`'s context that cleanup needs; null means "the caller stops it". */
export type Cleanup = { after(fn: () => Promise<void> | void): void } | null;

/** What to run, and where. `env` replaces the environment; without it the child inherits ours. */
export interface SpawnRequest {
  file: string;
  args: readonly string[];
  cwd: string;
  env?: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Further pipes, from descriptor 3 on; `child.stdio` has them. */
  morePipes?: number;
}

/** How `run` runs a program; `env` replaces the environment. */
export interface RunOptions {
  input?: string | Uint8Array;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs?: number;
}

const OUTPUT_LIMIT_CHARACTERS = 1_000_000;

const running = new Set<ManagedProcess>();
const directories = new Set<string>();
let guarded = false;

/** An empty directory that is removed when the test ends, or at the latest with the process. */
export function temporaryDirectory(t: Cleanup, prefix = 'respool-test-'): string {
  guard();
  const directory = mkdtempSync(join(tmpdir(), prefix));
  directories.add(directory);
  t?.after(() => removeDirectory(directory));
  return directory;
}

/** Removes a directory of `temporaryDirectory` now. */
export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  directories.delete(directory);
}

/** A running child with its output; killed with SIGKILL if this process exits first. */
export class ManagedProcess {
  readonly child: ChildProcess;
  #output = '';
  /** Set once: the exit code, 128 + n after signal n, or 127 if it could not be started. */
  #exitCode: number | null = null;
  readonly #exited: Promise<number>;

  constructor({ file, args, cwd, env, uid, gid, morePipes = 0 }: SpawnRequest) {
    guard();
    this.child = spawn(file, args, {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe', ...Array<'pipe'>(morePipes).fill('pipe')],
      ...(env === undefined ? {} : { env }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    running.add(this);
    // A server that nobody waits for does not keep a finished test process alive.
    this.#hold(false);
    this.child.stdout?.on('data', (chunk: Buffer) => this.#record(chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => this.#record(chunk.toString()));
    this.#exited = new Promise((resolve) => {
      const finish = (code: number): void => {
        running.delete(this);
        this.#exitCode ??= code;
        resolve(this.#exitCode);
      };
      this.child.once('error', (error) => {
        this.#record(`${file} could not be started: ${error.message}\n`);
        finish(127);
      });
      // `close` and not `exit`: only then has all of its output arrived.
      this.child.once('close', (code, signal) => finish(exitStatus(code, signal)));
    });
  }

  get pid(): number {
    return this.child.pid ?? -1;
  }

  /** Null while it runs. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /** Everything it wrote so far, stdout and stderr as they came. */
  output(): string {
    return this.#output;
  }

  /** Resolves with the exit code when it has ended and its output is complete. */
  exited(): Promise<number> {
    this.#hold(true);
    return this.#exited;
  }

  /** Sends `signal`, waits `patienceMs`, then SIGKILL; resolves with the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 15_000): Promise<number> {
    if (!(await this.#endsAfter(signal, patienceMs))) this.child.kill('SIGKILL');
    return this.exited();
  }

  /** A test is over: SIGTERM, soon a second one ("now", so that it ends its own children), SIGKILL. */
  async stopSoon(): Promise<number> {
    if (await this.#endsAfter('SIGTERM', 300)) return this.exited();
    return this.stop('SIGTERM', 2_000);
  }

  async #endsAfter(signal: NodeJS.Signals, patienceMs: number): Promise<boolean> {
    if (this.#exitCode !== null) return true;
    this.child.kill(signal);
    const gone = await Promise.race([this.exited(), pause(patienceMs, null, { ref: false })]);
    return gone !== null;
  }

  killNow(): void {
    this.child.kill('SIGKILL');
  }

  /** Whether the event loop goes on until this child has ended. */
  #hold(isAwaited: boolean): void {
    const { stdout, stderr } = this.child;
    for (const handle of [this.child, stdout as Socket | null, stderr as Socket | null]) {
      if (isAwaited) handle?.ref();
      else handle?.unref();
    }
  }

  #record(text: string): void {
    this.#output = (this.#output + text).slice(-OUTPUT_LIMIT_CHARACTERS);
  }
}

/** Runs a program to its end, with `input` on its stdin; never rejects because of its exit code. */
export async function run(
  file: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { input, cwd, env, timeoutMs = 120_000 } = options;
  const child = spawn(file, args, {
    stdio: 'pipe',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  // A program that does not read its input (EPIPE) is judged by its exit code, not by that.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input ?? '');
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code: exitStatus(code, signal), stdout, stderr };
}

/** As a shell says it: 128 + n after signal n. */
function exitStatus(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Installs, once, the last line of defence: no child and no directory outlives this process. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  process.once('exit', () => {
    for (const child of running) child.killNow();
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });
  // The test runner stops a file that takes too long with SIGTERM, which skips `exit` handlers.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => process.exit(exitStatus(null, signal)));
  }
}
