/**
 * docs/metrics.md, made from the table of metrics, so that it names what is exposed and nothing else. `npm run docs`
 * writes the file; a test compares it.
 */
import { markdownTable } from '../base/markdown-table.js';
import { BUSY_BOUNDS_SECONDS, DURATION_BOUNDS_SECONDS } from '../proxy/observer.js';
import type { MetricDefinition } from './metric.js';
import { METRICS } from './table.js';

const INTRODUCTION = `# Metrics

<!-- Generated from src/metrics/table.ts by \`npm run docs\`. -->

\`GET /metrics\` on the admin address (option \`admin\`), in Prometheus' text format. Counters start at zero with the
process. Labels are bounded: names of commands come from the command table, all others are counted as \`other\`.
`;

const NOTES = `
Buckets of the durations, in seconds: ${DURATION_BOUNDS_SECONDS.join(', ')}, +Inf;
of \`respool_busy_wait_seconds\`: ${BUSY_BOUNDS_SECONDS.join(', ')}, +Inf.

The process itself is described by prom-client's default metrics (\`process_cpu_seconds_total\`,
\`process_resident_memory_bytes\`, \`process_open_fds\`, \`nodejs_eventloop_lag_seconds\`, \`nodejs_gc_duration_seconds\` …),
without the prefix, so that dashboards for Node processes work.
`;

/** The whole text of docs/metrics.md. */
export function renderMetricsDoc(): string {
  const table = markdownTable(['metric', 'type', 'labels', 'meaning'], METRICS.map(rowOf));
  return [INTRODUCTION, table, NOTES].join('\n').replace(/\n{3,}/g, '\n\n');
}

function rowOf({ name, type, labels, help }: MetricDefinition): string[] {
  const cells = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`);
  return [`\`${name}\``, type, cells.join('; ') || '–', help];
}
