/** A clock that stands still until a test moves it, so that deadlines need no waiting. */
import type { Clock, Timer } from '../../src/base/clock.js';

interface Pending {
  dueMs: number;
  readonly periodMs: number | null;
  readonly task: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 1000;
  #timers: Pending[] = [];
  #endOfTick: (() => void)[] = [];

  /** Timers that have yet to fire or to be cancelled. */
  get timerCount(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return Date.UTC(2026, 0, 1) + this.#nowMs;
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#add({ dueMs: this.#nowMs + delayMs, periodMs: null, task });
  }

  every(periodMs: number, task: () => void): Timer {
    return this.#add({ dueMs: this.#nowMs + periodMs, periodMs, task });
  }

  endOfTick(task: () => void): void {
    this.#endOfTick.push(task);
  }

  /** Ends this turn of the event loop: what was planned for its end runs, also what is planned meanwhile. */
  endTick(): void {
    while (this.#endOfTick.length > 0) {
      for (const task of this.#endOfTick.splice(0)) task();
    }
  }

  /** Lets `ms` pass; each timer that falls due fires in a turn of its own, in order. */
  advance(ms: number): void {
    this.endTick();
    const until = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.reduce<Pending | null>(
        (first, timer) => (first === null || timer.dueMs < first.dueMs ? timer : first),
        null,
      );
      if (next === null || next.dueMs > until) break;
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      if (next.periodMs === null) this.#remove(next);
      else next.dueMs += next.periodMs;
      next.task();
      this.endTick();
    }
    this.#nowMs = until;
  }

  #add(timer: Pending): Timer {
    this.#timers.push(timer);
    return { cancel: () => this.#remove(timer) };
  }

  #remove(timer: Pending): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}
