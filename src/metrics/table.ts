/**
 * The one table of the sidecar's own metrics: name, type, labels, meaning, and how to read the samples from what the
 * hot path counted. The exposition and docs/metrics.md are both made from it. Knows neither prom-client nor HTTP.
 */
import { COMMAND_NAMES } from '../command/table.js';
import { DURATION_BOUNDS_SECONDS, ROUTES, type Histogram } from '../proxy/observer.js';
import {
  count,
  level,
  sample,
  type Gauges,
  type Labels,
  type MetricDefinition,
  type Sample,
} from './metric.js';
import { OUTAGE_METRICS } from './outage-metrics.js';

export const METRICS: readonly MetricDefinition[] = [
  {
    name: 'respool_build_info',
    type: 'gauge',
    labels: { version: 'the version' },
    help: 'Always 1; the label says which version runs.',
    read: ({ version }) => [sample(1, { version })],
  },
  {
    name: 'respool_commands_total',
    type: 'counter',
    labels: {
      command: 'a command of the command table in lower case, else `other`',
      route: ROUTES.map((route) => `\`${route}\``).join(', '),
    },
    help: 'Commands by name and by where they were sent. A series appears with its first command.',
    read: ({ observer }) => readCommands(observer.commands),
  },
  {
    name: 'respool_command_duration_seconds',
    type: 'histogram',
    labels: { route: '`shared`, `pinned`' },
    help: 'Time from sending a command upstream to having its whole reply, by where it was sent.',
    read: ({ observer }) =>
      Object.entries(observer.duration).flatMap(([route, histogram]) =>
        readHistogram(histogram, { route }),
      ),
  },
  {
    name: 'respool_upstream_duration_seconds',
    type: 'histogram',
    labels: {},
    help: 'Time from sending a command upstream to having its whole reply.',
    read: ({ observer }) => readHistogram(observer.upstreamDuration, {}),
  },
  level('respool_upstream_up', '1 while the upstream answers, else 0.', (gauges) =>
    Number(gauges.upstreamUp),
  ),
  {
    name: 'respool_upstream_failures_total',
    type: 'counter',
    labels: { reason: 'one of a fixed, small set of words' },
    help: 'Failures of the upstream. A series appears with its first failure.',
    read: ({ observer }) =>
      Array.from(observer.upstreamFailures, ([reason, value]) => sample(value, { reason })),
  },
  {
    name: 'respool_upstream_connections',
    type: 'gauge',
    labels: {
      kind: '`shared`, `pinned` (belongs to a client), `idle` (clean, waits to be pinned)',
    },
    help: 'Upstream connections.',
    read: ({ gauges }) => readConnections(gauges()),
  },
  level(
    'respool_upstream_pinned_connections_limit',
    'Most upstream connections that may belong to clients (option max-pinned).',
    (gauges) => gauges.pinnedConnectionsLimit,
  ),
  level(
    'respool_upstream_in_flight_commands',
    'Commands sent upstream whose reply has not come.',
    (gauges) => gauges.inFlightCommands,
  ),
  level(
    'respool_upstream_waiting_commands',
    'Commands that wait for an upstream connection to be made.',
    (gauges) => gauges.waitingCommands,
  ),
  level(
    'respool_upstream_pending_bytes',
    'Bytes of requests that the upstream has not taken yet.',
    (gauges) => gauges.upstreamPendingBytes,
  ),
  {
    name: 'respool_upstream_bytes_total',
    type: 'counter',
    labels: { direction: '`in` (from the upstream), `out` (to it)' },
    help: 'Bytes on upstream connections.',
    read: ({ observer }) => inAndOut(observer.upstreamBytesIn, observer.upstreamBytesOut),
  },
  level(
    'respool_downstream_connections',
    'Clients connected.',
    (gauges) => gauges.downstreamConnections,
  ),
  level(
    'respool_downstream_connections_limit',
    'Most clients that may be connected (option max-clients).',
    (gauges) => gauges.downstreamConnectionsLimit,
  ),
  count(
    'respool_downstream_connections_accepted_total',
    'Client connections accepted.',
    (observer) => observer.connectionsAccepted,
  ),
  count(
    'respool_downstream_connections_refused_total',
    'Client connections refused because max-clients were connected.',
    (observer) => observer.connectionsRefused,
  ),
  count(
    'respool_downstream_closed_for_output_total',
    'Clients closed because they left more than client-output-limit unread.',
    (observer) => observer.clientsClosedForOutput,
  ),
  level(
    'respool_downstream_pending_bytes',
    'Bytes of replies that clients have not read yet.',
    (gauges) => gauges.downstreamPendingBytes,
  ),
  {
    name: 'respool_downstream_bytes_total',
    type: 'counter',
    labels: { direction: '`in` (from clients), `out` (to them)' },
    help: 'Bytes on client connections.',
    read: ({ observer }) => inAndOut(observer.downstreamBytesIn, observer.downstreamBytesOut),
  },
  count(
    'respool_protocol_errors_total',
    'Clients closed because what they sent is not RESP.',
    (observer) => observer.protocolErrors,
  ),
  ...OUTAGE_METRICS,
];

/** Only what was counted at least once: all commands times all routes would be over a thousand series. */
function readCommands(counts: Float64Array): Sample[] {
  const samples: Sample[] = [];
  counts.forEach((value, index) => {
    if (value === 0) return;
    const command = COMMAND_NAMES[Math.floor(index / ROUTES.length)]!;
    const route = ROUTES[index % ROUTES.length]!;
    samples.push(sample(value, { command, route }));
  });
  return samples;
}

/** The hot path counts each bucket by itself; Prometheus wants each to include the ones below. */
function readHistogram(histogram: Histogram, labels: Labels): Sample[] {
  const samples: Sample[] = [];
  let total = 0;
  histogram.buckets.forEach((value, index) => {
    total += value;
    const le = DURATION_BOUNDS_SECONDS[index] ?? '+Inf';
    samples.push({ suffix: '_bucket', labels: { ...labels, le }, value: total });
  });
  samples.push({ suffix: '_sum', labels, value: histogram.sumSeconds });
  samples.push({ suffix: '_count', labels, value: total });
  return samples;
}

function readConnections(gauges: Gauges): Sample[] {
  return [
    sample(gauges.sharedConnections, { kind: 'shared' }),
    sample(gauges.pinnedConnections, { kind: 'pinned' }),
    sample(gauges.idleConnections, { kind: 'idle' }),
  ];
}

function inAndOut(bytesIn: number, bytesOut: number): Sample[] {
  return [sample(bytesIn, { direction: 'in' }), sample(bytesOut, { direction: 'out' })];
}
