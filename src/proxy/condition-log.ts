/**
 * The conditions that the sidecar has been in: which, since when, why and for how long. For people who come after the
 * event, and for the shading of the status page's charts. Whoever knows the condition notes it as often as it likes.
 *
 *   healthy 12 min ─► outage 31 s (connection refused) ─► replaying 2 s ─► healthy, since 10:04:07
 */
import type { Clock } from '../base/clock.js';
import { inSeconds, type Condition, type ConditionSpell } from './status.js';

interface Entry {
  readonly condition: Condition;
  readonly cause: string | null;
  readonly wallMs: number;
  readonly sinceMs: number;
  readonly lastedMs: number | null;
}

const MOST_KEPT = 100;
/** A connection that is lost, and the breaker's verdict on it so soon after, are one event to people. */
const SAME_EVENT_MS = 3000;

export class ConditionLog {
  private entries: readonly Entry[] = [];

  constructor(private readonly clock: Clock) {}

  /** It is in this condition at this moment. `cause` is looked at when that is news. */
  note(condition: Condition, cause: () => string | null): void {
    const last = this.entries.at(-1);
    if (last?.condition === condition) return;
    const { clock } = this;
    const news = { condition, cause: cause(), lastedMs: null };
    if (last?.condition === 'holding' && condition === 'outage' && this.sinceMs < SAME_EVENT_MS) {
      this.entries = [...this.entries.slice(0, -1), { ...last, ...news }];
      return;
    }
    const before = this.entries.slice(1 - MOST_KEPT);
    if (last !== undefined)
      before[before.length - 1] = { ...last, lastedMs: clock.now() - last.sinceMs };
    this.entries = [...before, { ...news, wallMs: clock.wallMs(), sinceMs: clock.now() }];
  }

  /** How long the present one has lasted; 0 before the first was noted. */
  get sinceMs(): number {
    const last = this.entries.at(-1);
    return last === undefined ? 0 : this.clock.now() - last.sinceMs;
  }

  /** At most `limit` of the last ones, oldest first. */
  list(limit: number): readonly ConditionSpell[] {
    return this.entries.slice(-limit).map(({ condition, cause, wallMs, lastedMs }) => ({
      to: condition,
      time: new Date(wallMs).toISOString(),
      cause,
      seconds: lastedMs === null ? null : inSeconds(lastedMs),
    }));
  }
}
