/**
 * What one client's enormous value does to everybody else: small GETs at a fixed pace, while another client reads or
 * writes a value of 100 MB over and over. The question is not how slow the small ones get (three processes that copy
 * share the machine's cores), but whether a proxy holds them up longer than Redis does.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ManagedProcess } from '../../test/helpers/child-process.js';
import { connectRaw } from '../../test/helpers/raw-client.js';
import { benchmarkArguments, put, type Load } from '../load.js';
import { startField, type Target, type PeerName } from '../peers.js';
import { askEveryMillisecond, storeSmallValue, type Latencies } from '../probe.js';
import { scaled, type Goal, type Scenario, type Settings } from '../scenario.js';
import { format, table } from '../table.js';
import { Results } from '../turns.js';

/** Small GETs' latencies, and how many large values went by meanwhile. */
interface Sample extends Latencies {
  readonly largePerSecond: number;
}

const TARGETS: readonly PeerName[] = ['direct', 'HAProxy', 'twemproxy', 'respool', 'other build'];
/** What goes on beside the small GETs. */
const SUBJECTS = ['nothing else', 'one large GET', 'large GETs', 'large SETs'] as const;
type Subject = (typeof SUBJECTS)[number];

const LARGE_BYTES = 100_000_000;
const DURATION_MS = 4_000;
/** One large GET is over soon; among more small ones its effect would drown. */
const DURATION_OF_ONE_MS = 1_000;
/** A loop is measured when it has been running for a while: its beginning is the row "one large GET". */
const LEAD_MS = 1_000;
const SMALL_CLIENTS = 8;
const FOR_EVER = 1_000_000_000;

/** A large value's effect on small commands. */
export const interference: Scenario = {
  name: 'interference',
  title: 'Small commands beside a value of 100 MB',
  async run(settings) {
    const field = await startField(TARGETS, settings);
    try {
      const large = largeLoad(settings);
      await storeSmallValue(field.direct.port);
      await put(field.direct.port, { ...large, requests: 1 });
      const results = await Results.of(
        settings.rounds,
        field.targets,
        SUBJECTS,
        (target, subject) => observe(target, field.direct, subject, settings),
      );
      return {
        method:
          `Medians of ${settings.rounds} rounds. One small GET every millisecond, on ${SMALL_CLIENTS} connections; ` +
          `beside it one other client that transfers ${format(large.valueBytes)} bytes, once (the small ones are watched ` +
          `for ${DURATION_OF_ONE_MS} ms) or again and again (for ${DURATION_MS} ms, from when that has been going on for a while).`,
        table: table(
          ['', 'p50 ms', 'p99 ms', 'max ms', 'large values/s'],
          SUBJECTS.flatMap((subject) => rowsOf(results, subject)),
        ),
        goals: SUBJECTS.slice(1).map((subject) => goalOf(results, subject)),
      };
    } finally {
      await field.stop();
    }
  },
};

async function observe(
  target: Target,
  redis: Target,
  subject: Subject,
  settings: Settings,
): Promise<Sample> {
  const load = largeLoad(settings);
  const isLoop = subject === 'large GETs' || subject === 'large SETs';
  const noise = startNoise(target, subject, load);
  try {
    if (isLoop) await pause(scaled(settings, LEAD_MS));
    const before = await bytesMoved(redis);
    const startedAt = performance.now();
    const durationMs = scaled(settings, isLoop ? DURATION_MS : DURATION_OF_ONE_MS, 50);
    const latencies = await askEveryMillisecond(target.port, SMALL_CLIENTS, durationMs);
    const seconds = (performance.now() - startedAt) / 1000;
    const values = ((await bytesMoved(redis)) - before) / load.valueBytes;
    return { ...latencies, largePerSecond: values / seconds };
  } finally {
    await noise?.stop('SIGKILL');
  }
}

/** The client with the large value, in a process of its own; null for silence. */
function startNoise(target: Target, subject: Subject, load: Load): ManagedProcess | null {
  if (subject === 'nothing else') return null;
  const command = subject === 'large SETs' ? 'set' : 'get';
  const requests = subject === 'one large GET' ? 1 : FOR_EVER;
  const args = benchmarkArguments(target.port, { ...load, command, requests });
  return new ManagedProcess({ file: 'redis-benchmark', args: [...args, '-q'], cwd: '/' });
}

function largeLoad(settings: Settings): Load {
  const valueBytes = scaled(settings, LARGE_BYTES);
  return { command: 'set', clients: 1, pipeline: 1, requests: 1, valueBytes, keys: 1 };
}

/** All bytes that Redis has read and written so far. */
async function bytesMoved(redis: Target): Promise<number> {
  const client = await connectRaw(redis.port);
  const info = await client.ask('INFO', 'stats');
  await client.close();
  const counted = info.matchAll(/^total_net_(?:in|out)put_bytes:(\d+)/gm);
  return [...counted].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

function rowsOf(results: Results<Sample>, subject: string): string[][] {
  return TARGETS.filter((target) => results.has(target, subject)).map((target) => {
    const cell = (key: keyof Sample, unit: number): string =>
      format(results.median(target, subject, (sample) => sample[key]) / unit, unit === 1 ? 1 : 2);
    const times = [cell('p50Micros', 1000), cell('p99Micros', 1000), cell('maxMicros', 1000)];
    return [`${subject}, ${target}`, ...times, cell('largePerSecond', 1)];
  });
}

function goalOf(results: Results<Sample>, subject: string): Goal {
  return {
    what: `100 MB, ${subject}: p99 of small GETs over Redis' own`,
    bound: 'at most',
    wanted: 1,
    measured: results.medianOfRounds(
      ['respool', 'direct'],
      subject,
      (ours, direct) => ours.p99Micros / direct.p99Micros,
    ),
  };
}
