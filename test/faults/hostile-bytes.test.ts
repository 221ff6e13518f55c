/** Bytes that are no RESP, or too much of it: the sidecar says and does what Redis says and does, byte for byte. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Bystander } from '../helpers/bystander.js';
import { MEGABYTE, residentBytes } from '../helpers/process-figures.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';
import { assertAlike, Talk } from '../helpers/talk.js';

const SILENCE_MS = 150;
/** Redis reads 16 kB of each connection at a time; the longest input has five times that. */
const TURNS = 8;
const AT_A_TIME = 50;
const RANDOM_INPUTS = 400;
const MEMORY_LIMIT_BYTES = 64 * MEGABYTE;

/** Each is sent on a connection of its own; each may be followed by a PING that shows whether it is still served. */
const MALFORMED: readonly string[] = [
  '*2147483648\r\n',
  '*99999999999999999999\r\n',
  '*1000000000\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*-2147483649\r\n',
  '*x\r\n',
  '* 1\r\n',
  '*+1\r\n$4\r\nPING\r\n',
  '*01\r\n$4\r\nPING\r\n',
  '*1 \r\n',
  '*\r\n',
  '*1\n$4\r\nPING\r\n',
  '*1\r\n$2147483648\r\n',
  '*1\r\n$536870913\r\n',
  '*1\r\n$-1\r\n',
  '*1\r\n$x\r\n',
  '*1\r\n$\r\n',
  '*1\r\nPING\r\n',
  '*1\r\n:4\r\n',
  '*1\r\n*1\r\n$4\r\nPING\r\n',
  '*1\r\n$4\r\nPINGxx',
  '*1\r\n$4\r\nPING\n\n',
  '*1\r\n$0\r\n\r\n',
  '*2\r\n$0\r\n\r\n$1\r\na\r\n',
  '$4\r\nPING\r\n',
  '+PING\r\n',
  ':1\r\n',
  '-ERR\r\n',
  '%1\r\n',
  '\r\n\r\n\r\n',
  '\n',
  '\0\0\0\0\r\n',
  'PING\0PONG\r\n',
  'SET a "unbalanced\r\n',
  "SET a 'unbalanced\r\n",
  'SET a "b"c\r\n',
  'GET "\\xzz"\r\n',
  `ECHO ${'x'.repeat(60_000)}\r\n`,
  `ECHO ${'x'.repeat(65_530)}\r\n`,
  'x'.repeat(66_000),
  `*${'1'.repeat(70_000)}`,
  `*1\r\n$${'1'.repeat(70_000)}`,
  'GET / HTTP/1.1\r\nHost: redis\r\n\r\n',
  'POST / HTTP/1.1\r\nHost: redis\r\n\r\n',
  'Host: redis\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
  `${'*1\r\n$4\r\nPING\r\n'.repeat(50)}*x\r\n`,
  `MULTI\r\n*1\r\n$x\r\n`,
  `SUBSCRIBE c\r\n*1\r\n$x\r\n`,
];

test('malformed requests are answered and hung up on in the words of Redis', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  // Whether a newline that follows 64 kB counts depends, in Redis, on how much it reads at a time.
  const followed = MALFORMED.filter((bytes) => bytes.length < 60_000).map(
    (bytes) => `${bytes}PING\r\n`,
  );
  const inputs = [...MALFORMED, ...followed].map((bytes) => Buffer.from(bytes, 'latin1'));
  await answersAreAlike(inputs, redis.port, sidecar.port);
});

test('random bytes are answered as Redis answers them', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const seed = randomBytes(4).readUInt32LE();
  const random = seeded(seed);
  const inputs = Array.from({ length: RANDOM_INPUTS }, () => randomInput(random));
  try {
    await answersAreAlike(inputs, redis.port, sidecar.port);
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  }
});

