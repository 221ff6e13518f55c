/**
 * Time as the engine sees it: WASI's two clocks, made from the process' own. The wall clock gets the microseconds that
 * `Date.now` lacks and Redis' TIME shows.
 */
import type { Clock } from '../base/clock.js';

/** How far the two clocks may drift apart before the wall clock is taken to have been stepped. */
const TOLERANCE_MS = 2;

/** Both in milliseconds with fractions. `wallMs` follows a stepped system clock, `monotonicMs` never goes back. */
export interface EngineClock {
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
}

export function engineClock(clock: Clock): EngineClock {
  let origin = clock.wallMs() - clock.now();
  return {
    wallMs() {
      const precise = origin + clock.now();
      const coarse = clock.wallMs();
      if (Math.abs(precise - coarse) <= TOLERANCE_MS) return precise;
      origin += coarse - precise;
      return coarse;
    },
    monotonicMs: () => clock.now(),
  };
}
