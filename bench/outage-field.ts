/**
 * An outage to be measured: a sidecar whose Redis has been killed, and redis-servers that keep an append-only file, to
 * do the same writes. Journals and append-only files lie beside each other in the directory for temporary files, so
 * that all of them wait for the same disk, and are removed afterwards. Knows nothing of loads.
 */
import { removeDirectory, temporaryDirectory } from '../test/helpers/child-process.js';
import { OutageRedis, type Durability } from '../test/helpers/outage-redis.js';
import { OutageSidecar } from '../test/helpers/outage-sidecar.js';

/** The default of `--hold`. */
export const HOLD_MS = 1_000;

/** What ends when the measurement does, however that ends. */
export class Stage {
  readonly #endings: (() => Promise<unknown> | void)[] = [];

  /** Registers something to be done at the end; the last one registered comes first. */
  after(end: () => Promise<unknown> | void): void {
    this.#endings.push(end);
  }

  /** A redis-server that waits for the disk as `durability` says. Its file is never rewritten: that would cost it. */
  redis(durability: Durability): Promise<OutageRedis> {
    return OutageRedis.start(this.cleanup, durability, ['--auto-aof-rewrite-percentage', '0']);
  }

  /** A sidecar in front of `redis`, with the times that users have by default where `args` do not say otherwise. */
  sidecar(redis: OutageRedis, args: readonly string[] = []): Promise<OutageSidecar> {
    const usual = ['--hold', `${HOLD_MS}ms`, '--upstream-timeout', '2s', '--log-level', 'warn'];
    return OutageSidecar.start(this.cleanup, redis.port, {
      args: [...usual, '--journal-max-bytes', '16gb', '--embedded-max-memory', '1gb', ...args],
    });
  }

  /** A directory of its own. */
  directory(): string {
    const directory = temporaryDirectory(null, 'respool-bench-');
    this.after(() => removeDirectory(directory));
    return directory;
  }

  /** Ends everything, whatever goes wrong with some of it; rejects then, when nothing is left. */
  async stop(): Promise<void> {
    const problems: unknown[] = [];
    for (const end of this.#endings.splice(0).reverse()) {
      await Promise.resolve()
        .then(end)
        .catch((problem: unknown) => problems.push(problem));
    }
    if (problems.length > 0) throw problems[0];
  }

  private get cleanup(): { after(fn: () => Promise<void> | void): void } {
    return { after: (fn) => this.after(fn) };
  }
}

/** Runs `measureIt` with a stage that is cleared afterwards. */
export async function onStage<T>(measureIt: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = new Stage();
  try {
    return await measureIt(stage);
  } finally {
    await stage.stop();
  }
}

/** Kills the Redis behind the sidecar; resolves when the outage has begun and its store answers. */
export async function beginOutage(redis: OutageRedis, sidecar: OutageSidecar): Promise<void> {
  await redis.kill();
  await sidecar.untilOutage();
}
