/**
 * SEMANTICS §5, MULTI: Redis refuses a command that is queued while a script runs, and EXEC then aborts the rest with it.
 * The sidecar says such a transaction again from MULTI; of one with WATCH it says that what was watched has changed.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { BusyEpisode, ENDLESS } from '../helpers/busy-episode.js';
import { startBusyRedis } from '../helpers/busy-run.js';
import { eventually } from '../helpers/eventually.js';
import { OutageSidecar, PATIENT } from '../helpers/outage-sidecar.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';

type Command = readonly string[];

const SOURCE = "return redis.call('INCR', KEYS[1])";
const SHA = createHash('sha1').update(SOURCE).digest('hex');

/**
 * - `selecting` chooses its database in the transaction.
 * - `tracking` has a connection to itself, in RESP3, on which it would be told of other clients' writes.
 */
const KINDS = ['RESP2', 'RESP3', 'selecting', 'tracking'] as const;
type Kind = (typeof KINDS)[number];

/** What the client `c` does, and what it must be told: everything but the moment. */
function blockOf(c: string, kind: Kind): readonly (readonly [Command, string])[] {
  const selecting = kind === 'selecting';
  return [
    [['MULTI'], '+OK\r\n'],
    [['RPUSH', `${c}:list`, 'one'], '+QUEUED\r\n'],
    [['EVALSHA', SHA, '1', `${c}:count`], '+QUEUED\r\n'],
    ...(selecting ? [[['SELECT', '0'], '+QUEUED\r\n'] as const] : []),
    [['RPUSH', `${c}:list`, 'two'], '+QUEUED\r\n'],
    [['EXEC'], selecting ? '*4\r\n:1\r\n:1\r\n+OK\r\n:2\r\n' : '*3\r\n:1\r\n:1\r\n:2\r\n'],
    [['GET', `${c}:count`], '$1\r\n1\r\n'],
  ];
}

/** In the middle of the episode; long enough that the sidecar has met BUSY. */
const DURING_MS = 150;

/** A client that has sent the first `before` commands of its block one by one, with their answers. */
async function begun(port: number, name: string, before: number, kind: Kind): Promise<Block> {
  const client = await connectRaw(port);
  if (kind === 'RESP3' || kind === 'tracking') await client.command('HELLO', '3');
  if (kind === 'tracking') await client.command('CLIENT', 'TRACKING', 'ON');
  const block = new Block(client, blockOf(name, kind));
  await block.stepwise(before);
  return block;
}

/** One client's block of commands and what it was told so far. */
class Block {
  #sent = 0;

  constructor(
    readonly client: RawClient,
    private readonly commands: readonly (readonly [Command, string])[],
  ) {}

  /** Sends up to number `end`, each when the one before is answered, and compares. */
  async stepwise(end = this.commands.length): Promise<void> {
    for (const [command, reply] of this.#next(end)) {
      assert.equal(await this.client.ask(...command), reply, command.join(' '));
    }
  }

  /** Sends up to number `end` in one write; resolves when all are answered. */
  async whole(end = this.commands.length): Promise<void> {
    const commands = this.#next(end);
    this.client.write(Buffer.concat(commands.map(([command]) => encodeCommand(...command))));
    const replies = (await this.client.readFrames(commands.length)).map(String);
    assert.deepEqual(
      replies,
      commands.map(([, reply]) => reply),
    );
  }

  #next(end: number): (readonly [Command, string])[] {
    const commands = this.commands.slice(this.#sent, end);
    this.#sent = end;
    return commands;
  }
}

async function stage(t: TestContext) {
  const redis = await startBusyRedis(t);
  const sidecar = await OutageSidecar.start(t, redis.port, { args: PATIENT });
  const teacher = await connectRaw(sidecar.port);
  await teacher.command('SCRIPT', 'LOAD', SOURCE);
  await teacher.close();
  const killScript = async (episode: BusyEpisode): Promise<void> => {
    assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
    await episode.ended;
  };
  return { redis, sidecar, killScript };
}

/** Of the commands of a block, so many are answered in calm: none, MULTI, something queued, all but EXEC. */
const BEGUN = [0, 1, 2, 4];
/** When the rest is sent: a moment after the script began, so that it waits in Redis, or when Redis is known to be busy. */
const MOMENTS = ['at first', 'later'] as const;

