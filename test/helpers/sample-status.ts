/** Statuses as a sidecar shows them, for the tests of what is made of them. */
import { NEVER_AWAY, NOT_BUSY, type SidecarStatus } from '../../src/proxy/status.js';

/** In an outage: every field has a value that says something. */
export const STATUS_IN_OUTAGE: SidecarStatus = {
  version: '1.2.3',
  uptimeSeconds: 7265.4,
  condition: 'outage',
  conditionSinceSeconds: 61.5,
  conditions: [
    { to: 'healthy', time: '2026-11-21T08:00:00.000Z', cause: null, seconds: 3600 },
    {
      to: 'outage',
      time: '2026-11-21T09:00:00.000Z',
      cause: 'connect ECONNREFUSED 127.0.0.1:6379',
      seconds: null,
    },
  ],
  upstream: { url: 'redis://:***@h:6379', connected: false, lanes: 0 },
  breaker: {
    state: 'open',
    consecutiveFailures: 5,
    openedSecondsAgo: 61.5,
    forced: null,
    nextProbeInSeconds: 2.3,
    lastCause: 'connect ECONNREFUSED 127.0.0.1:6379',
  },
  journal: {
    records: 1200,
    bytes: 3_565_158,
    oldestSeconds: 60.2,
    deadLetters: 1,
    durable: true,
    refuses: null,
    maxBytes: 268_435_456,
  },
  replay: {
    active: false,
    paused: false,
    replayed: 34,
    remaining: 1200,
    done: 0,
    perSecond: 0,
    secondsToGo: null,
  },
  busy: NOT_BUSY,
  commands: { total: 123_456, perSecond: 1234 },
  transitions: [
    {
      to: 'open',
      time: '2026-11-21T09:00:00.000Z',
      cause: 'connect ECONNREFUSED 127.0.0.1:6379',
      failedProbes: 7,
    },
  ],
  clients: { connected: 12, pinned: 1 },
};

/** All is well, and always was. */
export const STATUS_HEALTHY: SidecarStatus = {
  ...STATUS_IN_OUTAGE,
  condition: 'healthy',
  conditionSinceSeconds: 7265,
  conditions: [{ to: 'healthy', time: '2026-11-21T08:00:00.000Z', cause: null, seconds: null }],
  upstream: { url: 'redis://:***@h:6379', connected: true, lanes: 2 },
  breaker: {
    state: 'closed',
    consecutiveFailures: 0,
    openedSecondsAgo: null,
    forced: null,
    nextProbeInSeconds: null,
    lastCause: null,
  },
  journal: {
    records: 0,
    bytes: 0,
    oldestSeconds: null,
    deadLetters: 0,
    durable: true,
    refuses: null,
    maxBytes: 268_435_456,
  },
  replay: NEVER_AWAY.replay,
  transitions: [],
};
