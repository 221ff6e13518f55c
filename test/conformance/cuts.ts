/**
 * The same bytes in other pieces: each pipeline is sent cut in two at every byte, and byte by byte.
 * A reply must not depend on where the network cut the request.
 */
import { encodeCommand } from '../helpers/raw-client.js';
import { BINARY, CACHED_SHA1, RESET_ALL, type Words } from './fixture.js';
import type { Outcome, Pair } from './lock-step.js';
import { sameReply } from './masks.js';
import { describeOutcome, escaped, type Difference } from './report.js';

/** A pipeline and how many frames come back. */
interface Pipeline {
  readonly bytes: Buffer;
  readonly replies: number;
}

const COMMANDS: readonly (readonly Words[])[] = [
  [['PING']],
  [['ping', 'hello']],
  [['GET', 'str']],
  [
    ['GET', 'missing'],
    ['GET', 'str'],
  ],
  [
    ['SET', 'k', 'v'],
    ['GET', 'k'],
    ['DEL', 'k'],
  ],
  [
    ['SET', 'k', ''],
    ['STRLEN', 'k'],
  ],
  [
    ['SET', BINARY, BINARY],
    ['GET', BINARY],
  ],
  [
    ['SET', 'k', 'x'.repeat(150)],
    ['GETRANGE', 'k', '0', '5'],
  ],
  [
    ['INCR', 'int'],
    ['INCRBY', 'int', '-5'],
    ['INCR', 'str'],
  ],
  [
    ['MGET', 'str', 'int', 'missing'],
    ['MSET', 'a', '1', 'b', '2'],
  ],
  [
    ['LRANGE', 'list', '0', '-1'],
    ['LPUSH', 'list', 'z'],
    ['LPOP', 'list'],
  ],
  [
    ['HGETALL', 'hash'],
    ['HSET', 'hash', 'f1', 'v1'],
  ],
  [['ZRANGE', 'zset', '0', '-1', 'WITHSCORES']],
  [
    ['XADD', 'stream3', '9-1', 'f', 'v'],
    ['XRANGE', 'stream3', '-', '+'],
    ['XDEL', 'stream3', '9-1'],
  ],
  [
    ['EVAL', 'return {1,2,"a"}', '0'],
    ['EVALSHA', CACHED_SHA1, '1', 'k', 'v'],
  ],
  [['NOSUCH'], ['GET'], ['GET', 'a', 'b']],
  [[''], ['', '']],
  [['LPUSH', 'str', 'x'], ['PING']],
  [['MULTI'], ['SET', 'a', '1'], ['GET', 'a'], ['EXEC']],
  [['MULTI'], ['INCR', 'int'], ['DISCARD'], ['GET', 'int']],
  [['MULTI'], ['NOSUCH'], ['EXEC']],
  [['WATCH', 'a'], ['MULTI'], ['PING'], ['EXEC']],
  [['WATCH', 'a'], ['SET', 'a', '1'], ['MULTI'], ['EXEC'], ['UNWATCH']],
  [
    ['SELECT', '1'],
    ['SET', 'k', '1'],
    ['SELECT', '0'],
    ['GET', 'k'],
  ],
  [
    ['SELECT', '99'],
    ['GET', 'str'],
  ],
  [
    ['HELLO', '3'],
    ['HGETALL', 'hash'],
    ['HELLO', '2'],
    ['HGETALL', 'hash'],
  ],
  [['HELLO', '9'], ['PING']],
  [
    ['CLIENT', 'SETNAME', 'cut'],
    ['CLIENT', 'GETNAME'],
    ['CLIENT', 'SETNAME', ''],
  ],
  [['SUBSCRIBE', 'c'], ['PING'], ['UNSUBSCRIBE', 'c'], ['GET', 'str']],
  [['PSUBSCRIBE', 'c*'], ['PUNSUBSCRIBE', 'c*'], ['PING']],
  [['BLPOP', 'list2', '0'], ['RPUSH', 'list2', '10'], ['PING']],
  [['BLPOP', 'missing', '0.001'], ['PING']],
  [['XREAD', 'BLOCK', '1', 'STREAMS', 'stream', '$'], ['PING']],
  [['AUTH', 'alice', 'secret'], ['ACL', 'WHOAMI'], ['RESET']],
  [['AUTH', 'wrong'], ['PING']],
  [['RESET'], ['PING']],
  [
    ['OBJECT', 'ENCODING', 'str'],
    ['CONFIG', 'GET', 'hz'],
  ],
  [
    ['CLIENT', 'NO-EVICT', 'OFF'],
    ['CLIENT', 'TRACKINGINFO'],
  ],
  [
    ['DEBUG', 'PROTOCOL', 'map'],
    ['DEBUG', 'PROTOCOL', 'double'],
  ],
  [
    ['DEBUG', 'PROTOCOL', 'verbatim'],
    ['DEBUG', 'PROTOCOL', 'bignum'],
  ],
  [['ECHO', '*1\r\n$4\r\nPING\r\n'], ['PING']],
];

