/**
 * How much goes through: small commands one by one and pipelined, and large values, side by side with the peers.
 */
import { comparison, over, type Comparison, type NamedLoad } from '../comparison.js';
import type { Load } from '../load.js';
import { startField, type PeerName } from '../peers.js';

const PEERS = ['twemproxy', 'HAProxy'] as const;
const TARGETS: readonly PeerName[] = ['direct', ...PEERS, 'respool', 'other build'];

/** One command at a time per client: the time goes into system calls. */
export const oneByOne = comparison({
  name: 'p1',
  title: 'One command at a time: P=1, c=50, 64 bytes',
  start: peers(TARGETS),
  loads: setAndGet('', { clients: 50, pipeline: 1, requests: 100_000, ...smallValues() }),
  goals: (results, label) => [
    {
      what: `P=1 ${label}: throughput over the better peer's`,
      bound: 'at least',
      wanted: 1,
      measured: Math.min(
        ...PEERS.map((peer) => over(results, ['respool', peer], label, 'perSecond')),
      ),
    },
    {
      what: `P=1 ${label}: CPU per command over twemproxy's`,
      bound: 'at most',
      wanted: 1.2,
      measured: over(results, ['respool', 'twemproxy'], label, 'cpuMicros'),
    },
  ],
});

/** Sixteen commands in flight per client: the time goes into looking at bytes. */
export const pipelined = comparison({
  name: 'p16',
  title: 'Pipelined: P=16, c=50, 64 bytes',
  start: peers(TARGETS),
  loads: setAndGet('', { clients: 50, pipeline: 16, requests: 500_000, ...smallValues() }),
  goals: (results, label) => [
    {
      what: `P=16 ${label}: throughput over twemproxy's`,
      bound: 'at least',
      wanted: 1.5,
      measured: over(results, ['respool', 'twemproxy'], label, 'perSecond'),
    },
    {
      what: `P=16 ${label}: throughput over HAProxy's`,
      bound: 'at least',
      wanted: 1,
      measured: over(results, ['respool', 'HAProxy'], label, 'perSecond'),
    },
  ],
});

/** Values of one megabyte: the time goes into copying. */
export const largeValues = comparison({
  name: '1mb',
  title: 'Large values: 1 MB, P=1, c=8',
  start: peers(TARGETS),
  loads: setAndGet('', {
    clients: 8,
    pipeline: 1,
    requests: 2_000,
    valueBytes: 1_000_000,
    keys: 20,
  }),
  goals: (results, label) => [
    {
      what: `1 MB ${label}: throughput over HAProxy's`,
      bound: 'at least',
      wanted: 0.9,
      measured: over(results, ['respool', 'HAProxy'], label, 'perSecond'),
    },
  ],
});

/** The embedded engine behind its lane, against a redis-server without anything in front of it. */
export const embedded = comparison({
  name: 'embedded',
  title: 'The embedded engine: P=1 and P=16, c=50, 64 bytes',
  start: peers(['direct', 'embedded']),
  loads: [
    ...setAndGet('P=1 ', { clients: 50, pipeline: 1, requests: 100_000, ...smallValues() }),
    ...setAndGet('P=16 ', { clients: 50, pipeline: 16, requests: 500_000, ...smallValues() }),
  ],
  goals: (results, label) => [
    {
      what: `embedded ${label}: throughput over redis-server's`,
      bound: 'at least',
      wanted: label.startsWith('P=1 ') ? 0.55 : 0.3,
      measured: over(results, ['embedded', 'direct'], label, 'perSecond'),
    },
  ],
});

/** The hot path of two builds with the breaker closed; the goals allow for what two runs of one build differ by. */
export const idle = comparison({
  name: 'idle',
  title: 'What it costs while all is well: this build and the other one, c=50, 64 bytes',
  needsOtherBuild: true,
  start: peers(['direct', 'respool', 'other build']),
  loads: [
    ...setAndGet('P=1 ', { clients: 50, pipeline: 1, requests: 200_000, ...smallValues() }),
    ...setAndGet('P=16 ', { clients: 50, pipeline: 16, requests: 1_000_000, ...smallValues() }),
  ],
  goals: (results, label) => [
    {
      what: `idle ${label}: throughput over the other build's`,
      bound: 'at least',
      wanted: 0.97,
      measured: over(results, ['respool', 'other build'], label, 'perSecond'),
    },
    {
      what: `idle ${label}: CPU per command over the other build's`,
      bound: 'at most',
      wanted: 1.03,
      measured: over(results, ['respool', 'other build'], label, 'cpuMicros'),
    },
  ],
});

function peers(names: readonly PeerName[]): Comparison['start'] {
  return (settings) => startField(names, settings);
}

function setAndGet(prefix: string, load: Omit<Load, 'command'>): NamedLoad[] {
  return [
    { label: `${prefix}SET`, command: 'set', ...load },
    { label: `${prefix}GET`, command: 'get', ...load },
  ];
}

function smallValues(): Pick<Load, 'valueBytes' | 'keys'> {
  return { valueBytes: 64, keys: 10_000 };
}
