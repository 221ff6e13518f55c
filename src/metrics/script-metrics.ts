/** The metrics of scripts: what was done so that they are found, and what was waited for while one ran. Part of `table.ts`. */
import { count, level, readHistogram, type MetricDefinition } from './metric.js';

export const SCRIPT_METRICS: readonly MetricDefinition[] = [
  count(
    'respool_script_rewrites_total',
    'EVALSHA that was sent as EVAL with its source, so that it could not meet NOSCRIPT.',
    (observer) => observer.scriptRewrites,
  ),
  count(
    'respool_script_heals_total',
    'EVALSHA that met NOSCRIPT and was said again with its source.',
    (observer) => observer.scriptHeals,
  ),
  level('respool_scripts_known', 'Scripts whose source is known.', ({ scripts }) => scripts.count),
  level(
    'respool_scripts_known_bytes',
    'Memory for these sources; those of scripts-dir are not bounded by scripts-max-bytes.',
    ({ scripts }) => scripts.bytes,
  ),
  level('respool_busy', '1 while a script keeps the upstream from serving, else 0.', (gauges) =>
    Number(gauges.isBusy),
  ),
  count(
    'respool_busy_waits_total',
    'Commands that waited because the upstream was busy with a script.',
    (observer) => observer.busyWaits,
  ),
  {
    name: 'respool_busy_wait_seconds',
    type: 'histogram',
    labels: {},
    help: 'How long the upstream was busy with a script; one observation per episode.',
    read: ({ observer }) => readHistogram(observer.busyEpisodes, {}),
  },
];
