/**
 * A well-behaved client that goes on with its work while somebody else misbehaves, and tells how it
 * fared. Harm is judged by ratio: machines differ, and so does what else they do.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Cleanup } from './child-process.js';

/** Latency of the bystander's commands over some time, in milliseconds. */
export interface Latency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const CALM_MS = 500;
/** "Unharmed": at most this many times slower than in calm … */
const HARM_RATIO = 20;
/** … or in any case within this time, which no application takes for an outage. */
const UNHARMED_MS = 250;
const ATTEMPTS = 3;

export class Bystander {
  private constructor(
    private readonly worker: Worker,
    private readonly calm: Latency,
  ) {}

  /**
   * Starts one at `port` and measures it in calm first; `t` stops it. What `pids`, which answer it, wait for a core does
   * not count (`machine-time.ts`).
   */
  static async start(t: Cleanup, port: number, pids: readonly number[]): Promise<Bystander> {
    const worker = new Worker(new URL('./bystander-worker.js', import.meta.url), {
      workerData: { port, pids },
    });
    t?.after(async () => {
      await worker.terminate();
    });
    await pause(CALM_MS);
    await report(worker);
    await pause(CALM_MS);
    return new Bystander(worker, await report(worker));
  }

  /**
   * Runs `misdeed` and fails if the bystander got a wrong answer, no answer, or answers far too late
   * meanwhile. Late ones are given two more chances: somebody else may have had the machine's cores,
   * and what the sidecar does to others it does each time. `misdeed` must bear being repeated.
   */
  async isUnharmedBy(misdeed: () => Promise<void>, withinMs = UNHARMED_MS): Promise<void> {
    const attempts: Latency[] = [];
    while (attempts.length < ATTEMPTS) {
      await report(this.worker);
      await misdeed();
      const during = await report(this.worker);
      if (this.isUnharmed(during, withinMs)) return;
      attempts.push(during);
    }
    assert.fail(`others were harmed: ${JSON.stringify({ calm: this.calm, attempts })}`);
  }

  private isUnharmed({ count, p50Ms, p99Ms }: Latency, withinMs: number): boolean {
    return (
      count > 0 &&
      p50Ms <= Math.max(HARM_RATIO * this.calm.p50Ms, withinMs) &&
      p99Ms <= Math.max(HARM_RATIO * this.calm.p99Ms, withinMs)
    );
  }
}

async function report(worker: Worker): Promise<Latency> {
  const answer = once(worker, 'message');
  worker.postMessage('report');
  const [{ latenciesMs, failure }] = (await answer) as [
    { latenciesMs: number[]; failure: string | null },
  ];
  assert.equal(failure, null, 'the bystander was harmed');
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  const quantile = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? 0;
  return { count: sorted.length, p50Ms: quantile(0.5), p99Ms: quantile(0.99) };
}
