import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMAND_NAMES } from '../../src/command/table.js';
import { createMetrics } from '../../src/metrics/metrics.js';
import { NEVER_AWAY_GAUGES, type Gauges } from '../../src/metrics/metric.js';
import { METRICS } from '../../src/metrics/table.js';
import { Observer, ROUTES } from '../../src/proxy/observer.js';

const GAUGES: Gauges = {
  condition: 'replaying',
  upstreamUp: true,
  downstreamConnections: 3,
  downstreamConnectionsLimit: 100,
  downstreamPendingBytes: 4,
  sharedConnections: 2,
  pinnedConnections: 5,
  idleConnections: 6,
  pinnedConnectionsLimit: 200,
  upstreamPendingBytes: 7,
  inFlightCommands: 8,
  waitingCommands: 9,
  outage: NEVER_AWAY_GAUGES,
  scripts: { count: 30, bytes: 31 },
  isBusy: false,
};

/** The sidecar's own lines of the exposition. */
async function scrape(observer: Observer, gauges = GAUGES): Promise<string[]> {
  const metrics = createMetrics({ version: '1.2.3', observer, gauges: () => gauges });
  const text = await metrics.exposition();
  return text.split('\n').filter((line) => line.startsWith('respool_'));
}

/** Counts `count` commands called `name` that were sent on `route`. */
function countCommands(
  observer: Observer,
  name: string,
  route: (typeof ROUTES)[number],
  count: number,
): void {
  const id = COMMAND_NAMES.indexOf(name);
  assert.ok(id >= 0, name);
  observer.commands[id * ROUTES.length + ROUTES.indexOf(route)]! += count;
}

test('commands have a series for each name and route that occurred, and no other', async () => {
  const observer = new Observer();
  countCommands(observer, 'get', 'shared', 5);
  countCommands(observer, 'get', 'pinned', 1);
  countCommands(observer, 'other', 'refused', 2);
  const lines = await scrape(observer);
  assert.deepEqual(lines.filter((line) => line.startsWith('respool_commands_total')).sort(), [
    'respool_commands_total{command="get",route="pinned"} 1',
    'respool_commands_total{command="get",route="shared"} 5',
    'respool_commands_total{command="other",route="refused"} 2',
  ]);
});

test('histograms are cumulative and end with all that was counted', async () => {
  const observer = new Observer();
  observer.duration.shared.record(0.05, 1);
  observer.duration.shared.record(0.2, 2);
  observer.duration.shared.record(60_000, 1);
  const lines = (await scrape(observer)).filter(
    (line) => line.startsWith('respool_command_duration_seconds') && line.includes('shared'),
  );
  const value = (start: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(start))
        ?.split(' ')
        .at(-1),
    );
  const bucket = (le: string): number =>
    value(`respool_command_duration_seconds_bucket{route="shared",le="${le}"}`);
  assert.deepEqual(
    [bucket('0.0001'), bucket('0.00025'), bucket('10'), bucket('+Inf')],
    [1, 3, 3, 4],
  );
  assert.equal(value('respool_command_duration_seconds_count'), 4);
  assert.ok(Math.abs(value('respool_command_duration_seconds_sum') - 60.00045) < 1e-9);
});

test('gauges and counters are read when scraped', async () => {
  const observer = new Observer();
  observer.upstreamFailed('refused');
  observer.protocolErrors = 10;
  observer.downstreamBytesOut = 11;
  const lines = await scrape(observer);
  for (const expected of [
    'respool_build_info{version="1.2.3"} 1',
    'respool_upstream_up 1',
    'respool_condition{condition="healthy"} 0',
    'respool_condition{condition="replaying"} 1',
    'respool_upstream_failures_total{reason="refused"} 1',
    'respool_upstream_connections{kind="shared"} 2',
    'respool_upstream_connections{kind="pinned"} 5',
    'respool_upstream_connections{kind="idle"} 6',
    'respool_downstream_connections 3',
    'respool_upstream_waiting_commands 9',
    'respool_protocol_errors_total 10',
    'respool_downstream_bytes_total{direction="in"} 0',
    'respool_downstream_bytes_total{direction="out"} 11',
  ]) {
    assert.ok(lines.includes(expected), expected);
  }
  const away = await scrape(observer, { ...GAUGES, upstreamUp: false });
  assert.ok(away.includes('respool_upstream_up 0'));
});