const BYTES: readonly (readonly [string, number])[] = [
  ['PING\r\n', 1],
  ['GET str\r\nGET int\r\n', 2],
  ['GET str\n\n\r\nPING\n', 2],
  ['SET "a\\r\\nb" \'it\\\'s\'\r\nGET "a\\x0d\\x0ab"\r\n', 2],
  ['ECHO "a\\tb"\r\n*1\r\n$4\r\nPING\r\n', 2],
  ['*0\r\n*-1\r\nPING\r\n*1\r\n$4\r\nPING\r\n', 2],
  ['MULTI\r\nSET a 1\r\nEXEC\r\n', 3],
  ['SUBSCRIBE c\r\nUNSUBSCRIBE c\r\nPING\r\n', 3],
  ['CLIENT REPLY SKIP\r\nGET a\r\nPING\r\n', 1],
  ['CLIENT REPLY OFF\r\nGET a\r\nCLIENT REPLY ON\r\nPING\r\n', 2],
  ['nosuch a b\r\nPING\r\n', 2],
];

/** After these the connection closes; what came before is answered. */
const CLOSING: readonly string[] = [
  'GET str\r\nQUIT\r\n',
  'GET str\r\n*x\r\n',
  'GET str\r\n*1\r\n$x\r\n',
  'GET str\r\n*2\r\n$3\r\nGET\r\n!3\r\n',
  'GET str\r\nECHO "a\r\n',
  'MULTI\r\nGET str\r\n*1\r\n+\r\n',
  'SET a 1\r\n*-9999999999999999999\r\n',
];

/** Every pipeline at every cut; differences name the cut. */
export async function runCuts(pair: Pair): Promise<Difference[]> {
  await pair.reset(RESET_ALL);
  const differences: Difference[] = [];
  const open = [
    ...COMMANDS.map((commands) => ({
      bytes: Buffer.concat(commands.map((words) => encodeCommand(...words))),
      replies: commands.length,
    })),
    ...BYTES.map(([text, replies]) => ({ bytes: Buffer.from(text, 'latin1'), replies })),
  ];
  for (const pipeline of open) differences.push(...(await runPipeline(pair, pipeline, 'open')));
  for (const text of CLOSING) {
    // One reply more than there can be: reading ends with the connection.
    const pipeline = { bytes: Buffer.from(text, 'latin1'), replies: 9 };
    differences.push(...(await runPipeline(pair, pipeline, 'closed')));
  }
  await pair.disconnect();
  return differences;
}

async function runPipeline(
  pair: Pair,
  { bytes, replies }: Pipeline,
  ending: Outcome['ending'],
): Promise<Difference[]> {
  for (const { name, chunks } of cutsOf(bytes)) {
    const [a, b] = await pair.exchangeChunks(chunks, replies);
    if (ending === 'closed') await pair.disconnect();
    if (a.ending === ending && isSame(a, b)) continue;
    await pair.disconnect();
    const mode = `${name} RESP${pair.protocol}`;
    const [direct, through] = [describeOutcome(a), describeOutcome(b)];
    return [{ mode, command: 'cut', sent: escaped(bytes), direct, through }];
  }
  return [];
}

function cutsOf(bytes: Buffer): { name: string; chunks: Buffer[] }[] {
  const whole = { name: 'whole', chunks: [bytes] };
  const twos = Array.from({ length: bytes.length - 1 }, (_, i) => ({
    name: `cut at ${i + 1}`,
    chunks: [bytes.subarray(0, i + 1), bytes.subarray(i + 1)],
  }));
  const single = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
  return [whole, ...twos, { name: 'byte by byte', chunks: single }];
}

function isSame(a: Outcome, b: Outcome): boolean {
  if (a.ending !== b.ending || a.rest !== b.rest || a.frames.length !== b.frames.length)
    return false;
  return a.frames.every((frame, i) => {
    const twin = b.frames[i];
    // HELLO's mask hides nothing but fields that only its reply has.
    return twin !== undefined && sameReply('hello', frame, twin);
  });
}
