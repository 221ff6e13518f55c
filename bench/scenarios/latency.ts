/**
 * What a hop costs a lonely client: the latency that each proxy adds to that of Redis itself.
 */
import { startField, type PeerName } from '../peers.js';
import { askInTurn, storeSmallValue, type Latencies } from '../probe.js';
import { scaled, type Goal, type Scenario } from '../scenario.js';
import { format, table } from '../table.js';
import { Results } from '../turns.js';

const TARGETS: readonly PeerName[] = ['direct', 'twemproxy', 'HAProxy', 'respool', 'other build'];
const ROUND_TRIPS = 10_000;

/** One client, one command at a time. */
export const latency: Scenario = {
  name: 'latency',
  title: 'A single client: P=1, c=1, 64 bytes',
  async run(settings) {
    const field = await startField(TARGETS, settings);
    try {
      await storeSmallValue(field.direct.port);
      const count = scaled(settings, ROUND_TRIPS, 20);
      for (const target of field.targets) await askInTurn(target.port, count);
      const results = await Results.of(settings.rounds, field.targets, ['GET'], (target) =>
        askInTurn(target.port, count),
      );
      return {
        method: `Medians of ${settings.rounds} rounds of ${format(count)} GETs each, by one client written for Node.js; all were warmed up before.`,
        table: table(['', 'p50 µs', 'p99 µs', 'p50 added µs'], rowsOf(results)),
        goals: [goalOf(results)],
      };
    } finally {
      await field.stop();
    }
  },
};

function rowsOf(results: Results<Latencies>): string[][] {
  return TARGETS.filter((target) => results.has(target, 'GET')).map((target) => [
    `GET ${target}`,
    format(
      results.median(target, 'GET', (sample) => sample.p50Micros),
      1,
    ),
    format(
      results.median(target, 'GET', (sample) => sample.p99Micros),
      1,
    ),
    target === 'direct' ? '' : format(results.medianOfRounds([target, 'direct'], 'GET', added), 1),
  ]);
}

function goalOf(results: Results<Latencies>): Goal {
  return {
    what: "c=1 GET: added p50 over twemproxy's",
    bound: 'at most',
    wanted: 1.3,
    measured: results.medianOfRounds(
      ['respool', 'twemproxy', 'direct'],
      'GET',
      (ours, theirs, direct) => added(ours, direct) / added(theirs, direct),
    ),
  };
}

function added(proxied: Latencies, direct: Latencies): number {
  return proxied.p50Micros - direct.p50Micros;
}
