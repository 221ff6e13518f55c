/**
 * The breaker's last changes of state, for people who come after the event. A long outage is one entry and not one per
 * probe: a probe that failed is counted with the entry that it leads back to.
 *
 *   closed ─► open ─► half-open ─► open ─► half-open ─► closed      [open, failedProbes 1] [half-open] [closed]
 */
import type { Clock } from '../base/clock.js';
import type { BreakerState } from '../breaker/breaker.js';

export interface Transition {
  readonly to: BreakerState;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Why it opened; null for the other states, and when an operator moved it. */
  readonly cause: string | null;
  /** Probes that were answered no since, and led back here. */
  readonly failedProbes: number;
}

const MOST_KEPT = 20;

export class TransitionLog {
  private entries: Transition[] = [];

  constructor(private readonly clock: Clock) {}

  /** Oldest first. */
  get list(): readonly Transition[] {
    return this.entries;
  }

  /** As the breaker's `onChange` says it. */
  note(to: BreakerState, cause: Error | null): void {
    const [before, last] = this.entries.slice(-2);
    if (to === 'open' && before?.to === 'open' && last?.to === 'half-open') {
      this.entries = this.entries.slice(0, -2);
      this.add({ ...before, failedProbes: before.failedProbes + 1 });
      return;
    }
    const time = new Date(this.clock.wallMs()).toISOString();
    this.add({ to, time, cause: cause?.message ?? null, failedProbes: 0 });
  }

  private add(entry: Transition): void {
    this.entries = [...this.entries, entry].slice(-MOST_KEPT);
  }
}