test('an outage is told: the breaker, the journal, its replay, and what clients were answered', async () => {
  const observer = new Observer();
  observer.breakerMoved('open');
  observer.breakerMoved('half-open');
  observer.breakerMoved('open');
  observer.journalRefused('disk-full');
  observer.deadLetter('WRONGTYPE');
  observer.unknownOutcomes = 10;
  observer.repeatedCommands = 11;
  observer.blockedResent = 12;
  observer.heldCommands = 13;
  countCommands(observer, 'get', 'outage', 14);
  const outage = {
    breakerState: 'open',
    journalRecords: 20,
    journalBytes: 21,
    journalUsedBytes: 22,
    journalLimitBytes: 23,
    journalOldestSeconds: 24.5,
    journalRecoveredRecords: 24,
    journalAppendedTotal: 25,
    replayedTotal: 26,
    renamedEntriesTotal: 27,
    deadLetters: 28,
  } as const;
  const lines = await scrape(observer, { ...GAUGES, outage });
  for (const expected of [
    'breaker_state{state="closed"} 0',
    'breaker_state{state="open"} 1',
    'breaker_state{state="half-open"} 0',
    'breaker_transitions_total{to="open"} 2',
    'breaker_transitions_total{to="half-open"} 1',
    'breaker_transitions_total{to="closed"} 0',
    'journal_records 20',
    'journal_bytes 21',
    'journal_used_bytes 22',
    'journal_limit_bytes 23',
    'journal_oldest_seconds 24.5',
    'journal_recovered_records 24',
    'journal_appended_total 25',
    'journal_refused_total{reason="disk-full"} 1',
    'journal_refused_total{reason="full"} 0',
    'replayed_total 26',
    'replay_renamed_entries_total 27',
    'dead_letters 28',
    'dead_letters_total{reason="WRONGTYPE"} 1',
    'outage_answers_total{class="read"} 14',
    'outage_answers_total{class="buffer"} 0',
    'unknown_outcomes_total 10',
    'repeated_total 11',
    'blocked_resent_total 12',
    'held_commands 13',
  ]) {
    assert.ok(lines.includes(`respool_${expected}`), expected);
  }
});

test('scripts are told: what is known of them, what was done for them, and what waited for one', async () => {
  const observer = new Observer();
  observer.scriptRewrites = 40;
  observer.scriptHeals = 41;
  observer.busyWaits = 42;
  observer.busyEpisodes.record(20_000, 1);
  observer.busyEpisodes.record(130_000, 1);
  const lines = await scrape(observer, { ...GAUGES, isBusy: true });
  for (const expected of [
    'script_rewrites_total 40',
    'script_heals_total 41',
    'scripts_known 30',
    'scripts_known_bytes 31',
    'busy 1',
    'busy_waits_total 42',
    'busy_wait_seconds_bucket{le="10"} 0',
    'busy_wait_seconds_bucket{le="20"} 1',
    'busy_wait_seconds_bucket{le="120"} 1',
    'busy_wait_seconds_bucket{le="+Inf"} 2',
    'busy_wait_seconds_sum 150',
    'busy_wait_seconds_count 2',
  ]) {
    assert.ok(lines.includes(`respool_${expected}`), expected);
  }
  assert.ok((await scrape(observer)).includes('respool_busy 0'));
});

test('the exposition describes every metric of the table, and the process', async () => {
  const source = { version: '1', observer: new Observer(), gauges: () => GAUGES };
  const metrics = createMetrics(source);
  const text = await metrics.exposition();
  for (const { name, type, help } of METRICS) {
    assert.ok(text.includes(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`), name);
  }
  assert.match(text, /^process_cpu_seconds_total \d/m);
  assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/);
});

test('names and labels follow the conventions of Prometheus', () => {
  const names = METRICS.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, type } of METRICS) {
    assert.match(name, /^respool_[a-z_]+$/);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    if (type === 'histogram') assert.match(name, /_seconds$/);
  }
});
