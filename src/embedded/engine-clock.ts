/**
 * Time as the engine sees it: WASI's two clocks, made from the process' own. The wall clock gets the microseconds that
 * `Date.now` lacks and Redis' TIME shows. Valkey asks once per command, so asking must be cheap: whether the system's
 * clock was stepped is looked at only when told to.
 */
import type { Clock } from '../base/clock.js';

/** How far the two clocks may drift apart before the wall clock is taken to have been stepped. */
const TOLERANCE_MS = 2;

/** Both in milliseconds with fractions. `monotonicMs` never goes back. */
export interface EngineClock {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  /** Follows the system's wall clock if that was stepped; to be called once per turn. */
  readonly follow: () => void;
}

export function engineClock(clock: Clock): EngineClock {
  let origin = clock.wallMs() - clock.now();
  return {
    wallMs: () => origin + clock.now(),
    monotonicMs: () => clock.now(),
    follow() {
      const stepMs = clock.wallMs() - (origin + clock.now());
      if (Math.abs(stepMs) > TOLERANCE_MS) origin += stepMs;
    },
  };
}
