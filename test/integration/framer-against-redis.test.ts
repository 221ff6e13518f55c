/**
 * The wall against hostile bytes, measured against the one it imitates: the same bytes go to a redis-server and through
 * the sidecar to another one, each on a connection of its own that then says no more. What comes back must be the same
 * to the byte: the replies before the error, its text, and whether there is one at all. Commands cut off at every byte
 * show that the connection closes at the same one.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { chooseFrom, seededRandom } from '../conformance/random.js';
import { Cleanups } from '../helpers/cleanups.js';
import { FUZZ_SEED, mutated, randomBytes, randomTokens } from '../helpers/fuzz.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { MIXED_TRAFFIC, REFUSED_REQUESTS, REQUESTS } from '../helpers/request-corpus.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const TIMEOUT_MS = 60_000;
const PING = encodeCommand('PING');
const FENCE = [PING, Buffer.from('\r\nPING\r\n'), Buffer.alloc(0)];

/** Everything that comes back for `bytes`, after which the client says no more. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    const chunks: Buffer[] = [];
    const received = (): string => Buffer.concat(chunks).toString('latin1');
    socket.on('data', (chunk) => chunks.push(chunk));
    // Redis closes with bytes unread where it refuses them: a reset, behind its last words.
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(received()) : reject(error),
    );
    socket.on('close', () => resolve(received()));
    socket.setTimeout(TIMEOUT_MS, () => {
      socket.destroy();
      reject(new Error(`not closed within ${TIMEOUT_MS} ms: ${shown(bytes)}`));
    });
    socket.end(bytes);
  });
}

function shown(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}… (${text.length})` : text);
}

/** A redis-server, and a sidecar in front of another one like it. */
class Pair {
  direct = 0;
  sidecar = 0;

  async start(
    cleanups: Cleanups,
    redisArgs: string[],
    env: Record<string, string> = {},
  ): Promise<void> {
    const isGuarded = env.RESPOOL_REQUIREPASS !== undefined;
    const [direct, behind] = await Promise.all([
      startRedis(cleanups, { args: redisArgs }),
      startRedis(cleanups, { args: isGuarded ? [] : redisArgs }),
    ]);
    this.direct = direct.port;
    this.sidecar = (await startSidecar(cleanups, { upstream: behind.url, env })).port;
  }

  async agreeOn(bytes: Buffer): Promise<string> {
    const [expected, actual] = await Promise.all([
      exchange(this.direct, bytes),
      exchange(this.sidecar, bytes),
    ]);
    assert.equal(actual, expected, `seed ${FUZZ_SEED}: ${shown(bytes)}`);
    return expected;
  }

  /** Agreement wherever the client stops. */
  async agreeOnPrefixes(bytes: Buffer): Promise<void> {
    for (let end = 1; end <= bytes.length; end += 1) await this.agreeOn(bytes.subarray(0, end));
  }
}

