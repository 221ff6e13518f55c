/**
 * Options that later versions act on. They are accepted and validated now, so that a configuration written for the next
 * version starts with this one; the log and the documentation say that they have no effect yet. The version that acts
 * on one moves its line to `options.ts`.
 */
import { size } from './kinds.js';
import type { Option } from './option.js';

/** Lines of the table, spread into `OPTIONS`. */
export const LATER_OPTIONS = {
  'near-cache': {
    group: 'Scripts and cache',
    kind: size('0', '64gb'),
    default: '0',
    later: true,
    help: 'memory for values kept in the sidecar; 0 is off',
  },
} as const satisfies Record<string, Option>;
