/**
 * redis-cli of the machine as the tests call it: to its end with what it printed, or left running
 * for the modes that never end (monitor, subscribe, --stat).
 */
import assert from 'node:assert/strict';
import { ManagedProcess, run, temporaryDirectory, type Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';

/** Any server that redis-cli may be pointed at. */
export interface CliTarget {
  readonly port: number;
}

/** Runs redis-cli to its end and returns its stdout without the last line's end; fails unless it exits with 0. */
export async function cli(
  target: CliTarget,
  args: readonly string[],
  input?: string | Uint8Array,
): Promise<string> {
  const { code, stdout, stderr } = await cliResult(target, args, input);
  assert.equal(code, 0, `redis-cli ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout.replace(/\n$/, '');
}

/** Runs redis-cli to its end, however it ends. */
export function cliResult(
  target: CliTarget,
  args: readonly string[],
  input?: string | Uint8Array,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return run('redis-cli', ['-p', String(target.port), ...args], {
    timeoutMs: 120_000,
    ...(input === undefined ? {} : { input }),
  });
}

/** A redis-cli that goes on until it is stopped, at the latest when `t` ends. */
export class RunningCli {
  readonly #process: ManagedProcess;

  constructor(t: Cleanup, target: CliTarget, args: readonly string[]) {
    this.#process = new ManagedProcess({
      // Without a terminal redis-cli would keep what it prints until it has 4 kB of it.
      file: 'stdbuf',
      args: ['-oL', 'redis-cli', '-p', String(target.port), ...args],
      cwd: temporaryDirectory(t),
    });
    t?.after(async () => {
      await this.stop();
    });
  }

  output(): string {
    return this.#process.output();
  }

  /** Resolves when what it printed matches; a redis-cli that ends meanwhile does not. */
  async prints(pattern: RegExp): Promise<void> {
    await eventually(`redis-cli prints ${pattern}: ${this.output()}`, () =>
      pattern.test(this.output()),
    );
  }

  async stop(): Promise<void> {
    await this.#process.stop('SIGTERM', 1_000);
  }
}
