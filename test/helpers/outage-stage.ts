/**
 * What an outage test stands on: clients of the ledger → the sidecar → (a bad network) → Redis, and
 * the last question to all of them. Everything drives the program from outside, as its users do.
 */
import assert from 'node:assert/strict';
import { ChaosForwarder } from './chaos-forwarder.js';
import type { Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import { assertClean, checkLedger, type Fault, type Verdict } from './ledger-check.js';
import type { Deed } from './ledger-client.js';
import { LedgerLoad, type LoadOptions } from './ledger-load.js';
import { Ledger } from './ledger.js';
import { OutageRedis, type Durability } from './outage-redis.js';
import { ANSWER_WITHIN_MS, OutageSidecar } from './outage-sidecar.js';

/**
 * Everything but scripts: while one is in flight, silence is explained, and the deadlines are those of scripts
 * (docs/decisions/0005).
 */
export const PROMPT: readonly Deed[] = [
  ...(['push', 'push', 'push', 'stream', 'set', 'set', 'field', 'member', 'pair', 'read'] as const),
];

export interface StageOptions {
  readonly durability?: Durability;
  readonly redisArgs?: readonly string[];
  readonly sidecarArgs?: readonly string[];
  readonly sidecarEnv?: NodeJS.ProcessEnv;
  /** See `SidecarOptions.limits`. */
  readonly sidecarLimits?: readonly string[];
  readonly journalDirectory?: string;
  readonly load?: Partial<LoadOptions>;
}

/** A modest load for rows of the matrix: two cores carry it and everything else. */
const LOAD = {
  sequential: 30,
  pipelined: 10,
  depth: 8,
  perSecond: 3_000,
  deeds: PROMPT,
  isVaried: true,
} as const;

/** Redis behind a bad network behind a sidecar, and clients. */
export class OutageStage {
  /** Starts everything but the load; `t` ends it. */
  static async start(t: Cleanup, options: StageOptions = {}): Promise<OutageStage> {
    const redis = await OutageRedis.start(t, options.durability, options.redisArgs);
    const network = await ChaosForwarder.start(t, redis.port);
    const sidecar = await OutageSidecar.start(t, network.port, {
      args: options.sidecarArgs ?? [],
      env: options.sidecarEnv ?? {},
      limits: options.sidecarLimits ?? [],
      ...(options.journalDirectory === undefined
        ? {}
        : { journalDirectory: options.journalDirectory }),
    });
    return new OutageStage(t, options, redis, network, sidecar);
  }

  readonly ledger = new Ledger();
  readonly load: LedgerLoad;
  readonly #loads: LedgerLoad[] = [];

  private constructor(
    private readonly t: Cleanup,
    private readonly options: StageOptions,
    /** Where the data is in the end; a failover puts another one here. */
    public redis: OutageRedis,
    readonly network: ChaosForwarder,
    readonly sidecar: OutageSidecar,
  ) {
    this.load = this.loadOn(sidecar.port);
  }

  /** Clients of the same ledger, on another sidecar too. */
  loadOn(port: number): LedgerLoad {
    const answerWithinMs = ANSWER_WITHIN_MS;
    const load = new LedgerLoad(this.ledger, {
      ...LOAD,
      answerWithinMs,
      ...this.options.load,
      assertAlive: () => this.sidecar.assertAlive(),
      port,
    });
    this.#loads.push(load);
    this.t?.after(() => load.close());
    return load;
  }

  /** Kills the upstream and resolves when the sidecar says so and has acknowledged `count` writes since. */
  async outage(count = 300): Promise<void> {
    await this.redis.kill();
    await this.sidecar.untilOutage();
    await this.load.untilMore(count);
  }

  /** Ends the load, waits until everything is drained, and compares. Leaves nothing unchecked that can be asked. */
  async verdict(): Promise<Verdict> {
    for (const load of this.#loads) await load.finish();
    await this.sidecar.untilDrained();
    await assertBalanced(this.sidecar);
    await eventually('nothing of ours is left in the upstream', async () => {
      return (await this.redis.ask('KEYS', 'respool:*')) === '*0\r\n';
    });
    return checkLedger(this.ledger, this.redis.port);
  }

  /** `verdict`, and all of it as promised, except what a row allows by name. */
  async assertClean(...but: Fault[]): Promise<Verdict> {
    const verdict = await this.verdict();
    assertClean(verdict, ...but);
    assert.ok(verdict.acknowledged > 0, verdict.report);
    return verdict;
  }
}

/** What was appended was replayed, is a dead letter, or is pending: to the record, in a sidecar that lives since its start. */
export async function assertBalanced(sidecar: OutageSidecar): Promise<void> {
  if (sidecar.starts > 1) return;
  const metrics = await sidecar.metrics();
  const count = (name: string): number => metrics.get(name) ?? 0;
  const [appended, replayed] = [count('journal_appended_total'), count('replayed_total')];
  const [dead, pending] = [count('dead_letters_total'), count('journal_records')];
  const sum = JSON.stringify({ appended, replayed, dead, pending });
  assert.equal(appended - replayed - dead, pending, sum);
}
