/**
 * Options that later versions act on. They are accepted and validated now, so that a configuration written for the next
 * version starts with this one; the log and the documentation say that they have no effect yet. The version that acts
 * on one moves its line to `options.ts`.
 */
import { choice, duration, integer, orWord, path, size, text } from './kinds.js';
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
  'breaker-failures': {
    group: 'Outages',
    kind: integer(1, 10_000),
    default: '5',
    later: true,
    help: 'consecutive failures after which the upstream counts as away',
  },
  'breaker-recovery': {
    group: 'Outages',
    kind: duration('250ms', '1h'),
    default: '10s',
    later: true,
    help: 'longest pause between two probes of an upstream that is away',
  },
  'outage-reads': {
    group: 'Outages',
    kind: choice('answer', 'refuse'),
    default: 'answer',
    later: true,
    help: 'what happens to reads in an outage',
  },
  'outage-writes': {
    group: 'Outages',
    kind: choice('buffer', 'refuse'),
    default: 'buffer',
    later: true,
    help: 'what happens to writes in an outage',
  },
  'busy-wait': {
    group: 'Outages',
    kind: duration('0', '24h'),
    default: '120s',
    later: true,
    help: 'how long -BUSY is waited out; 0 passes it on',
  },
  ambiguous: {
    group: 'Outages',
    kind: choice('repeat', 'report'),
    default: 'repeat',
    later: true,
    help: 'repeat what is safe to repeat when a connection died before the reply, or report all of it',
  },
  rules: {
    group: 'Outages',
    kind: path('file'),
    default: null,
    later: true,
    help: 'YAML file with rules per command or key prefix',
  },
  'journal-dir': {
    group: 'Journal',
    kind: path('directory'),
    default: './respool-data',
    later: true,
    help: 'where writes are kept while the upstream is away; memory keeps them until exit only',
  },
  'journal-fsync': {
    group: 'Journal',
    kind: choice('always', 'everysec', 'no'),
    default: 'always',
    later: true,
    help: 'when the journal is forced to disk',
  },
  'journal-max-bytes': {
    group: 'Journal',
    kind: size('1mb', '1tb'),
    default: '256mb',
    later: true,
    help: 'largest journal; then writes are refused',
  },
  'replay-rate': {
    group: 'Journal',
    kind: orWord(integer(1, 10_000_000), 'unlimited'),
    default: 'unlimited',
    later: true,
    help: 'journaled commands per second that are replayed at most',
  },
  'cursor-prefix': {
    group: 'Journal',
    kind: text('prefix'),
    default: 'respool:',
    later: true,
    help: 'prefix of the key in which the upstream keeps how far replay has come',
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
