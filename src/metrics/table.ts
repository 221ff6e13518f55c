/**
 * The one table of the sidecar's own metrics: name, type, labels, meaning, and how to read the samples from what the
 * hot path counted. The exposition and docs/metrics.md are both made from it. Knows neither prom-client nor HTTP.
 */
import { COMMAND_NAMES } from '../command/table.js';
import { ROUTES } from '../proxy/observer.js';
import { FAILURE_REASONS } from '../upstream/failure.js';
import {
  count,
  level,
  readHistogram,
  sample,
  tally,
  type Gauges,
  type MetricDefinition,
  type Sample,
} from './metric.js';
import { OUTAGE_METRICS } from './outage-metrics.js';
import { SCRIPT_METRICS } from './script-metrics.js';

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
  tally(
    'respool_upstream_failures_total',
    'reason',
    FAILURE_REASONS,
    'Failures of the upstream: of connections and of probes.',
    ({ upstreamFailures }) =>
      FAILURE_REASONS.map((reason) => [reason, upstreamFailures.get(reason) ?? 0]),
  ),
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
  count(
    'respool_downstream_slowed_down_total',
    'How often a client had to wait because it sent more commands than client-rate allows.',
    (observer) => observer.clientsSlowedDown,
  ),
  count(
    'respool_downstream_handshakes_failed_total',
    'Connections to a listener with TLS that came to nothing: not TLS, no certificate, or no handshake in time.',
    (observer) => observer.handshakesFailed,
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
  count(
    'respool_slow_commands_total',
    'Commands that took as long as slow-log says; 0 while that is off.',
    (observer) => observer.slowCommands,
  ),
  {
    name: 'respool_spans_total',
    type: 'counter',
    labels: { outcome: '`exported`, `dropped` (the collector did not take them in time)' },
    help: 'Spans of commands (option trace-endpoint).',
    read: ({ observer }) => [
      sample(observer.spansExported, { outcome: 'exported' }),
      sample(observer.spansDropped, { outcome: 'dropped' }),
    ],
  },
  ...OUTAGE_METRICS,
  ...SCRIPT_METRICS,
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
