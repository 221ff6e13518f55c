/**
 * Twins: a redis-server that is left in peace, and one behind a sidecar that somebody plagues. Both get the same random
 * pipelines of scripts, and each reply must be the same.
 *
 *   pipeline ──► Redis
 *           └──► sidecar ──► Redis ◄── SCRIPT FLUSH all the time, or scripts that keep it busy
 */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '../conformance/random.js';
import { BUSY_ARGS, BusyEpisode, ENDLESS } from './busy-episode.js';
import type { Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import { integerBelow, type Random } from './fuzz.js';
import { OutageRedis } from './outage-redis.js';
import { OutageSidecar, PATIENT } from './outage-sidecar.js';
import { connectRaw, encodeCommand, type RawClient } from './raw-client.js';
import {
  LIMITED_USER,
  SOURCES,
  anySentences,
  validSentences,
  type Sentence,
} from './script-sentences.js';
import { FlushStorm } from './script-storm.js';

export interface TwinOptions {
  readonly plague: 'flush' | 'busy';
  readonly seed: number;
  /** Asked before each pipeline. */
  readonly isEnough: (pipelines: number) => boolean;
}

/** Compares until it is enough. Resolves with a line for people; rejects at the first difference, with the seed that has it. */
export async function compareTwins(t: Cleanup, options: TwinOptions): Promise<string> {
  const { plague, seed, isEnough } = options;
  const peaceful = await OutageRedis.start(t, 'none');
  const plagued = await OutageRedis.start(t, 'none', BUSY_ARGS);
  const sidecar = await OutageSidecar.start(t, plagued.port, { args: PATIENT });
  for (const redis of [peaceful, plagued]) await redis.ask('ACL', 'SETUSER', ...LIMITED_USER);
  for (const port of [peaceful.port, sidecar.port]) await teach(port);
  let pipelines = 0;
  let commands = 0;
  let isOver = false;
  const misery = plague === 'flush' ? flushing(t, plagued) : busyOften(t, plagued, () => isOver);
  while (!isEnough(pipelines)) {
    const random = seededRandom(seed + pipelines);
    const sentences = plague === 'flush' ? anySentences(random) : validSentences(random);
    const user = plague === 'flush' && random() < 0.5 ? 'bob' : null;
    await peaceful.ask('FLUSHALL');
    await eventually(
      'it can be emptied',
      async () => (await plagued.ask('FLUSHALL')) === '+OK\r\n',
    );
    const told = (await Promise.all(
      [peaceful.port, sidecar.port].map((port) => say(port, user, sentences, seed + pipelines)),
    )) as [string[], string[]];
    assertSame(sentences, told, `RESPOOL_FUZZ_SEED=${seed + pipelines}`);
    pipelines += 1;
    commands += sentences.length;
  }
  isOver = true;
  return `${pipelines} pipelines, ${commands} commands, ${await (await misery)()}`;
}

/** Resolves when it has begun; what it resolves with, ends it, and says how it was. */
type Misery = Promise<() => Promise<string>>;

async function flushing(t: Cleanup, redis: OutageRedis): Misery {
  const storm = new FlushStorm(t, redis);
  await storm.begin();
  return async () => {
    const flushes = await storm.flushes();
    await storm.end();
    return `${flushes} flushes`;
  };
}

/** Half of the time, in turns of about a tenth of a second. */
function busyOften(t: Cleanup, redis: OutageRedis, isOver: () => boolean): Misery {
  let episodes = 0;
  const episode = async (): Promise<void> => {
    const { ended } = await BusyEpisode.begin(t, redis, ENDLESS);
    await pause(50);
    assert.equal(await redis.ask('SCRIPT', 'KILL'), '+OK\r\n');
    await ended;
    episodes += 1;
    await pause(100);
  };
  const all = (async () => {
    while (!isOver()) await episode();
  })();
  // Who ends it hears of it; after a difference nobody does.
  all.catch(() => undefined);
  return Promise.resolve(async () => {
    await all;
    return `${episodes} episodes`;
  });
}

async function teach(port: number): Promise<void> {
  const client = await connectRaw(port);
  for (const source of SOURCES) await client.command('SCRIPT', 'LOAD', source);
  await client.close();
}

/** The replies to `sentences`, which are sent in one write, in pieces cut anywhere, or one by one without waiting. */
async function say(
  port: number,
  user: string | null,
  sentences: readonly Sentence[],
  seed: number,
): Promise<string[]> {
  const client = await connectRaw(port);
  if (user !== null) await client.command('AUTH', user, 'pw');
  const random = seededRandom(seed);
  // Nothing is tracked until it is asked for: nobody is told anything unasked.
  if (random() < 0.3) await client.command('CLIENT', 'TRACKING', 'ON', 'OPTIN');
  const replies = client.readFrames(sentences.length, 30_000);
  await send(
    client,
    sentences.map((sentence) => encodeCommand(...sentence)),
    random,
  );
  const frames = (await replies).map((frame) => frame.toString('latin1'));
  client.reset();
  // HELLO tells the connection's number.
  return frames.map((frame) => frame.replace(/(\$2\r\nid\r\n):\d+/g, '$1:n'));
}

async function send(client: RawClient, frames: readonly Buffer[], random: Random): Promise<void> {
  const way = random();
  const bytes = Buffer.concat(frames);
  if (way < 0.4) return client.write(bytes);
  const ends: number[] = [];
  if (way < 0.8) {
    for (let end = 0; end < bytes.length; end += 1 + integerBelow(random, 400)) ends.push(end);
  } else {
    let end = 0;
    for (const frame of frames) ends.push((end += frame.length));
  }
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    client.write(bytes.subarray(from, end));
    from = end;
    await nextTurn();
  }
}

function assertSame(
  sentences: readonly Sentence[],
  told: [string[], string[]],
  seed: string,
): void {
  const [expected, actual] = told;
  const at = expected.findIndex((reply, index) => reply !== actual[index]);
  if (at < 0) return;
  const line = (index: number): string => {
    const [said = '', one = '', other = ''] = [
      sentences[index]?.join(' '),
      expected[index],
      actual[index],
    ];
    const replies = one === other ? [one] : [one, other];
    return `${said.slice(0, 80)} → ${replies.map((reply) => JSON.stringify(reply.slice(0, 120))).join(' | ')}`;
  };
  const lines = sentences.map((_, index) => line(index)).slice(Math.max(0, at - 10), at + 10);
  assert.fail(`${seed}, ${at}:\n${lines.join('\n')}`);
}
