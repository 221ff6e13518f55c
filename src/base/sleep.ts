/**
 * Waiting, in commands that run to an end. Servers use the clock's timers instead, which do not keep the process alive
 * and can be driven by a test.
 */

/** Resolves after `delayMs`; the process stays alive meanwhile. */
export function sleep(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