for (const moment of MOMENTS) {
  for (const way of ['stepwise', 'whole'] as const) {
    test(`MULTI blocks begun before or in an episode, their rest sent ${way} (${moment}), run whole and once`, async (t) => {
      const { redis, sidecar, killScript } = await stage(t);
      const names = BEGUN.flatMap((before) =>
        KINDS.map((kind) => ({ before, kind, name: `${before}${kind}` })),
      );
      const blocks = await Promise.all(
        names.map(({ before, kind, name }) => begun(sidecar.port, name, before, kind)),
      );
      const sayRest = (): Promise<void>[] => blocks.map((block) => block[way]());
      let said: Promise<void>[] = [];
      const options = moment === 'at first' ? { atFirst: () => void (said = sayRest()) } : {};
      const episode = await BusyEpisode.begin(t, redis, ENDLESS, options);
      if (moment === 'later') said = sayRest();
      await pause(DURING_MS);
      await killScript(episode);
      await Promise.all(said);
      for (const { name } of names) {
        const list = await redis.ask('LRANGE', `${name}:list`, 0, -1);
        assert.equal(list, '*2\r\n$3\r\none\r\n$3\r\ntwo\r\n', name);
      }
      for (const { client } of blocks) await client.close();
    });
  }
}

test('a MULTI block that has nothing to say while the script runs does not notice it', async (t) => {
  const { redis, sidecar, killScript } = await stage(t);
  const block = await begun(sidecar.port, 'silent', 2, 'RESP2');
  const episode = await BusyEpisode.begin(t, redis, ENDLESS);
  await killScript(episode);
  await block.stepwise();
  await block.client.close();
});

test('a MULTI block that lasts over two episodes is run once', async (t) => {
  const { redis, sidecar, killScript } = await stage(t);
  const block = await begun(sidecar.port, 'two', 1, 'RESP2');
  for (const end of [2, 4]) {
    const episode = await BusyEpisode.begin(t, redis, ENDLESS);
    const during = block.stepwise(end);
    await pause(DURING_MS);
    await killScript(episode);
    await during;
  }
  await block.stepwise();
  assert.equal(await redis.ask('LLEN', 'two:list'), ':2\r\n');
  await block.client.close();
});

test('DISCARD while a script runs ends the block, and nothing of it is run afterwards', async (t) => {
  const { redis, sidecar, killScript } = await stage(t);
  const { client } = await begun(sidecar.port, 'gone', 2, 'RESP2');
  const episode = await BusyEpisode.begin(t, redis, ENDLESS);
  client.send('RPUSH', 'gone:list', 'x');
  client.send('DISCARD');
  client.send('LLEN', 'gone:list');
  await pause(DURING_MS);
  await killScript(episode);
  const [queued, discarded, length] = (await client.readFrames(3)).map(String);
  assert.equal(queued, '+QUEUED\r\n');
  assert.equal(discarded, '+OK\r\n');
  assert.equal(length, ':0\r\n');
  await client.close();
});

/** Of an unchanged key, MULTI may fail all the same, as if it had: unless the sidecar has known of the script before. */
for (const [what, isChanged, isKnown] of [
  ['an unchanged key, then MULTI that meets a script', false, false],
  ['an unchanged key, then MULTI while a script is known to run', false, true],
  ['a changed key, then MULTI that meets a script', true, false],
] as const) {
  test(`WATCH of ${what}: whole, or not at all and said so`, async (t) => {
    const { redis, sidecar, killScript } = await stage(t);
    const clients: RawClient[] = [];
    for (const before of [1, 2, 3]) {
      const client = await connectRaw(sidecar.port);
      const calm = [['WATCH', 'watched'], ['MULTI'], ['SET', `w${before}`, '1']].slice(0, before);
      for (const command of calm) assert.ok(!(await client.ask(...command)).startsWith('-'));
      clients.push(client);
    }
    if (isChanged) await redis.ask('SET', 'watched', 'by another');
    const other = await connectRaw(sidecar.port);
    const episode = await BusyEpisode.begin(t, redis, ENDLESS);
    if (isKnown) other.send('GET', 'watched');
    const isMet = async (): Promise<boolean> => (await sidecar.metrics()).get('busy') === 1;
    if (isKnown) await eventually('the sidecar knows', isMet);
    for (const [index, client] of clients.entries()) {
      const rest = [
        ['MULTI'],
        ['SET', `w${index + 1}`, '1'],
        ['SET', `w${index + 1}`, '2'],
        ['EXEC'],
      ];
      for (const command of rest.slice(index)) client.send(...command);
    }
    await pause(DURING_MS);
    await killScript(episode);
    for (const [index, client] of clients.entries()) {
      const replies = (await client.readFrames(4 - index)).map(String);
      const hasRun = replies.at(-1)!.startsWith('*2');
      assert.deepEqual(replies, [
        ...['+OK\r\n', '+QUEUED\r\n', '+QUEUED\r\n'].slice(index),
        hasRun ? '*2\r\n+OK\r\n+OK\r\n' : '*-1\r\n',
      ]);
      assert.ok(isKnown ? hasRun : !isChanged || !hasRun);
      const value = await redis.ask('GET', `w${index + 1}`);
      assert.equal(value, hasRun ? '$1\r\n2\r\n' : '$-1\r\n');
      assert.equal(await client.ask('PING'), '+PONG\r\n');
      await client.close();
    }
    await other.close();
  });
}
