/**
 * The exposition that Prometheus scrapes: the sidecar's own metrics from `table.ts`, and prom-client's of the process.
 * The hot path counts in plain arrays, so nothing here is told about a command; samples are read at scrape time. Only
 * importer of prom-client.
 */
import { collectDefaultMetrics, Registry, type Metric } from 'prom-client';
import type { MetricDefinition, MetricsSource } from './metric.js';
import { METRICS } from './table.js';

/** The metrics in Prometheus' text format. */
export interface Metrics {
  readonly contentType: string;
  /** The whole text, as of now. */
  exposition(): Promise<string>;
}

export function createMetrics(source: MetricsSource): Metrics {
  const registry = new Registry();
  for (const definition of METRICS) registry.registerMetric(readAtScrape(definition, source));
  collectDefaultMetrics({ register: registry });
  return { contentType: registry.contentType, exposition: () => registry.metrics() };
}

/**
 * A metric that holds nothing and is read when scraped. prom-client's own classes keep a second copy of every value,
 * and its Histogram cannot be given counted buckets at all. Its registry asks a metric for `name` and `get()` only
 * (`lib/registry.js`), although its types want one of its classes: hence the cast.
 */
function readAtScrape({ name, type, help, read }: MetricDefinition, source: MetricsSource): Metric {
  const get = () => {
    const values = read(source).map(({ suffix, labels, value }) => ({
      metricName: `${name}${suffix}`,
      labels,
      value,
    }));
    return Promise.resolve({ name, help, type, values, aggregator: 'sum' });
  };
  return { name, get } as unknown as Metric;
}