suite('the sidecar refuses what Redis refuses, in its words and at its byte', () => {
  const cleanups = new Cleanups();
  const open = new Pair();
  const strange = new Pair();
  const guarded = new Pair();

  before(async () => {
    await open.start(cleanups, []);
    await strange.start(cleanups, ['--requirepass', 'secret']);
    await guarded.start(cleanups, ['--requirepass', 'secret'], { RESPOOL_REQUIREPASS: 'secret' });
  });
  after(() => cleanups.run());

  test('every request and every refused one, cut off at every byte', async () => {
    const short = REQUESTS.filter((text) => text.length < 100);
    for (const text of [...short, ...REFUSED_REQUESTS.map(([bytes]) => bytes)]) {
      await open.agreeOnPrefixes(Buffer.from(text, 'latin1'));
    }
  });

  test('replies that are owed come before the error, and nothing comes behind it', async () => {
    for (const [text, error] of REFUSED_REQUESTS) {
      const bytes = Buffer.concat([PING, Buffer.from(text, 'latin1'), PING]);
      const received = await open.agreeOn(bytes);
      assert.equal(received, `+PONG\r\n-ERR Protocol error: ${error}\r\n`);
    }
  });

  test('lines without an end, around the limit of 64 KB', async () => {
    for (const length of [65_535, 65_536, 65_537]) {
      for (const [head, fill] of [
        ['', 'a'],
        ['*', '1'],
        ['*1\r\n', 'a'],
        ['*1\r\n$', '1'],
        ['PING\0\r\n', 'a'],
      ] as const) {
        const line = head.slice(head.lastIndexOf('\n') + 1);
        const lead = head.slice(0, head.length - line.length);
        const bytes = Buffer.from(lead + line.padEnd(length, fill), 'latin1');
        await open.agreeOn(bytes);
      }
    }
  });

  test('mutated traffic, random parts of the protocol and random bytes', async () => {
    const random = seededRandom(FUZZ_SEED);
    for (let round = 0; round < 300; round += 1) {
      const fence = chooseFrom(random, FENCE);
      await open.agreeOn(Buffer.concat([mutated(random, MIXED_TRAFFIC), fence]));
      await open.agreeOn(Buffer.concat([randomTokens(random, 1 + (round % 20)), fence]));
      await open.agreeOn(Buffer.concat([randomBytes(random, round % 60), fence]));
    }
  });

  test('inline commands with all kinds of quotes', async () => {
    const random = seededRandom(FUZZ_SEED + 1);
    const parts = [
      '"',
      "'",
      '\\',
      ' ',
      '\t',
      '\v',
      '\f',
      '\r',
      'x41',
      'a',
      '\xff',
      '\\"',
      "\\'",
      '\0',
    ];
    for (let round = 0; round < 300; round += 1) {
      const words = Array.from({ length: round % 12 }, () => chooseFrom(random, parts)).join('');
      await open.agreeOn(Buffer.from(`ECHO ${words}\r\nPING\r\n`, 'latin1'));
    }
  });

  /** Before and after the password, in one go. */
  const conversations: Buffer[] = [
    PING,
    encodeCommand('MGET', ...Array.from({ length: 9 }, () => 'k')),
    encodeCommand('MGET', ...Array.from({ length: 10 }, () => 'k')),
    encodeCommand('ECHO', 'x'.repeat(16_384)),
    Buffer.from('*2\r\n$4\r\nECHO\r\n$16385\r\n'),
    Buffer.from('*11\r\n'),
    Buffer.concat([encodeCommand('AUTH', 'wrong'), PING]),
    Buffer.concat([encodeCommand('AUTH', 'secret'), PING]),
    Buffer.from('AUTH secret\r\nPING\r\n'),
    Buffer.concat([PING, encodeCommand('AUTH', 'secret'), PING]),
    ...['AUTH', 'wrong'].map((password) =>
      Buffer.concat([encodeCommand('AUTH', password), Buffer.from('*11\r\n')]),
    ),
    Buffer.concat([
      encodeCommand('AUTH', 'secret'),
      encodeCommand('MGET', ...Array.from({ length: 20 }, () => 'k')),
      encodeCommand('ECHO', 'x'.repeat(20_000)),
    ]),
    Buffer.concat([
      encodeCommand('HELLO', '3', 'AUTH', 'default', 'secret'),
      encodeCommand('MGET', ...Array.from({ length: 20 }, () => 'k')),
    ]).subarray(0),
  ];

  for (const [name, pair] of [
    ['the upstream asks for', strange],
    ['the sidecar itself asks for', guarded],
  ] as const) {
    test(`the small limits before a password that ${name}, and their end with it`, async () => {
      for (const bytes of conversations) {
        const [expected, actual] = await Promise.all([
          exchange(pair.direct, bytes),
          exchange(pair.sidecar, bytes),
        ]);
        assert.equal(withoutId(actual), withoutId(expected), shown(bytes));
      }
    });
  }
});

/** HELLO tells the connection's id, which is another one on every server. */
function withoutId(received: string): string {
  return received.replace(/(\$2\r\nid\r\n):\d+/, '$1:0');
}