test('10 MB without a newline are refused early, whoever sends them', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const bystander = await Bystander.start(t, sidecar.port, [sidecar.pid, redis.pid]);
  const resident = residentBytes(sidecar.pid).now;
  await bystander.isUnharmedBy(async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => lastWords(sidecar.port, Buffer.alloc(10 * MEGABYTE, 'x'))),
    );
    // A reset may overtake the last words, as it may with Redis.
    for (const answer of answers) {
      assert.match(answer, /^(-ERR Protocol error: too big inline request\r\n)?$/);
    }
  });
  const grownBytes = residentBytes(sidecar.pid).peak - resident;
  assert.ok(grownBytes <= MEMORY_LIMIT_BYTES, `${grownBytes / MEGABYTE} MB more`);
});

test('two gigabytes declared: refused at once beyond the limit, taken as they come within it', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const bystander = await Bystander.start(t, sidecar.port, [sidecar.pid, redis.pid]);
  const resident = residentBytes(sidecar.pid).now;
  await bystander.isUnharmedBy(async () => {
    for (const port of [redis.port, sidecar.port]) {
      const client = await connectRaw(port);
      client.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2147483648\r\n');
      assert.equal(
        String(await client.readUntilClose()),
        '-ERR Protocol error: invalid bulk length\r\n',
      );
    }
    const patient = await Promise.all(Array.from({ length: 100 }, () => connectRaw(sidecar.port)));
    for (const client of patient) client.write('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nfew');
    await patient[0]?.expectSilence(200);
    for (const client of patient) client.reset();
  });
  const grownBytes = residentBytes(sidecar.pid).peak - resident;
  assert.ok(grownBytes <= MEMORY_LIMIT_BYTES, `${grownBytes / MEGABYTE} MB more`);
});

async function answersAreAlike(
  inputs: readonly Buffer[],
  direct: number,
  through: number,
): Promise<void> {
  const servers = await Promise.all([connectRaw(direct), connectRaw(through)]);
  for (let at = 0; at < inputs.length; at += AT_A_TIME) {
    const pairs = await Promise.all(
      inputs.slice(at, at + AT_A_TIME).map(async (bytes) => {
        const talks = await Promise.all([Talk.begin(direct, bytes), Talk.begin(through, bytes)]);
        return [bytes, ...talks] as const;
      }),
    );
    // A server that answers somebody else has read what came before, a part of each in every turn.
    for (let turn = 0; turn < TURNS; turn += 1) {
      await Promise.all(servers.map((server) => server.ask('PING')));
    }
    // Whoever says too much has time for it.
    await pause(SILENCE_MS);
    for (const [bytes, expected, actual] of pairs) {
      await assertAlike(actual, expected, JSON.stringify(bytes.toString('latin1').slice(0, 200)));
    }
  }
  for (const server of servers) server.reset();
}

async function lastWords(port: number, bytes: Buffer): Promise<string> {
  const client = await connectRaw(port);
  client.write(bytes);
  return String(await client.readUntilClose());
}

/** Noise, or ordinary traffic with a few bytes changed; never a command that changes another connection's answer. */
function randomInput(random: () => number): Buffer {
  const length = 1 + Math.floor(random() * 200);
  if (random() < 0.3) return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  const alphabet = '*$\r\n0123456789-+:PINGECHO "\'\\x\0';
  if (random() < 0.5) {
    return Buffer.from(
      Array.from({ length }, () => alphabet.charCodeAt(Math.floor(random() * alphabet.length))),
    );
  }
  const traffic = Buffer.concat([
    encodeCommand('PING'),
    encodeCommand('ECHO', 'some text'),
    encodeCommand('MULTI'),
    encodeCommand('PING', 'queued'),
    encodeCommand('EXEC'),
    Buffer.from('ECHO "inline text"\r\n'),
  ]);
  for (let change = 0; change < 1 + random() * 3; change += 1) {
    traffic[Math.floor(random() * traffic.length)] = alphabet.charCodeAt(
      Math.floor(random() * alphabet.length),
    );
  }
  return traffic;
}

/** mulberry32: small, and the same everywhere for a seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
