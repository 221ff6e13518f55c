/**
 * Random sessions: one connection says things that change what it is (MULTI, SUBSCRIBE, HELLO,
 * SELECT, WATCH, AUTH, blocking, CLIENT REPLY, RESET …) in a random order, cut into random pieces,
 * without waiting for replies, and leaves with RESET (Redis forgets to close on QUIT while replies
 * are off) and QUIT. Both byte streams must be the same. A session
 * that differs is made smaller until every line of it is needed.
 */
import { setImmediate as nextTick } from 'node:timers/promises';
import { RESET_ALL } from './fixture.js';
import type { Pair, Side } from './lock-step.js';
import { chooseFrom, type Random } from './random.js';
import { escaped, type Difference } from './report.js';

export const LINES: readonly string[] = [
  ...['GET str', 'SET str x', 'INCR int', 'GET missing', 'DEL str', 'HGETALL hash', 'LPUSH str x'],
  ...['MULTI', 'MULTI', 'EXEC', 'EXEC', 'DISCARD', 'WATCH str', 'WATCH int', 'UNWATCH', 'NOSUCH a'],
  ...['SELECT 0', 'SELECT 1', 'SELECT 99', 'DBSIZE', 'PING', 'PING hello', 'ECHO x', 'GET'],
  ...['SUBSCRIBE a', 'SUBSCRIBE a b', 'UNSUBSCRIBE a', 'UNSUBSCRIBE b', 'PSUBSCRIBE p*'],
  ...[
    'PUNSUBSCRIBE p*',
    'SSUBSCRIBE s',
    'SUNSUBSCRIBE s',
    'PUBLISH a m',
    'PUBLISH p1 m',
    'SPUBLISH s m',
  ],
  ...['HELLO 2', 'HELLO 3', 'HELLO 4', 'HELLO 3 SETNAME n', 'RESET', 'AUTH alice secret', 'AUTH x'],
  ...['ACL WHOAMI', 'CLIENT SETNAME me', 'CLIENT GETNAME', 'CLIENT REPLY OFF', 'CLIENT REPLY ON'],
  ...['CLIENT REPLY ON', 'CLIENT REPLY SKIP', 'CLIENT TRACKING ON', 'CLIENT TRACKING OFF'],
  ...[
    'CLIENT TRACKINGINFO',
    'CLIENT NO-EVICT ON',
    'BLPOP missing 0.001',
    'BLPOP list 0.001',
    'RPUSH list a',
  ],
  ...['XREAD BLOCK 1 STREAMS stream $', 'WAIT 0 1', 'EVAL "return {1,2}" 0', 'FCALL echoing 0'],
  ...[
    'DEBUG PROTOCOL map',
    'DEBUG PROTOCOL push',
    'MGET str int',
    'FLUSHALL',
    'SWAPDB 0 1',
    '*0',
    '',
  ],
];

const PATIENCE_MS = 3_000;
const MAX_PIECES = 6;

/** One session: its lines, and the random number that places its cuts. */
interface Session {
  readonly lines: readonly string[];
  readonly cuts: readonly number[];
}

/** Plays `count` sessions of `length` lines; differences carry the smallest session that shows them. */
export async function runSessions(
  pair: Pair,
  { count, length, random }: { count: number; length: number; random: Random },
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (let i = 0; i < count; i += 1) {
    const lines = Array.from({ length }, () => chooseFrom(random, LINES));
    const pieces = Math.floor(random() * MAX_PIECES);
    const session = { lines, cuts: Array.from({ length: pieces }, random).sort() };
    if ((await differenceOf(pair, session)) === null) continue;
    const smallest = await shrunk(pair, session);
    const difference = await differenceOf(pair, smallest);
    if (difference !== null) differences.push({ ...difference, mode: `session ${i}` });
  }
  return differences;
}

/** Leaves out line after line as long as the rest still differs. */
async function shrunk(pair: Pair, session: Session): Promise<Session> {
  let smallest = session;
  for (let at = session.lines.length - 1; at >= 0; at -= 1) {
    const candidate = { ...smallest, lines: smallest.lines.filter((_, i) => i !== at) };
    if ((await differenceOf(pair, candidate)) !== null) smallest = candidate;
  }
  const whole = { ...smallest, cuts: [] };
  return (await differenceOf(pair, whole)) === null ? smallest : whole;
}

export async function differenceOf(
  pair: Pair,
  session: Session,
  patienceMs = PATIENCE_MS,
): Promise<Difference | null> {
  await pair.reset(RESET_ALL);
  const [direct, through] = await Promise.all([
    play(pair.direct, session, patienceMs),
    play(pair.through, session, patienceMs),
  ]);
  if (direct === through) return null;
  let at = 0;
  while (direct[at] === through[at]) at += 1;
  const shown = (text: string): string => escaped(text.slice(Math.max(0, at - 60)));
  return {
    mode: 'session',
    command: 'session',
    sent: `${session.lines.map(escaped).join(' ')} cut at ${session.cuts.map((c) => c.toFixed(3)).join(' ')}`,
    direct: `…${shown(direct)}`,
    through: `…${shown(through)}`,
  };
}

/** Everything one side answers, to the end of the connection, without the id in HELLO's reply. */
async function play(side: Side, { lines, cuts }: Session, patienceMs: number): Promise<string> {
  const client = await side.connect(2);
  const bytes = Buffer.from([...lines, 'RESET', 'QUIT', ''].join('\r\n'));
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
