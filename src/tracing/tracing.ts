/**
 * Telling about single commands: the slow log, the access log and spans for OpenTelemetry, each off unless configured.
 * All three are tellers behind one watch per upstream; where all are off there is no watch, and nothing is asked of the
 * hot path.
 *
 *   upstream/pairing ──(reply that somebody chose)──► CommandWatch ─► observe ─┬─► CommandLog ─► logger
 *                                                                              └─► SpanQueue ─► exportRequest ─► collector
 */
import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import type { ReplyWatch } from '../upstream/reply-watch.js';
import { Sample, SlowOnes } from './choice.js';
import { postTo } from './collector.js';
import { CommandLog } from './command-log.js';
import { CommandWatch, type Teller } from './command-watch.js';
import type { ObservedCommand } from './observed-command.js';
import { exportRequest, type Span, type SpanOrigin } from './otlp.js';
import { SpanQueue } from './span-queue.js';

export interface TracingOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly commandLog: {
    /** A command that took its upstream so long is logged; null: none is. */
    readonly slowMs: number | null;
    /** The share of commands that are logged however fast they were; null: none. */
    readonly sample: number | null;
    readonly showsKeys: boolean;
  };
  /** Null: no spans. `sample`: the share of commands that become one. */
  readonly spans: { readonly endpoint: string; readonly sample: number } | null;
  readonly origin: SpanOrigin;
  readonly counts: { slowCommands: number; spansExported: number; spansDropped: number };
}

export interface Tracing {
  /** For the connections to the upstream, or to the outage store. Null where nobody wants to see anything. */
  watch(upstream: 'upstream' | 'outage'): ReplyWatch | null;
  /** Hands over the spans that there are; resolves within two seconds. */
  close(): Promise<void>;
}

const CLOSE_LIMIT_MS = 2000;

export function createTracing(options: TracingOptions): Tracing {
  const queue = newQueue(options);
  const tellers = [...logs(options), ...spanTellers(options, queue)];
  return {
    watch: (upstream) =>
      tellers.length === 0 ? null : new CommandWatch(tellers, upstream === 'outage'),
    close: async () => queue?.close(CLOSE_LIMIT_MS),
  };
}

function logs({ clock, random, logger, commandLog, counts }: TracingOptions): Teller[] {
  const { slowMs, sample, showsKeys } = commandLog;
  const tellers: Teller[] = [];
  if (slowMs !== null) {
    const write = logger.warn.bind(logger);
    const log = new CommandLog({ clock, write, event: 'slow command', showsKeys });
    const tell = (command: ObservedCommand): void => {
      counts.slowCommands += 1;
      log.add(command);
    };
    tellers.push({ choice: new SlowOnes(slowMs), tell });
  }
  if (sample !== null) {
    const write = logger.info.bind(logger);
    const log = new CommandLog({ clock, write, event: 'command', showsKeys });
    tellers.push({ choice: new Sample(sample, random), tell: (command) => log.add(command) });
  }
  return tellers;
}

function spanTellers({ clock, random, spans }: TracingOptions, queue: SpanQueue | null): Teller[] {
  if (spans === null || queue === null) return [];
  const choice = new Sample(spans.sample, random);
  return [{ choice, tell: (command) => queue.add(spanOf(command, clock.wallMs())) }];
}

function spanOf(command: ObservedCommand, endMs: number): Span {
  const { name, route, db, durationMs, requestBytes, error } = command;
  return { name, startMs: endMs - durationMs, endMs, route, db, requestBytes, error };
}

function newQueue(options: TracingOptions): SpanQueue | null {
  const { clock, random, logger, spans, origin, counts } = options;
  if (spans === null) return null;
  const { endpoint } = spans;
  return new SpanQueue({
    clock,
    random,
    logger,
    collector: endpoint,
    post: (batch) => postTo(endpoint, exportRequest(batch, origin), clock),
    counts,
  });
}
