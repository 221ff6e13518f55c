/** What `respool check` says about one thing. */

/**
 * - `error` the sidecar will not start, or not do what it is for
 * - `warning` something will not work as it could, or costs more than one may think
 * - `note` as it should be, and good to know
 */
export type Severity = 'error' | 'warning' | 'note';

export interface Finding {
  readonly severity: Severity;
  /** Stable, for scripts. */
  readonly code: string;
  /** What was found, and what follows from it, in whole sentences. */
  readonly found: string;
  /** What to do; null: nothing. */
  readonly advice: string | null;
}

export function finding(
  severity: Severity,
  code: string,
  found: string,
  advice: string | null = null,
): Finding {
  return { severity, code, found, advice };
}
