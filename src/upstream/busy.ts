/**
 * BUSY: a script runs too long and the upstream serves nobody meanwhile (SEMANTICS §5). One of these per upstream, so that
 * one question finds out when it is over, instead of every client asking on its own.
 *
 *   met ──► busy ──ask──► BUSY: ask again after 10 ms, 15 ms … 2 s
 *                  └────► any other reply, or none at all ──► over: whoever waits goes on
 */
import { Backoff } from '../base/backoff.js';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';

export interface BusyOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  /** Asks for something that a busy upstream refuses. `answered` is called once; with null when no reply will come. */
  readonly ask: (answered: (reply: Buffer | null) => void) => void;
  /** An episode has begun, or (with how long it took) is over. Those who wait go on after this. */
  readonly onChange: (episodeMs: number | null) => void;
}

const PAUSES = { firstMs: 10, maxMs: 2000, factor: 1.5, jitter: 0.1 };

/** What everybody but `upstream/` may know of it. */
export type BusyView = Pick<
  Busy,
  'sinceMs' | 'isBusy' | 'met' | 'noteWaiting' | 'whenOver' | 'neverMind'
>;

export class Busy {
  /** When the episode began, on the monotonic clock; null when there is none. */
  sinceMs: number | null = null;
  private readonly pauses: Backoff;
  private timer: Timer | null = null;
  private readonly waiting = new Set<() => void>();
  private waited = 0;

  constructor(private readonly options: BusyOptions) {
    this.pauses = new Backoff({ ...PAUSES, random: options.random });
  }

  /** A script has been seen to run, and not to have ended. */
  get isBusy(): boolean {
    return this.sinceMs !== null;
  }
  /** How long the episode has lasted; null when there is none. */
  get episodeMs(): number | null {
    return this.sinceMs === null ? null : this.options.clock.now() - this.sinceMs;
  }
  /** Commands that have had to wait in this episode. */
  get commandsWaited(): number {
    return this.waited;
  }

  /** A reply said BUSY. */
  met(): void {
    if (this.isBusy) return;
    this.sinceMs = this.options.clock.now();
    this.pauses.reset();
    this.options.onChange(null);
    this.askSoon();
  }

  /** `commands` more will be said when it is over. */
  noteWaiting(commands: number): void {
    this.waited += commands;
  }

  /** Calls `task` once, when the episode is over: now, if there is none; unless `neverMind` comes first. */
  whenOver(task: () => void): void {
    if (this.isBusy) this.waiting.add(task);
    else task();
  }

  neverMind(task: () => void): void {
    this.waiting.delete(task);
  }

  /** Nobody asks any more, for whatever reason: the upstream is given up. */
  end(): void {
    const { episodeMs } = this;
    if (episodeMs === null) return;
    this.timer?.cancel();
    this.sinceMs = null;
    const fields = { busyMs: Math.round(episodeMs), commandsWaited: this.waited };
    this.options.logger.warn('the upstream was busy with a script', fields);
    this.waited = 0;
    this.options.onChange(episodeMs);
    const tasks = [...this.waiting];
    this.waiting.clear();
    for (const task of tasks) task();
  }

  private askSoon(): void {
    this.timer = this.options.clock.after(this.pauses.next(), () => this.ask());
  }

  private ask(): void {
    const { sinceMs } = this;
    this.options.ask((reply) => {
      // Of another episode.
      if (sinceMs !== this.sinceMs) return;
      if (reply !== null && isBusyReply(reply)) this.askSoon();
      else this.end();
    });
  }
}

/** The server's own words, for scripts, functions and modules; what anybody else calls BUSY has been run. */
export function isBusyReply(frame: Buffer): boolean {
  return /^-(EXECABORT Transaction discarded because of: )?BUSY \S+ is busy running /.test(
    frame.toString('latin1', 0, 120),
  );
}
