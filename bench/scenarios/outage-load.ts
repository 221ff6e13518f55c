/**
 * How much goes through while Redis is away. Writes: what the journal takes durably, next to a redis-server that
 * waits for the same disk. Reads: what the outage store answers, next to a redis-server that is well.
 */
import type { OutageRedis } from '../../test/helpers/outage-redis.js';
import type { OutageSidecar } from '../../test/helpers/outage-sidecar.js';
import { connectRaw } from '../../test/helpers/raw-client.js';
import { comparison, over, type NamedLoad, type Participants } from '../comparison.js';
import { put, type Load, type LoadSample } from '../load.js';
import { beginOutage, Stage } from '../outage-field.js';
import type { Target, TargetName } from '../peers.js';
import type { Goal } from '../scenario.js';
import type { Results } from '../turns.js';

const SMALL = { valueBytes: 64, keys: 10_000 };
const ONE_BY_ONE = { clients: 50, pipeline: 1, requests: 100_000, ...SMALL };
const PIPELINED = { clients: 50, pipeline: 16, requests: 500_000, ...SMALL };
const CLIENTS_64 = '64 clients SET';
/** redis-benchmark pushes to this one. */
const LIST = 'mylist';

/** Acknowledged buffered writes, durable before they are acknowledged (`always`) or soon after (`everysec`). */
export const outageWrites = comparison({
  name: 'outage-writes',
  title: 'Buffered writes in an outage: P=1 and P=16, c=50, 64 bytes',
  note:
    '"AOF": a redis-server with `appendonly yes` and that `appendfsync`, which never rewrites its file. "journal": a sidecar with that ' +
    '`--journal-fsync`, its Redis dead; its own counter of records must have grown by the commands sent. All files on one disk.',
  start: startWriters,
  loads: [
    { label: 'P=1 SET', command: 'set', ...ONE_BY_ONE },
    { label: 'P=1 LPUSH', command: 'lpush', ...ONE_BY_ONE },
    { label: CLIENTS_64, command: 'set', ...ONE_BY_ONE, clients: 64 },
    { label: 'P=16 SET', command: 'set', ...PIPELINED },
    { label: 'P=16 LPUSH', command: 'lpush', ...PIPELINED },
  ] satisfies NamedLoad[],
  goals: (results, label) =>
    label === CLIENTS_64 ? absoluteGoals(results) : [ratio(results, label)],
});

/** Reads answered by the outage store. */
export const outageReads = comparison({
  name: 'outage-reads',
  title: 'Reads in an outage: P=1 and P=16, c=50, 64 bytes',
  note:
    '"direct": a redis-server that is well. "outage store": a sidecar whose Redis is dead, with the same keys written in the outage; ' +
    'its own counter of outage answers must have grown by the commands sent.',
  start: startReaders,
  loads: [
    { label: 'P=1 GET', command: 'get', ...ONE_BY_ONE },
    { label: 'P=16 GET', command: 'get', ...PIPELINED },
  ],
  goals: (results, label) => [
    {
      what: `outage ${label}: p99`,
      bound: 'at most',
      wanted: 5,
      measured: results.median('outage store', label, ({ p99Ms }) => p99Ms),
      unit: 'ms',
      digits: 2,
    },
  ],
});

function ratio(results: Results<LoadSample>, label: string): Goal {
  return {
    what: `outage ${label}: durable writes/s over those of redis-server with appendfsync always`,
    bound: 'at least',
    wanted: label.startsWith('P=1 ') ? 0.5 : 1,
    measured: over(results, ['journal always', 'AOF always'], label, 'perSecond'),
  };
}

function absoluteGoals(results: Results<LoadSample>): Goal[] {
  const measured = (value: 'perSecond' | 'p99Ms'): number =>
    results.median('journal always', CLIENTS_64, (sample) => sample[value]);
  return [
    {
      what: 'outage, 64 clients, P=1 SET: durable writes/s',
      bound: 'at least',
      wanted: 20_000,
      measured: measured('perSecond'),
      unit: '/s',
    },
    {
      what: 'outage, 64 clients, P=1 SET: p99',
      bound: 'at most',
      wanted: 10,
      measured: measured('p99Ms'),
      unit: 'ms',
      digits: 2,
    },
  ];
}

function startWriters(): Promise<Participants> {
  return participants(async (stage) => {
    const cast = new Cast();
    for (const fsync of ['always', 'everysec'] as const) {
      cast.add(`AOF ${fsync}`, await stage.redis(fsync));
      const dead = await stage.redis('none');
      const sidecar = await stage.sidecar(dead, ['--journal-fsync', fsync]);
      await beginOutage(dead, sidecar);
      cast.add(`journal ${fsync}`, sidecar);
    }
    return cast;
  });
}

function startReaders(): Promise<Participants> {
  return participants(async (stage) => {
    const cast = new Cast();
    const [redis, dead] = [await stage.redis('none'), await stage.redis('none')];
    const sidecar = await stage.sidecar(dead);
    await beginOutage(dead, sidecar);
    cast.add('direct', redis);
    cast.add('outage store', sidecar);
    for (const { port } of cast.targets) {
      await put(port, { ...SMALL, command: 'set', clients: 50, pipeline: 16, requests: 50_000 });
    }
    return cast;
  });
}

async function participants(castOn: (stage: Stage) => Promise<Cast>): Promise<Participants> {
  const stage = new Stage();
  const stop = (): Promise<void> => stage.stop();
  try {
    const cast = await castOn(stage);
    const around: Participants['around'] = (target, load, take) => cast.around(target, load, take);
    return { targets: cast.targets, direct: null, around, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Who takes part, and the books of the sidecars among them: nothing counts that was not what it is called. */
class Cast {
  readonly targets: Target[] = [];
  readonly #sidecars = new Map<TargetName, OutageSidecar>();

  add(name: TargetName, server: OutageRedis | OutageSidecar): void {
    this.targets.push({ name, port: server.port, pid: server.pid });
    if ('journalDirectory' in server) this.#sidecars.set(name, server);
  }

  async around(
    { name, port }: Target,
    load: Load,
    take: () => Promise<LoadSample>,
  ): Promise<LoadSample> {
    if (load.command === 'lpush') await emptyList(port);
    const sidecar = this.#sidecars.get(name);
    if (sidecar === undefined) return take();
    const counter = load.command === 'get' ? 'outage_answers_total' : 'journal_appended_total';
    const count = async (): Promise<number> => (await sidecar.metrics()).get(counter) ?? NaN;
    const before = await count();
    const sample = await take();
    const counted = (await count()) - before;
    if (counted >= load.requests) return sample;
    throw new Error(`${name}: ${counter} grew by ${counted} in ${load.requests} commands`);
  }
}

/** Every run pushes to a list that is empty at first: none pays for what others have left. */
async function emptyList(port: number): Promise<void> {
  const client = await connectRaw(port);
  const reply = await client.ask('DEL', LIST);
  client.reset();
  if (!reply.startsWith(':')) throw new Error(`DEL ${LIST}: ${reply}`);
}
