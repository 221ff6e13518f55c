/**
 * What the hot path counts, in typed arrays: an addition per command and nothing else. `metrics/` reads these arrays
 * when Prometheus scrapes; nobody allocates, formats or looks up a label while a command is on its way.
 */
import { OUTAGE_CLASSES, type OutageClass } from '../command/outage-class.js';
import { COMMAND_NAMES } from '../command/table.js';
import type { JournalProblemCode } from '../journal/problem.js';
import { DEAD_LETTER_LABELS } from '../outage/replay/refusal.js';
import { Tally } from './tally.js';

/**
 * Where a command was sent; `outage`: to the outage store, `journal`: there too, and journaled. The labels of
 * `respool_commands_total{route}`.
 */
export const ROUTES = ['shared', 'pinned', 'local', 'refused', 'outage', 'journal'] as const;
export type RouteName = (typeof ROUTES)[number];

/** The labels of `respool_breaker_transitions_total{to}` and `respool_breaker_state{state}`. */
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const;
/** The labels of `respool_outage_answers_total{class}`. */
export const ANSWER_CLASSES = ['read', 'buffer', 'refuse', 'wait', 'local', 'drop'] as const;
/** The labels of `respool_journal_refused_total{reason}`, and `other`. */
export const JOURNAL_REFUSALS: readonly (JournalProblemCode | 'store-full')[] = [
  'full',
  'disk-full',
  'disk-failing',
  'directory-gone',
  'directory-taken',
  'read-only',
  'no-descriptors',
  'too-slow',
  'closed',
  // The outage store has no memory for what the journal would take.
  'store-full',
];

const OUTAGE = ROUTES.indexOf('outage');
const JOURNAL = ROUTES.indexOf('journal');
const ROUTE_OF_CLASS: Readonly<Record<OutageClass, number>> = {
  read: OUTAGE,
  buffer: JOURNAL,
  refuse: ROUTES.indexOf('refused'),
  wait: OUTAGE,
  local: OUTAGE,
  drop: OUTAGE,
};

/** Upper bounds of the latency buckets, in seconds. */
export const DURATION_BOUNDS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10,
] as const;

/** Upper bounds of the buckets for how long the upstream was busy, in seconds. */
export const BUSY_BOUNDS_SECONDS = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120,
] as const;

/** Counts per bucket (the last one is +Inf) and the sum, as Prometheus wants them; cumulated only when scraped. */
export class Histogram {
  readonly buckets: Float64Array;
  sumSeconds = 0;

  constructor(readonly boundsSeconds: readonly number[] = DURATION_BOUNDS_SECONDS) {
    this.buckets = new Float64Array(boundsSeconds.length + 1);
  }

  /** Records `count` that each took `milliseconds`. */
  record(milliseconds: number, count: number): void {
    const { boundsSeconds } = this;
    const seconds = milliseconds / 1000;
    let bucket = 0;
    while (bucket < boundsSeconds.length && seconds > boundsSeconds[bucket]!) bucket += 1;
    this.buckets[bucket]! += count;
    this.sumSeconds += seconds * count;
  }
}

