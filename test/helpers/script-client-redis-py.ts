/**
 * redis-py under a storm: `register_script` in a pipeline with and without a transaction. It runs in a process of its
 * own (`redis_py_rounds.py`) that prints each round; the judging is done here, as for the others.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { ManagedProcess, run, type Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import { projectRoot } from './project.js';
import type { ScriptClient, Way } from './script-client.js';
import { ScriptRecord, type Life } from './script-record.js';
import { ROUND, SCRIPTS } from './script-round.js';

export const REDIS_PY_WAYS: readonly Way[] = [
  { name: 'redis-py-pipeline', connect: (t, port) => RedisPy.start(t, port, 'pipeline') },
  { name: 'redis-py-transaction', connect: (t, port) => RedisPy.start(t, port, 'transaction') },
];

/** Debian's python3-redis belongs to Debian's Python, which need not be first on PATH (scripts/prepare.mjs installs it). */
const INTERPRETERS = ['/usr/bin/python3', 'python3'];
const LOOK_EVERY_MS = 5;

/** A line of the other process. */
interface Told {
  readonly ready?: true;
  readonly life: number;
  readonly replies?: readonly unknown[];
  readonly error?: string;
}

class RedisPy implements ScriptClient {
  readonly #lives: Life[] = [];
  #isReady = false;

  private constructor(
    readonly record: ScriptRecord,
    private readonly process: ManagedProcess,
  ) {
    const { stdout } = process.child;
    assert.ok(stdout);
    createInterface({ input: stdout }).on('line', (line) => this.#told(line));
  }

  static async start(t: Cleanup, port: number, kind: 'pipeline' | 'transaction'): Promise<RedisPy> {
    const name = `redis-py-${kind}`;
    const task = {
      ...{ name, port, transaction: kind === 'transaction' },
      scripts: Object.fromEntries(Object.entries(SCRIPTS).map(([key, { lua }]) => [key, lua])),
      round: ROUND.map((step) => ({
        ...step,
        keys: step.script === null ? 0 : SCRIPTS[step.script].keys,
      })),
    };
    const program = join(projectRoot, 'test', 'helpers', 'redis_py_rounds.py');
    const process = new ManagedProcess({
      file: await interpreter(),
      args: [program, JSON.stringify(task)],
      cwd: projectRoot,
    });
    t?.after(() => process.killNow());
    const client = new RedisPy(new ScriptRecord(name), process);
    await eventually(`${name} is connected`, () => client.#isReadyNow());
    return client;
  }

  async run(isEnough: () => boolean): Promise<void> {
    this.renew();
    while (!isEnough()) {
      this.#assertAlive();
      await pause(LOOK_EVERY_MS);
    }
    assert.equal(await this.process.stop('SIGTERM'), 0, this.process.output().slice(-2_000));
  }

  renew(): void {
    this.process.child.kill('SIGUSR1');
  }

  #isReadyNow(): boolean {
    this.#assertAlive();
    return this.#isReady;
  }

  #assertAlive(): void {
    assert.equal(this.process.exitCode, null, this.process.output().slice(-2_000));
  }

  #told(line: string): void {
    const { ready, life: number, replies, error } = JSON.parse(line) as Told;
    if (ready) {
      this.#isReady = true;
      return;
    }
    while (this.#lives.length <= number) this.#lives.push(this.record.begin());
    const life = this.#lives[number];
    assert.ok(life);
    const outcome = this.record.judge(life, replies ?? new Error(error));
    // Who does not judge does not know; until it has heard it, its rounds are those of a life that is over.
    if (outcome === 'wrong') this.renew();
  }
}

async function interpreter(): Promise<string> {
  for (const file of INTERPRETERS) {
    const { code } = await run(file, ['-c', 'import redis']).catch(() => ({ code: 1 }));
    if (code === 0) return file;
  }
  throw new Error('no python3 has redis-py (Debian package python3-redis)');
}
