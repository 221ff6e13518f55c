/**
 * How long the two switches take: from the death of Redis to the first write that the journal has taken, and from its
 * return to the moment when all is well. One client writes all the time, so it is also what one client notices.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../test/helpers/eventually.js';
import type { OutageRedis } from '../../test/helpers/outage-redis.js';
import type { OutageSidecar, OutageStatus } from '../../test/helpers/outage-sidecar.js';
import { connectRaw } from '../../test/helpers/raw-client.js';
import { HOLD_MS, onStage } from '../outage-field.js';
import { scaled, type Goal, type Scenario, type Settings } from '../scenario.js';
import { format, table } from '../table.js';
import { median } from '../turns.js';

/** One outage, in milliseconds. */
interface Sample {
  /** From `kill -9` to the status that says the breaker is not closed any more. */
  readonly openMs: number;
  /** From `kill -9` to the first reply that only the outage store can have given. */
  readonly bufferedMs: number;
  /** From when Redis answers again to the status that says healthy, with an empty journal. */
  readonly healthyMs: number;
}

const ROWS: readonly (readonly [keyof Sample, string])[] = [
  ['openMs', 'kill -9 → breaker open'],
  ['bufferedMs', 'kill -9 → first buffered write acknowledged'],
  ['healthyMs', 'Redis answers → healthy'],
];

const TRIALS = 12;
const RECOVERY_MS = 1_000;
/** A pause between probes is drawn from ± 25 %. */
const LONGEST_PAUSE_MS = RECOVERY_MS * 1.25;
/** By then the pauses between probes have grown to their longest. */
const OUTAGE_MS = 3_000;
const OPEN_WITHIN_MS = 100;
const SLACK_MS = 100;
const LOOK_EVERY_MS = 2;
const TIMEOUT_MS = 30_000;
const [KEY, FIELD] = ['bench:switch', 'field'];
/** Redis has the field already, so its reply to HSET is 0; the outage store is empty at first, and says 1. */
const [FROM_REDIS, FROM_STORE] = [':0\r\n', ':1\r\n'];

/** The two switches. */
export const switchOver: Scenario = {
  name: 'switch',
  title: 'Into an outage and out of it',
  async run(settings) {
    const samples = await onStage(async (stage) => {
      const redis = await stage.redis('always');
      const sidecar = await stage.sidecar(redis, ['--breaker-recovery', `${RECOVERY_MS}ms`]);
      return observeAll(settings, redis, sidecar);
    });
    return {
      method:
        `${samples.length} outages of ${OUTAGE_MS / 1000} to ${(OUTAGE_MS + RECOVERY_MS) / 1000} s. One client writes to one key, one command at a time, until the outage store has ` +
        `answered; \`--hold ${HOLD_MS}ms --breaker-recovery ${RECOVERY_MS}ms\`, so that pauses between probes grow to ${format(LONGEST_PAUSE_MS)} ms at most ` +
        `(25 % jitter). Redis keeps its data (\`appendfsync always\`). The status is looked at every ${LOOK_EVERY_MS} ms.`,
      table: table(
        ['ms', 'median', 'best', 'worst'],
        ROWS.map(([key, label]) => [label, ...cells(samples.map((sample) => sample[key]))]),
      ),
      goals: goalsOf(samples),
    };
  },
};

async function observeAll(
  settings: Settings,
  redis: OutageRedis,
  sidecar: OutageSidecar,
): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  const trials = scaled(settings, TRIALS);
  for (let trial = 0; trial < trials; trial += 1) {
    process.stderr.write(`  outage ${trial + 1} of ${trials}\n`);
    // Redis returns at a different point between two probes each time.
    const outageMs = OUTAGE_MS + (RECOVERY_MS * trial) / trials;
    samples.push(await observe(redis, sidecar, scaled(settings, outageMs)));
  }
  return samples;
}

async function observe(
  redis: OutageRedis,
  sidecar: OutageSidecar,
  outageMs: number,
): Promise<Sample> {
  const client = await connectRaw(sidecar.port);
  await client.command('HSET', KEY, FIELD, 0);
  const writing = writeUntilBuffered(() => client.ask('HSET', KEY, FIELD, performance.now()));
  // A client that is in the middle of it, as they are.
  await Promise.race([pause(50), writing]);
  const killedAt = performance.now();
  const killed = redis.kill();
  const opening = firstLook(sidecar, ({ breaker }) => breaker.state !== 'closed');
  const [bufferedAt, openAt] = await Promise.all([writing, opening, killed]);
  client.reset();

  await pause(outageMs);
  const isWell = ({ condition, journal }: OutageStatus): boolean =>
    condition === 'healthy' && journal.records === 0;
  const [answersAt, healthyAt] = await Promise.all([begin(redis), firstLook(sidecar, isWell)]);
  return {
    openMs: openAt - killedAt,
    bufferedMs: bufferedAt - killedAt,
    healthyMs: healthyAt - answersAt,
  };
}

/** Starts it; when it answered for the first time. */
async function begin(redis: OutageRedis): Promise<number> {
  redis.begin();
  const answers = async (): Promise<boolean> => (await redis.ask('PING')) === '+PONG\r\n';
  await eventually('Redis answers', answers, { withinMs: TIMEOUT_MS, everyMs: 1 });
  return performance.now();
}

/** When the outage store gave its first reply. */
async function writeUntilBuffered(write: () => Promise<string>): Promise<number> {
  for (;;) {
    const reply = await write();
    if (reply === FROM_STORE) return performance.now();
    if (reply !== FROM_REDIS) throw new Error(`a write in the switch was answered with ${reply}`);
  }
}

/** When the status satisfied `condition` for the first time. */
async function firstLook(
  sidecar: OutageSidecar,
  condition: (status: OutageStatus) => boolean,
): Promise<number> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    if (condition(await sidecar.status())) return performance.now();
    await pause(LOOK_EVERY_MS);
  }
  throw new Error(`not within ${TIMEOUT_MS} ms: ${JSON.stringify(await sidecar.status())}`);
}

function cells(values: readonly number[]): string[] {
  return [median(values), Math.min(...values), Math.max(...values)].map((value) => format(value));
}

function goalsOf(samples: readonly Sample[]): Goal[] {
  const values = (key: keyof Sample): number[] => samples.map((sample) => sample[key]);
  const goal = (what: string, wanted: number, measured: number): Goal => ({
    what,
    bound: 'at most',
    wanted,
    measured,
    unit: 'ms',
  });
  const healthyMs = values('healthyMs');
  return [
    goal('breaker open after kill -9, worst', OPEN_WITHIN_MS, Math.max(...values('openMs'))),
    goal(
      'first buffered acknowledgement after kill -9, worst (hold + 100 ms)',
      HOLD_MS + SLACK_MS,
      Math.max(...values('bufferedMs')),
    ),
    goal('healthy after the return, median (recovery)', RECOVERY_MS, median(healthyMs)),
    goal(
      'healthy after the return, worst (recovery with its jitter + 100 ms)',
      LONGEST_PAUSE_MS + SLACK_MS,
      Math.max(...healthyMs),
    ),
  ];
}
