/**
 * deploy/prometheus and deploy/grafana as files: promtool accepts and tests the rules, every alert has its runbook and a
 * test, and every metric that is asked for exists. deploy-monitoring.test.ts runs them.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';
import { METRICS } from '../../src/metrics/table.js';
import { run } from '../helpers/child-process.js';
import { dashboardPanels, dashboardQueries } from '../helpers/dashboard.js';
import { projectRoot, readProjectFile } from '../helpers/project.js';

const DIRECTORY = join(projectRoot, 'deploy/prometheus');

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

function rulesOf(file: string): Rule[] {
  const { groups } = parse(readProjectFile(`deploy/prometheus/${file}`)) as {
    groups: { rules: Rule[] }[];
  };
  return groups.flatMap(({ rules }) => rules);
}

const recordings = rulesOf('rules.yml');
const alerts = rulesOf('alerts.yml');

test('promtool finds nothing wrong with configuration and rules', async () => {
  const { code, stdout, stderr } = await run('promtool', ['check', 'config', 'prometheus.yml'], {
    cwd: DIRECTORY,
  });
  assert.equal(code, 0, stdout + stderr);
});

test('each alert is quiet, fires and is quiet again when it should', async () => {
  const { code, stdout, stderr } = await run('promtool', ['test', 'rules', 'alerts.test.yml'], {
    cwd: DIRECTORY,
  });
  assert.equal(code, 0, stdout + stderr);
  const tests = readProjectFile('deploy/prometheus/alerts.test.yml');
  for (const { alert = '' } of alerts) {
    const times = tests.split(`expr: ALERTS{alertname="${alert}"`).length - 1;
    assert.ok(times >= 3, `${alert} is tested before, during and after`);
  }
});

test('each alert says how bad it is, and has its section in docs/operations.md, and no section lacks its alert', () => {
  const sections = [...readProjectFile('docs/operations.md').matchAll(/^### (Respool\w+)$/gm)];
  assert.deepEqual(
    sections.map(([, name]) => name),
    alerts.map(({ alert }) => alert),
  );
  for (const { alert = '', labels = {}, annotations = {} } of alerts) {
    assert.match(labels.severity ?? '', /^(critical|warning|info)$/, alert);
    assert.equal(annotations.runbook, `docs/operations.md#${alert.toLowerCase()}`);
    assert.ok(annotations.summary?.includes('{{ $labels.instance }}'), alert);
    assert.ok(annotations.description, alert);
  }
});

test('every metric that rules and dashboard ask for exists, and every recorded one is asked for', () => {
  const known = new Set([...recordings.map(({ record }) => record), ...exposedNames()]);
  const expressions = [
    ...recordings.map(({ expr }) => expr),
    ...alerts.map(({ expr }) => expr),
    ...dashboardQueries().map(({ expression }) => expression),
  ];
  const asked = new Set(expressions.flatMap((text) => text.match(NAME) ?? []));
  assert.deepEqual(
    [...asked].filter((name) => !known.has(name)),
    [],
  );
  assert.ok(asked.size > 30, 'the names are found');
  for (const { record = '' } of recordings) assert.ok(asked.has(record), record);
});

test('the panels of the dashboard say what they show, stand beside each other and fill their rows', () => {
  const panels = dashboardPanels();
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const widths = new Map<number, number>();
  for (const { type, title, description, gridPos, targets = [] } of panels) {
    assert.equal(
      gridPos.x,
      widths.get(gridPos.y) ?? 0,
      `${title} begins where the one before it ends`,
    );
    widths.set(gridPos.y, gridPos.x + gridPos.w);
    if (type === 'row') continue;
    assert.ok(description, title);
    assert.ok(targets.length > 0, title);
  }
  assert.deepEqual(new Set(widths.values()), new Set([24]));
});

/** Names of metrics in an expression; what stands in quotes or before an equals sign is a label. */
const NAME = /\b(?:respool|process|nodejs)[_:][\w:]+\b/g;

/** The sidecar's own, with the suffixes of histograms, and those of the process. */
function exposedNames(): string[] {
  const own = METRICS.flatMap(({ name, type }) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
  );
  const register = new Registry();
  collectDefaultMetrics({ register });
  return [...own, ...register.getMetricsAsArray().map(({ name }) => name)];
}
