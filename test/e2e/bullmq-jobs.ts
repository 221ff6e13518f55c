/**
 * Queues and workers of BullMQ for the tests, and the ledger that counts how often each job ran:
 * "none lost, none doubled" is a statement about this ledger and not about what BullMQ reports.
 */
import { Redis } from 'ioredis';
import {
  FlowProducer,
  Queue,
  QueueEvents,
  Worker,
  type ConnectionOptions,
  type FlowJob,
  type Job,
} from 'bullmq';
import type { Cleanup } from '../helpers/child-process.js';
import type { Target } from './targets.js';

/** How often each job was processed, by its id. */
export class Ledger {
  readonly runs = new Map<string, number>();
  readonly order: string[] = [];

  record(job: Job): void {
    const id = job.id ?? 'without id';
    this.runs.set(id, (this.runs.get(id) ?? 0) + 1);
    this.order.push(job.name);
  }

  /** Ids of jobs that ran more than once. */
  get doubled(): string[] {
    return [...this.runs].filter(([, count]) => count > 1).map(([id]) => id);
  }

  /** Those of `ids` that never ran. */
  lostOf(ids: readonly (string | undefined)[]): string[] {
    return ids.filter((id): id is string => id === undefined || !this.runs.has(id));
  }
}

/** A queue and what belongs to it on one target; everything is closed when `t` ends, clients last. */
export class JobBench {
  readonly ledger = new Ledger();
  readonly queue: Queue;
  readonly #closing: (() => Promise<void>)[] = [];
  readonly #clients: Redis[] = [];

  constructor(
    t: Exclude<Cleanup, null>,
    private readonly target: Target,
    private readonly name: string,
  ) {
    this.queue = new Queue(name, { connection: this.connection() });
    this.#closing.push(() => this.queue.close());
    t.after(async () => {
      for (const close of this.#closing.toReversed()) await close();
      for (const client of this.#clients) client.disconnect();
    });
  }

  /** Starts a worker that records every job and then does `work`. */
  worker(
    work: (job: Job) => Promise<unknown> = () => Promise.resolve(),
    options: { concurrency?: number; limiter?: { max: number; duration: number } } = {},
  ): Worker {
    const process = async (job: Job): Promise<unknown> => {
      this.ledger.record(job);
      return work(job);
    };
    const worker = new Worker(this.name, process, { connection: this.connection(), ...options });
    this.#closing.push(() => worker.close());
    return worker;
  }

  /** Follows the queue's events, ready to be waited on. */
  async events(): Promise<QueueEvents> {
    const events = new QueueEvents(this.name, { connection: this.connection() });
    this.#closing.push(() => events.close());
    await events.waitUntilReady();
    return events;
  }

  /** Adds a job whose children run before it. */
  async addFlow(flow: FlowJob): Promise<void> {
    const flows = new FlowProducer({ connection: this.connection() });
    this.#closing.push(() => flows.close());
    await flows.add(flow);
  }

  /** BullMQ duplicates this client for its blocking connection and closes its duplicates only. */
  private connection(): ConnectionOptions {
    const { host, port } = this.target;
    const client = new Redis({ host, port, maxRetriesPerRequest: null });
    this.#clients.push(client);
    return client;
  }
}
