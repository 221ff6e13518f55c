/**
 * How often replay has been set back at the same place, and when that is enough. What may pass is tried again, but no
 * record stops the ones behind it for ever: neither one that the upstream has no memory for, nor one that brings down
 * the connection, or the server, each time.
 */
import type { Clock } from '../../base/clock.js';
import type { JournalRecord } from '../../journal/record.js';
import type { Failed } from './verdict.js';

/** Both must be reached, so that neither a hasty series nor two tries on two days decide. */
const ENOUGH_ATTEMPTS = 10;
const ENOUGH_MS = 60_000;
/** After so many losses of the same batch its first record is sent alone. */
const SUSPICIOUS_LOSSES = 3;
/** After so many EXECs that were overtaken, streams are not watched any more; after so many, replay gives up for now. */
const CONTENDED_TIMES = 3;
const MOST_TIMES_OVERTAKEN = 20;

/** One kind of setback, counted at one place: the first record of what was sent. */
class Series {
  private place = 0;
  private attempts = 0;
  private sinceMs = 0;

  at(place: number): number {
    return place === this.place ? this.attempts : 0;
  }

  /** True: that was often, and long, enough. */
  add(place: number, nowMs: number): boolean {
    if (place !== this.place) {
      this.place = place;
      this.attempts = 0;
      this.sinceMs = nowMs;
    }
    this.attempts += 1;
    return this.attempts >= ENOUGH_ATTEMPTS && nowMs - this.sinceMs >= ENOUGH_MS;
  }
}

export class Setbacks {
  private losses = new Series();
  private refusals = new Series();
  private timesOvertaken = 0;

  constructor(private readonly clock: Clock) {}

  /** A batch was applied. */
  passed(): void {
    this.losses = new Series();
    this.refusals = new Series();
    this.timesOvertaken = 0;
  }

  /** The connection was lost over these records, and they were not applied. Returns a single one that is to be given up. */
  lost(records: readonly JournalRecord[]): Failed | null {
    const record = records[0]!;
    const isEnough = this.losses.add(record.seq, this.clock.now());
    if (!isEnough || records.length > 1) return null;
    const reason = `LOST the connection was lost ${this.losses.at(record.seq)} times when it was sent`;
    return { record, commands: null, reason };
  }

  /** What was read should be sent one by one. */
  isSuspicious(read: readonly JournalRecord[]): boolean {
    return read.length > 1 && this.losses.at(read[0]!.seq) >= SUSPICIOUS_LOSSES;
  }

  /** These were refused for want of memory. True: give up on them. */
  outOfMemory(records: readonly JournalRecord[]): boolean {
    return this.refusals.add(records[0]!.seq, this.clock.now());
  }

  /** EXEC ran nothing because something watched had changed. True: that is no coincidence any more. */
  overtaken(): boolean {
    this.timesOvertaken += 1;
    return this.timesOvertaken > MOST_TIMES_OVERTAKEN;
  }

  /** Others write to what a batch watches. */
  get isContended(): boolean {
    return this.timesOvertaken >= CONTENDED_TIMES;
  }
}