export class Observer {
  /** Index: command id × ROUTES.length + route index. Command ids are positions in COMMAND_NAMES; 0 is `other`. */
  readonly commands = new Float64Array(COMMAND_NAMES.length * ROUTES.length);
  /** From sending a command upstream to its whole reply, by the kind of connection it was sent on. */
  readonly duration = { shared: new Histogram(), pinned: new Histogram() };
  readonly upstreamDuration = new Histogram();
  readonly upstreamFailures = new Map<string, number>();
  protocolErrors = 0;
  connectionsAccepted = 0;
  connectionsRefused = 0;
  clientsClosedForOutput = 0;
  /** Connections to a listener with TLS that came to nothing. */
  handshakesFailed = 0;
  /** How often a client had to wait because of client-rate. */
  clientsSlowedDown = 0;
  downstreamBytesIn = 0;
  downstreamBytesOut = 0;
  upstreamBytesIn = 0;
  upstreamBytesOut = 0;
  upstreamReplies = 0;
  readonly breakerTransitions = new Tally(BREAKER_STATES);
  readonly journalRefusals = new Tally(JOURNAL_REFUSALS);
  readonly deadLetters = new Tally(DEAD_LETTER_LABELS);
  /** Answered with -UNKNOWNOUTCOME: it may have run, and was not said again. */
  unknownOutcomes = 0;
  /** May have run, and were said again because that changes nothing. */
  repeatedCommands = 0;
  /** Blocking commands that lost their connection and were sent again with the time that was left. */
  blockedResent = 0;
  /** Commands that took as long as the slow log's threshold; 0 while that is off. */
  slowCommands = 0;
  /** Spans that a collector has taken, and those that it has not in time. */
  spansExported = 0;
  spansDropped = 0;
  /** EVALSHA that was sent as EVAL, with its source. */
  scriptRewrites = 0;
  /** EVALSHA that met NOSCRIPT and was said again with its source. */
  scriptHeals = 0;
  /** Commands that waited for the end of a script that kept the upstream from serving. */
  busyWaits = 0;
  /** How long such scripts kept it. */
  readonly busyEpisodes = new Histogram(BUSY_BOUNDS_SECONDS);
  /** How many wait at this moment for replay to come far enough for them. */
  heldCommands = 0;
  private readonly answers = new Tally(ANSWER_CLASSES);
  /** By command id: those among `answers` that are in `commands` as sent to the outage store. */
  private readonly special = new Float64Array(COMMAND_NAMES.length);

  /** `count` replies came `milliseconds` after their commands were sent over a connection of this kind. */
  replied(kind: 'shared' | 'pinned', milliseconds: number, count: number): void {
    this.upstreamReplies += count;
    this.duration[kind].record(milliseconds, count);
    this.upstreamDuration.record(milliseconds, count);
  }

  /** Counts a failure of the upstream. `reason` is one of a fixed, small set of words. */
  upstreamFailed(reason: string): void {
    this.upstreamFailures.set(reason, (this.upstreamFailures.get(reason) ?? 0) + 1);
  }

  /** The breaker is in this state now. */
  breakerMoved(to: (typeof BREAKER_STATES)[number]): void {
    this.breakerTransitions.add(to);
  }

  /** A command that did not pass unseen was answered while the upstream was away. Those that did are in `commands`. */
  answeredInOutage(commandId: number, outageClass: OutageClass): void {
    const route = ROUTE_OF_CLASS[outageClass];
    this.commands[commandId * ROUTES.length + route]! += 1;
    // What is buffered is counted there, seen or not.
    if (route !== JOURNAL) this.answers.add(outageClass);
    if (route === OUTAGE) this.special[commandId]! += 1;
  }

  /** The journal did not take a write. `code`: of its problem; any other word counts as `other`. */
  journalRefused(code: string): void {
    this.journalRefusals.add(code);
  }

  /** A record became a dead letter. `label`: one of `DEAD_LETTER_LABELS`, or `other`. */
  deadLetter(label: string): void {
    this.deadLetters.add(label);
  }

  /** What was answered while the upstream was away, by class; what passed unseen is of the class of its name. */
  outageAnswers(): ReadonlyMap<string, number> {
    const sums = new Map(this.answers.entries());
    const add = (outageClass: string, count: number): void => {
      if (count > 0) sums.set(outageClass, (sums.get(outageClass) ?? 0) + count);
    };
    this.special.forEach((special, commandId) => {
      const at = commandId * ROUTES.length;
      add(OUTAGE_CLASSES[commandId]!, this.commands[at + OUTAGE]! - special);
      add('buffer', this.commands[at + JOURNAL]!);
    });
    return sums;
  }
}
