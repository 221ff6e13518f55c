/**
 * Random sessions: connections say things that change what they are (MULTI, SUBSCRIBE, HELLO,
 * SELECT, WATCH, AUTH, blocking, CLIENT REPLY, RESET …) in a random order, cut into random pieces,
 * without waiting for replies. Each byte stream must be the same on both sides. Sessions run alone,
 * and in crowds whose members share the sidecar's lanes but no key: then one sees cross-talk.
 *
 * Each ends with RESET and QUIT: after CLIENT REPLY OFF alone, Redis does not close on QUIT.
 */
import { setImmediate as nextTick } from 'node:timers/promises';
import { RESET_ALL } from './fixture.js';
import type { Pair, Side } from './lock-step.js';
import { chooseFrom, type Random } from './random.js';
import { escaped, type Difference } from './report.js';

const ORDINARY: readonly string[] = [
  ...['GET str', 'SET str x', 'INCR int', 'GET missing', 'DEL str', 'HGETALL hash', 'LPUSH str x'],
  ...['WATCH str', 'WATCH int', 'UNWATCH', 'NOSUCH a', 'GET', 'EXEC', 'DISCARD', 'MGET str int'],
  ...['SELECT 0', 'SELECT 1', 'SELECT 99', 'PING', 'PING hello', 'ECHO x', 'RPUSH list a'],
  ...[
    'SUBSCRIBE a',
    'SUBSCRIBE a b',
    'UNSUBSCRIBE a',
    'UNSUBSCRIBE b',
    'PSUBSCRIBE p*',
    'PUBLISH a m',
  ],
  ...['PUNSUBSCRIBE p*', 'SSUBSCRIBE s', 'SUNSUBSCRIBE s', 'PUBLISH p1 m', 'SPUBLISH s m'],
  ...['HELLO 2', 'HELLO 3', 'HELLO 4', 'HELLO 3 SETNAME n', 'AUTH alice secret', 'AUTH x'],
  ...['ACL WHOAMI', 'CLIENT SETNAME me', 'CLIENT GETNAME', 'HSET hash f v'],
  ...['CLIENT TRACKINGINFO', 'CLIENT NO-EVICT ON', 'BLPOP missing 0.001'],
  ...['BLPOP list 0.001', 'XREAD BLOCK 1 STREAMS stream $', 'WAIT 0 1', 'EVAL "return {1,2}" 0'],
  ...['FCALL echoing 0', 'DEBUG PROTOCOL map'],
];

const REPLY = ['CLIENT REPLY OFF', 'CLIENT REPLY ON', 'CLIENT REPLY ON', 'CLIENT REPLY SKIP'];
const TRANSACTIONS = ['MULTI', 'MULTI', 'MULTI', 'EXEC', 'EXEC', 'EXEC', '*0', ''];

/**
 * What is not mixed is what Redis itself mixes badly, or differs on purpose: CLIENT REPLY OFF in a
 * transaction makes EXEC send an array without its elements, DEBUG PROTOCOL push one with too many,
 * an empty line uses up a SKIP, and RESET does not forget what was tracked (docs/compatibility.md).
 */
const LANGUAGES: readonly (readonly string[])[] = [
  [...ORDINARY, ...TRANSACTIONS, 'CLIENT TRACKING ON', 'CLIENT TRACKING ON', 'CLIENT TRACKING OFF'],
  [...ORDINARY, ...TRANSACTIONS, 'RESET'],
  [...ORDINARY, ...REPLY, 'RESET', 'DEBUG PROTOCOL push'],
];

/** What only a session that is alone may say. */
const GLOBAL: readonly string[] = ['FLUSHALL', 'SWAPDB 0 1', 'DBSIZE'];

/** Words that name keys and channels: each member of a crowd has its own. */
const NAMES = /\b(str|int|missing|hash|list|stream|a|b|s|p)(?=\b|1|\*)/g;

const PATIENCE_MS = 20_000;
/** Long enough to see, while making a session smaller, that a connection does not close. */
const SHRINKING_PATIENCE_MS = 300;
const MAX_PIECES = 6;

/** What one connection says: lines, and the places, as parts of the whole, where they are cut. */
export interface Session {
  readonly lines: readonly string[];
  readonly cuts: readonly number[];
}

