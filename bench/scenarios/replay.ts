/**
 * How fast the journal is drained into a Redis that has come back, next to `redis-cli --pipe` with the same commands
 * into the same kind of server. Both servers wait for the disk at every write; in the end both must hold the same data.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from '../../test/helpers/child-process.js';
import { eventually } from '../../test/helpers/eventually.js';
import type { OutageRedis } from '../../test/helpers/outage-redis.js';
import type { OutageSidecar } from '../../test/helpers/outage-sidecar.js';
import { mainFile } from '../../test/helpers/project.js';
import { connectRaw, encodeCommand } from '../../test/helpers/raw-client.js';
import { beginOutage, onStage, type Stage } from '../outage-field.js';
import type { TargetName } from '../peers.js';
import { scaled, type Goal, type Scenario, type Settings } from '../scenario.js';
import { format, table } from '../table.js';
import { Results } from '../turns.js';

/** One journal, drained. */
interface Sample {
  readonly seconds: number;
  readonly perSecond: number;
}

const SUBJECTS = ['SETs', 'a mix'] as const;
type Subject = (typeof SUBJECTS)[number];

const TARGETS: readonly TargetName[] = ['redis-cli --pipe', 'replay'];
const RECORDS = 100_000;
const KEYS = 10_000;
const WITHIN_SECONDS = 6;
const TIMEOUT_MS = 120_000;
/** Asking costs the sidecar something: often enough to tell a second from another, no more. */
const LOOK_EVERY_MS = 20;
const IN_FLIGHT = 1_000;
const VALUE = 'v'.repeat(64);

/** Replay. */
export const replay: Scenario = {
  name: 'replay',
  title: 'Replay: 100,000 buffered writes',
  async run(settings) {
    const records = scaled(settings, RECORDS);
    const results = await collect(settings, records);
    return {
      method:
        `Medians of ${settings.rounds} rounds. In each, ${format(records)} commands are buffered while Redis is dead (64 bytes, ` +
        `${format(KEYS)} keys; the mix is SET, HSET, RPUSH, SADD, ZADD and DEL). \`respool journal export\` goes through \`redis-cli --pipe\` ` +
        'into an empty redis-server; then the dead one is started, empty too, and the sidecar drains its journal into it: timed from the last look ' +
        `at its status that still said "outage" to the first that said "healthy" (one every ${LOOK_EVERY_MS} ms). ` +
        ' Both have `appendonly yes, appendfsync always`, and `DEBUG DIGEST` must be the same.',
      table: table(
        ['', 'commands/s', 'seconds'],
        SUBJECTS.flatMap((subject) => rowsOf(results, subject)),
      ),
      goals: SUBJECTS.flatMap((subject) => goalsOf(results, subject)),
    };
  },
};

/** Both are measured on one journal, so a pair of samples is taken when the first of the two is asked for. */
async function collect(settings: Settings, records: number): Promise<Results<Sample>> {
  const pairs = new Map<Subject, Map<TargetName, Sample>>();
  const targets = TARGETS.map((name) => ({ name, port: 0, pid: 0 }));
  return Results.of(settings.rounds, targets, SUBJECTS, async ({ name }, subject) => {
    const pair = pairs.get(subject) ?? (await onStage((stage) => drain(stage, subject, records)));
    pairs.set(subject, pair);
    const sample = pair.get(name);
    if (sample === undefined) throw new Error(`unreachable: both were measured, and not ${name}`);
    pair.delete(name);
    if (pair.size === 0) pairs.delete(subject);
    return sample;
  });
}

async function drain(
  stage: Stage,
  subject: Subject,
  records: number,
): Promise<Map<TargetName, Sample>> {
  const [redis, other] = [await stage.redis('always'), await stage.redis('always')];
  const sidecar = await stage.sidecar(redis, ['--breaker-recovery', '1s']);
  await beginOutage(redis, sidecar);
  await buffer(sidecar, subject, records);

  const file = join(stage.directory(), 'journal.resp');
  await exportJournal(sidecar, file);
  const piped = await pipe(file, other.port);
  const replayed = await replayInto(redis, sidecar);
  await assertSameData(redis, other);
  return new Map([
    ['redis-cli --pipe', { seconds: piped, perSecond: records / piped }],
    ['replay', { seconds: replayed, perSecond: records / replayed }],
  ]);
}

/** Has the commands acknowledged by the journal, by one client with many in flight. */
async function buffer(sidecar: OutageSidecar, subject: Subject, records: number): Promise<void> {
  const client = await connectRaw(sidecar.port);
  for (let sent = 0; sent < records; sent += IN_FLIGHT) {
    const count = Math.min(IN_FLIGHT, records - sent);
    const commands = Array.from({ length: count }, (_, index) => commandOf(subject, sent + index));
    client.write(Buffer.concat(commands));
    const replies = await client.readFrames(count, TIMEOUT_MS);
    const refused = replies.find((reply) => reply.toString('latin1', 0, 1) === '-');
    if (refused !== undefined) throw new Error(`not buffered: ${refused.toString()}`);
  }
  await client.close();
  const { journal } = await sidecar.status();
  if (journal.records !== records) throw new Error(`${journal.records} records of ${records}`);
}

