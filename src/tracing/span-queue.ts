/**
 * Spans on their way to a collector: bounded, a batch at a time, and nobody's problem but their own. A collector that is
 * away costs one line of the log, what the queue holds, and then the spans that do not fit.
 *
 *   add ─► │ at most 2,048 │ ─(every 2 s, or 256 of them)─► post ──taken──► counted
 *             └─ full: dropped, and counted                  └──away──► kept; again after 1 s, 2 s … 30 s
 */
import { Backoff } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { Span } from './otlp.js';

/** `refused`: it will not take these, now or later. `away`: it may take them another time. */
export type Delivery = 'taken' | { readonly is: 'refused' | 'away'; readonly why: string };

export interface SpanQueueOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** For the log. */
  readonly collector: string;
  /** Hands spans to the collector. Resolves in bounded time and never rejects. */
  readonly post: (spans: readonly Span[]) => Promise<Delivery>;
  /** Added to when spans have been handed over, or given up. */
  readonly counts: { spansExported: number; spansDropped: number };
}

const MAX_SPANS = 2048;
const BATCH_SPANS = 256;
const PERIOD_MS = 2000;
const PAUSES = { firstMs: 1000, maxMs: 30_000, factor: 2, jitter: 0.2 } as const;

export class SpanQueue {
  private spans: Span[] = [];
  private timer: Timer | null = null;
  private posting: Promise<void> | null = null;
  /** The collector did not take the last batch. */
  private isRefused = false;
  private readonly pauses: Backoff;

  constructor(private readonly options: SpanQueueOptions) {
    this.pauses = new Backoff({ ...PAUSES, random: options.random });
  }

  add(span: Span): void {
    if (this.spans.length >= MAX_SPANS) {
      this.options.counts.spansDropped += 1;
      return;
    }
    this.spans.push(span);
    if (this.spans.length === BATCH_SPANS && !this.isRefused) this.postIn(0);
    else if (this.timer === null) this.postIn(PERIOD_MS);
  }

  /** Hands over what there is, within `limitMs`; what a collector has not taken by then is given up. */
  async close(limitMs: number): Promise<void> {
    this.timer?.cancel();
    const isOver = new Promise<void>((resolve) => this.options.clock.after(limitMs, resolve));
    await Promise.race([isOver, this.postAll()]);
    this.options.counts.spansDropped += this.spans.length;
    this.spans = [];
  }

  private async postAll(): Promise<void> {
    while (this.spans.length > 0) {
      const before = this.spans.length;
      await this.postBatch();
      if (this.spans.length === before) return;
    }
  }

  private postIn(delayMs: number): void {
    this.timer?.cancel();
    this.timer = this.options.clock.after(delayMs, () => {
      this.timer = null;
      void this.postBatch().then(() => this.goOn());
    });
  }

  private goOn(): void {
    const { length } = this.spans;
    if (length === 0) return;
    if (this.isRefused) this.postIn(this.pauses.next());
    else this.postIn(length >= BATCH_SPANS ? 0 : PERIOD_MS);
  }

  /** One at a time: while one is on its way, this is that one. */
  private postBatch(): Promise<void> {
    this.posting ??= this.deliver().finally(() => (this.posting = null));
    return this.posting;
  }

  private async deliver(): Promise<void> {
    const batch = this.spans.slice(0, BATCH_SPANS);
    const delivery = await this.options.post(batch);
    const isKept = delivery !== 'taken' && delivery.is === 'away';
    if (!isKept) this.spans.splice(0, batch.length);
    if (delivery === 'taken') this.options.counts.spansExported += batch.length;
    else if (!isKept) this.options.counts.spansDropped += batch.length;
    this.note(delivery);
  }

  /** One line per change. */
  private note(delivery: Delivery): void {
    const { logger, collector, counts } = this.options;
    const isRefused = delivery !== 'taken';
    if (!isRefused) this.pauses.reset();
    if (isRefused === this.isRefused) return;
    this.isRefused = isRefused;
    if (isRefused) logger.warn('the collector takes no spans', { collector, cause: delivery.why });
    else
      logger.info('the collector takes spans again', { collector, dropped: counts.spansDropped });
  }
}
