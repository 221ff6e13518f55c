/** What the page shows of the time before: kept by the composition root. */
import type { ConditionSpell } from '../../proxy/status.js';
import type { Point } from '../history.js';

export interface Past {
  /** Oldest first; at most an hour. */
  readonly points: readonly Point[];
  /** Oldest first; the last one is the present one. */
  readonly conditions: readonly ConditionSpell[];
}
