/** The upstream of outage tests: a real redis-server that is killed and comes back with what it kept. */
import { temporaryDirectory, type Cleanup } from './child-process.js';
import { LEDGER_SCRIPT } from './ledger-client.js';
import { freePort } from './ports.js';
import { connectRaw } from './raw-client.js';
import { Restartable } from './restartable.js';

/** How the upstream keeps its data: the append-only file with its fsync, or nothing at all. */
export type Durability = 'always' | 'everysec' | 'no' | 'none';

/** A redis-server that is killed and comes back with what it kept. */
export class OutageRedis extends Restartable {
  private constructor(
    readonly port: number,
    directory: string,
    durability: Durability,
    more: readonly string[],
  ) {
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''];
    args.push('--protected-mode', 'no', '--enable-debug-command', 'yes');
    args.push('--repl-diskless-sync-delay', '0');
    args.push('--appendonly', durability === 'none' ? 'no' : 'yes');
    if (durability !== 'none') args.push('--appendfsync', durability);
    super(
      'redis-server',
      'redis-server',
      directory,
      () => [...args, ...more],
      () => process.env,
    );
  }

  /** Starts one on a free port; `t` kills it. */
  static async start(
    t: Cleanup,
    durability: Durability = 'always',
    args: readonly string[] = [],
  ): Promise<OutageRedis> {
    const directory = temporaryDirectory(t, 'respool-outage-redis-');
    const redis = new OutageRedis(await freePort(), directory, durability, args);
    t?.after(() => redis.kill());
    await redis.start();
    return redis;
  }

  /** Starts it (again) and waits until it serves; the ledger's script is known to it then. */
  async start(): Promise<void> {
    this.launch();
    await this.whenReady(async () =>
      (await this.ask('SCRIPT', 'LOAD', LEDGER_SCRIPT)).startsWith('$'),
    );
  }

  /** Starts it without waiting: it may be loading for a while. */
  begin(): void {
    this.launch();
  }

  /** One command on a connection of its own: the reply frame as latin1. */
  async ask(...args: (string | number)[]): Promise<string> {
    const client = await connectRaw(this.port);
    try {
      return await client.ask(...args);
    } finally {
      client.reset();
    }
  }
}
