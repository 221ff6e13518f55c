/**
 * Options that later versions act on. They are accepted and validated now, so that a configuration written for the next
 * version starts with this one; the log and the documentation say that they have no effect yet. The version that acts
 * on one moves its line to `options.ts`.
 */
import { choice, duration, path, size } from './kinds.js';
import type { Option } from './option.js';

/** Lines of the table, spread into `OPTIONS`. */
export const LATER_OPTIONS = {
  'tls-cert': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    later: true,
    help: 'certificate (PEM) with which the listener speaks TLS',
  },
  'tls-key': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    later: true,
    help: 'key (PEM) of tls-cert',
  },
  'tls-ca': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    later: true,
    help: 'authorities (PEM) of which clients must show a certificate',
  },
  'busy-wait': {
    group: 'Outages',
    kind: duration('0', '24h'),
    default: '120s',
    later: true,
    help: 'how long -BUSY is waited out; 0 passes it on',
  },
  scripts: {
    group: 'Scripts and cache',
    kind: choice('heal', 'pass'),
    default: 'heal',
    later: true,
    help: 'heal loads a script again that the upstream has forgotten; pass hands NOSCRIPT on',
  },
  'scripts-dir': {
    group: 'Scripts and cache',
    kind: path('directory'),
    default: null,
    later: true,
    help: 'directory with .lua files that are known from the start',
  },
  'near-cache': {
    group: 'Scripts and cache',
    kind: size('0', '64gb'),
    default: '0',
    later: true,
    help: 'memory for values kept in the sidecar; 0 is off',
  },
} as const satisfies Record<string, Option>;
