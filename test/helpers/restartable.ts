/**
 * A process of outage tests, killed, frozen and started again where it was: same port, same directory,
 * same data. `servers.ts` has those that live as long as their test.
 */
import assert from 'node:assert/strict';
import { ManagedProcess } from './child-process.js';
import { eventually } from './eventually.js';
import { freezeProcess } from './freeze.js';
import { watchProcess } from './machine-time.js';

const START_WITHIN_MS = 60_000;

/** A process that can be killed, frozen and started again. */
export class Restartable {
  #process: ManagedProcess | null = null;
  #isFrozen = false;
  #past = '';
  #starts = 0;
  #kills = 0;
  #mayEnd = true;

  protected constructor(
    private readonly name: string,
    private readonly file: string,
    private readonly directory: string,
    private readonly args: () => readonly string[],
    private readonly env: () => NodeJS.ProcessEnv,
  ) {}

  get isRunning(): boolean {
    return this.#process !== null && this.#process.exitCode === null;
  }

  /** It is not there any more, and nobody had asked for that. */
  get hasEndedByItself(): boolean {
    return !this.isRunning && !this.#mayEnd;
  }

  /** Fails, with what it printed, if it has ended by itself. */
  assertAlive(): void {
    assert.ok(!this.hasEndedByItself, `${this.name} ended by itself\n${this.output()}`);
  }

  /** How many lives it has had. */
  get starts(): number {
    return this.#starts;
  }

  /** How often it was killed while it ran. */
  get kills(): number {
    return this.#kills;
  }

  get pid(): number {
    return this.#process?.pid ?? -1;
  }

  /** What it printed, in all its lives. */
  output(): string {
    return this.#past + (this.#process?.output() ?? '');
  }

  /** Starts it; does not wait until it serves. */
  protected launch(): void {
    assert.ok(!this.isRunning, `${this.name} runs already`);
    this.#past = this.output().slice(-100_000);
    this.#isFrozen = false;
    this.#starts += 1;
    this.#mayEnd = false;
    const { file, directory: cwd } = this;
    this.#process = new ManagedProcess({ file, args: this.args(), cwd, env: this.env() });
    watchProcess(this.#process.pid);
  }

  /** Resolves when `probe` is true; rejects, with what the process printed, if it ends instead. */
  protected async whenReady(probe: () => Promise<boolean>): Promise<void> {
    const process = this.#process;
    const ready = async (): Promise<boolean> => process?.exitCode !== null || (await probe());
    await eventually(`${this.name} is ready`, ready, { withinMs: START_WITHIN_MS }).catch(
      (error: unknown) => {
        throw new Error(`${this.name} does not become ready\n${this.output()}`, { cause: error });
      },
    );
    assert.ok(this.isRunning, `${this.name} does not start\n${this.output()}`);
  }

  /** `kill -9`; resolves when it is gone. Rejects if it had ended by itself before. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    this.assertAlive();
    this.#mayEnd = true;
    if (this.isRunning) this.#kills += 1;
    process.killNow();
    await process.exited();
  }

  /** SIGTERM; resolves with the exit code. */
  async stop(): Promise<number> {
    this.thaw();
    this.#mayEnd = true;
    return this.#process?.stop('SIGTERM') ?? 0;
  }

  /** SIGSTOP; resolves when it stands still. */
  async freeze(): Promise<void> {
    this.#isFrozen = true;
    if (this.#process !== null) await freezeProcess(this.#process.pid);
  }

  thaw(): void {
    if (this.#isFrozen) this.#process?.child.kill('SIGCONT');
    this.#isFrozen = false;
  }
}
