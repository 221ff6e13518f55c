/**
 * How long to wait before an engine that died is started again: not at all at first, then longer each time, so that an
 * engine that cannot live does not take a core. Without randomness: nobody else waits for the same engine.
 */
import type { Clock } from '../base/clock.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
/** An engine that lived this long is well: the next pause is none again. */
const WELL_AFTER_MS = 30_000;

export class RestartPause {
  private pauseMs = 0;
  private startedAtMs = 0;

  constructor(private readonly clock: Clock) {}

  /** The engine runs. */
  noteStart(): void {
    this.startedAtMs = this.clock.now();
  }

  /** The engine died: how long to wait, in milliseconds. */
  nextMs(): number {
    const pause = this.clock.now() - this.startedAtMs > WELL_AFTER_MS ? 0 : this.pauseMs;
    this.pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, pause * 2));
    return pause;
  }
}
