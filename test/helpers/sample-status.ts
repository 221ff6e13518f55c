/** Statuses as a sidecar shows them, for the tests of what is made of them. */
import type { SidecarStatus } from '../../src/proxy/status.js';

/** In an outage: every field has a value that says something. */
export const STATUS_IN_OUTAGE: SidecarStatus = {
  version: '1.2.3',
  uptimeSeconds: 7265.4,
  condition: 'outage',
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
    maxBytes: 268_435_456,
  },
  replay: { active: false, paused: false, replayed: 34, remaining: 1200 },
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
    maxBytes: 268_435_456,
  },
  replay: { active: false, paused: false, replayed: 0, remaining: 0 },
  transitions: [],
};
