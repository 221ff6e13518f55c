/**
 * Waiting for something to become true, with a bound: what tests use instead of sleeping.
 * A sleep is either too short (flaky) or too long (slow); a condition is neither.
 */
import { setTimeout as pause } from 'node:timers/promises';

/** How long `eventually` looks and how often; both in milliseconds. */
export interface Patience {
  withinMs?: number;
  everyMs?: number;
}

/**
 * Resolves with the first value of `probe` that is neither `false`, `null` nor `undefined`.
 * An error thrown by `probe` means "not yet". When the time is over it rejects, naming `what` and
 * carrying the last error as its cause.
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  { withinMs = 20_000, everyMs = 10 }: Patience = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + withinMs;
  let lastError: unknown;
  for (let isLast = false; !isLast;) {
    // The last look is taken when the time is over, however long this process was kept from looking.
    isLast = performance.now() >= deadline;
    try {
      const value = await probe();
      if (isSettled(value)) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (!isLast) await pause(everyMs);
  }
  const reason = lastError instanceof Error ? ` (${lastError.message})` : '';
  throw new Error(`Not within ${withinMs} ms: ${what}${reason}`, { cause: lastError });
}

function isSettled<T>(value: T): value is NonNullable<Exclude<T, false>> {
  return value !== false && value !== null && value !== undefined;
}