/** How much is played, and by which chance. */
export interface Play {
  readonly count: number;
  /** Lines of each session. */
  readonly length: number;
  readonly random: Random;
}

/** Plays sessions one by one; a difference carries the smallest session that still shows it. */
export async function runSessions(
  pair: Pair,
  { count, length, random }: Play,
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (let i = 0; i < count; i += 1) {
    const session = randomSession(random, length, GLOBAL);
    const difference = await differenceOf(pair, session);
    if (difference === null) continue;
    const smallest = await shrunk(pair, session);
    const again = await differenceOf(pair, smallest, SHRINKING_PATIENCE_MS);
    differences.push({ ...(again ?? difference), mode: `session ${i}` });
  }
  return differences;
}

/** Plays `count` crowds of `members` sessions at once. */
export async function runCrowds(
  pair: Pair,
  { count, length, random, members }: Play & { readonly members: number },
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (let i = 0; i < count; i += 1) {
    await pair.reset(RESET_ALL);
    const sessions = Array.from({ length: members }, (_, member) => {
      const { lines, cuts } = randomSession(random, length, []);
      return { lines: lines.map((line) => line.replace(NAMES, `$1_${member}_`)), cuts };
    });
    const play = (side: Side): Promise<string[]> =>
      Promise.all(sessions.map((session) => playOn(side, session, PATIENCE_MS)));
    const [direct, through] = await Promise.all([play(pair.direct), play(pair.through)]);
    sessions.forEach((session, member) => {
      const [one = '', other = ''] = [direct[member], through[member]];
      if (one !== other) differences.push(differing(`crowd ${i}`, session, one, other));
    });
  }
  return differences;
}

/** Null when both sides answer the same bytes. */
export async function differenceOf(
  pair: Pair,
  session: Session,
  patienceMs = PATIENCE_MS,
): Promise<Difference | null> {
  await pair.reset(RESET_ALL);
  const [direct, through] = await Promise.all([
    playOn(pair.direct, session, patienceMs),
    playOn(pair.through, session, patienceMs),
  ]);
  return direct === through ? null : differing('session', session, direct, through);
}

function randomSession(random: Random, length: number, more: readonly string[]): Session {
  const language = [...chooseFrom(random, LANGUAGES), ...more];
  const lines = Array.from({ length }, () => chooseFrom(random, language));
  const pieces = Math.floor(random() * MAX_PIECES);
  return { lines, cuts: Array.from({ length: pieces }, random).sort() };
}

/** Leaves out line after line, and then the cuts, as long as the rest still differs. */
async function shrunk(pair: Pair, session: Session): Promise<Session> {
  const differs = async (candidate: Session): Promise<boolean> =>
    (await differenceOf(pair, candidate, SHRINKING_PATIENCE_MS)) !== null;
  let smallest = session;
  for (let at = session.lines.length - 1; at >= 0; at -= 1) {
    const candidate = { ...smallest, lines: smallest.lines.filter((_, i) => i !== at) };
    if (await differs(candidate)) smallest = candidate;
  }
  const whole = { ...smallest, cuts: [] };
  return (await differs(whole)) ? whole : smallest;
}

/** Everything that one side answers, to the end of the connection, without the id in HELLO's reply. */
async function playOn(side: Side, { lines, cuts }: Session, patienceMs: number): Promise<string> {
  const client = await side.connect(2);
  const bytes = Buffer.from([...lines, 'PING', 'RESET', 'QUIT', ''].join('\r\n'));
  const offsets = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length];
  for (const [i, offset] of offsets.entries()) {
    client.write(bytes.subarray(offset, offsets[i + 1] ?? offset));
    await nextTick();
  }
  const text = await client.readUntilClose(patienceMs).then(
    (received) => received.toString('latin1'),
    (error: Error) => error.message,
  );
  client.reset();
  return text.replace(/id\r\n:\d+/g, 'id\r\n:*');
}

function differing(
  mode: string,
  { lines, cuts }: Session,
  direct: string,
  through: string,
): Difference {
  let at = 0;
  while (direct[at] === through[at]) at += 1;
  const shown = (text: string): string => `…${escaped(text.slice(Math.max(0, at - 60)))}`;
  const sent = `${lines.join(' | ')}, cut at ${cuts.map((cut) => cut.toFixed(3)).join(' ')}`;
  return { mode, command: 'session', sent, direct: shown(direct), through: shown(through) };
}
