/**
 * What a replay says of itself: how far it is, for whoever asks, and in the log one line when it begins, one every five
 * seconds, one at its end.
 */
import type { Clock, Timer } from '../../base/clock.js';
import type { Logger } from '../../base/logger.js';

const PERIOD_MS = 5000;

/** How far a replay is, in records. */
export interface ReplayFigures {
  /** Records done with since the process began: replayed, or made dead letters. */
  readonly done: number;
  readonly left: number;
}

/** How one replay gets on, in records. */
export interface ReplayProgress {
  /** Since this replay began. */
  readonly done: number;
  readonly left: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** At this speed; null while nothing has been done. */
  readonly secondsToGo: number | null;
}

interface Run {
  readonly startedMs: number;
  readonly doneBefore: number;
  readonly timer: Timer;
}

export class ReplayLog {
  private run: Run | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly figures: () => ReplayFigures,
  ) {}

  /** There is something to replay. Does nothing when that has been said. */
  begin(): void {
    if (this.run !== null) return;
    const { done, left } = this.figures();
    this.logger.info('replay begins', { records: left });
    const timer = this.clock.every(PERIOD_MS, () => this.report('replaying'));
    this.run = { startedMs: this.clock.now(), doneBefore: done, timer };
  }

  /** `how`: the event of the last line. Does nothing when none was begun. */
  end(how: 'replay done' | 'replay interrupted'): void {
    if (this.run === null) return;
    this.report(how);
    this.run.timer.cancel();
    this.run = null;
  }

  /** Null when none is under way. */
  get progress(): ReplayProgress | null {
    if (this.run === null) return null;
    const { startedMs, doneBefore } = this.run;
    const { done, left } = this.figures();
    const seconds = Math.max(0.001, (this.clock.now() - startedMs) / 1000);
    const perSecond = Math.round((done - doneBefore) / seconds);
    return {
      done: done - doneBefore,
      left,
      perSecond,
      seconds: Math.round(seconds * 10) / 10,
      secondsToGo: perSecond === 0 ? null : Math.ceil(left / perSecond),
    };
  }

  private report(event: string): void {
    this.logger.info(event, { ...this.progress });
  }
}