/** The n-th command. Keys jump about; a type has keys of its own, so that nothing is refused as a wrong one. */
function commandOf(subject: Subject, n: number): Buffer {
  const key = (n * 7919) % KEYS;
  if (subject === 'SETs') return encodeCommand('SET', `string:${key}`, VALUE);
  switch (n % 8) {
    case 0:
      return encodeCommand('HSET', `hash:${key}`, `field:${n % 16}`, VALUE);
    case 1:
      return encodeCommand('RPUSH', `list:${key}`, VALUE);
    case 2:
      return encodeCommand('SADD', `set:${key}`, n);
    case 3:
      return encodeCommand('ZADD', `zset:${key}`, n, `member:${n % 32}`);
    case 4:
      return encodeCommand('DEL', `string:${(key + 1) % KEYS}`);
    default:
      return encodeCommand('SET', `string:${key}`, VALUE);
  }
}

async function exportJournal({ journalDirectory }: OutageSidecar, file: string): Promise<void> {
  const script = 'exec "$0" "$1" journal export --dir "$2" > "$3"';
  await shell(script, process.execPath, mainFile(), journalDirectory, file);
  if (statSync(file).size === 0) throw new Error('the export of the journal is empty');
}

/** Seconds from the start of redis-cli to its end. */
async function pipe(file: string, port: number): Promise<number> {
  const startedAt = performance.now();
  const output = await shell('exec redis-cli -p "$0" --pipe < "$1"', String(port), file);
  const seconds = (performance.now() - startedAt) / 1000;
  if (!output.includes('errors: 0')) throw new Error(`redis-cli --pipe: ${output}`);
  return seconds;
}

async function shell(script: string, ...args: string[]): Promise<string> {
  const options = { timeoutMs: TIMEOUT_MS };
  const { code, stdout, stderr } = await run('sh', ['-c', script, ...args], options);
  if (code !== 0) throw new Error(`${script}: exit code ${code}\n${stdout}${stderr}`);
  return stdout;
}

/** Seconds from the last look that saw an outage to the first that saw everything well: a little too long, if anything. */
async function replayInto(redis: OutageRedis, sidecar: OutageSidecar): Promise<number> {
  redis.begin();
  let beganAt = performance.now();
  const deadline = beganAt + TIMEOUT_MS;
  for (;;) {
    const lookedAt = performance.now();
    const { condition, journal } = await sidecar.status();
    if (condition === 'healthy' && journal.records === 0) break;
    if (condition === 'outage') beganAt = lookedAt;
    if (lookedAt > deadline) throw new Error(`not drained: ${journal.records} records are left`);
    await pause(LOOK_EVERY_MS);
  }
  const endedAt = performance.now();
  const { journal } = await sidecar.status();
  if (journal.deadLetters > 0) throw new Error(`${journal.deadLetters} dead letters`);
  return (endedAt - beganAt) / 1000;
}

/** The cursor goes a moment after the last record; until then the digests differ. */
async function assertSameData(redis: OutageRedis, other: OutageRedis): Promise<void> {
  const piped = await other.ask('DEBUG', 'DIGEST');
  const isSame = async (): Promise<boolean> => (await redis.ask('DEBUG', 'DIGEST')) === piped;
  await eventually('the replayed data is what redis-cli --pipe has made', isSame);
}

function rowsOf(results: Results<Sample>, subject: Subject): string[][] {
  return TARGETS.map((target) => [
    `${subject}, ${target}`,
    format(results.median(target, subject, ({ perSecond }) => perSecond)),
    format(
      results.median(target, subject, ({ seconds }) => seconds),
      2,
    ),
  ]);
}

function goalsOf(results: Results<Sample>, subject: Subject): Goal[] {
  return [
    {
      what: `replay, ${subject}: commands/s over those of redis-cli --pipe`,
      bound: 'at least',
      wanted: 0.5,
      measured: results.medianOfRounds(
        ['replay', 'redis-cli --pipe'],
        subject,
        (ours, theirs) => ours.perSecond / theirs.perSecond,
      ),
    },
    {
      what: `replay, ${subject}: 100,000 drained`,
      bound: 'at most',
      wanted: WITHIN_SECONDS,
      measured: RECORDS / results.median('replay', subject, ({ perSecond }) => perSecond),
      unit: 's',
      digits: 2,
    },
  ];
}
