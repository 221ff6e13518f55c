/** Commands too long to be collected, on their way through a client's connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutAtRandom } from '../helpers/fuzz.js';
import { seededRandom } from '../conformance/random.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { TestClient, turn } from '../helpers/test-client.js';

const LONG = encodeCommand('SET', 'key', 'v'.repeat(300_000));
const GET = encodeCommand('GET', 'a');
const LIMITS = { maxBulkBytes: 512 * 1024 * 1024 };

/** `bytes` in chunks of `size`. */
function inChunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}

test('a long command is passed on as it comes, and nothing of it is kept', async () => {
  const client = new TestClient(LIMITS);
  const { handler } = client;
  await client.send(Buffer.concat([GET, LONG.subarray(0, 100_000)]));
  assert.deepEqual(handler.seen(), ['forward GET a', 'begin set']);
  assert.equal(handler.bytes.length, GET.length + 100_000);
  await client.send(LONG.subarray(100_000, 200_000));
  assert.equal(handler.bytes.length, GET.length + 200_000);
  await client.send(Buffer.concat([LONG.subarray(200_000), GET]));
  assert.deepEqual(handler.seen(), ['stream ended', 'forward GET a']);
  assert.equal(handler.bytes, Buffer.concat([GET, LONG, GET]).toString('latin1'));
});

test('a long command passes unchanged, however it is cut', async () => {
  const many = encodeCommand(
    'MGET',
    ...Array.from({ length: 20_000 }, (_, index) => `key${index}`),
  );
  const bytes = Buffer.concat([GET, LONG, many, GET, many]);
  const cuts = [1000, 4096, 65_536, 65_537, 100_003].map((size) => inChunks(bytes, size));
  const coarse = cutAtRandom(seededRandom(3), bytes.subarray(0, 5000));
  cuts.push([...coarse, ...inChunks(bytes.subarray(5000), 7919)]);
  for (const chunks of cuts) {
    const client = new TestClient(LIMITS);
    await client.send(...chunks);
    assert.equal(client.handler.bytes, bytes.toString('latin1'), `${chunks.length} chunks`);
  }
});

test('the header lines of a long command may be cut anywhere', async () => {
  const header = Buffer.from('$100000\r\n');
  const start = LONG.subarray(0, 80_000);
  const body = Buffer.concat([
    Buffer.from('*3\r\n$4\r\nMGET\r\n$80000\r\n'),
    start,
    Buffer.from('\r\n'),
    header,
    Buffer.alloc(100_000, 'x'),
    Buffer.from('\r\n'),
  ]);
  const headerAt = body.indexOf(header);
  for (let cut = headerAt - 3; cut <= headerAt + header.length + 3; cut += 1) {
    const client = new TestClient(LIMITS);
    await client.send(
      body.subarray(0, 70_000),
      body.subarray(70_000, cut),
      body.subarray(cut),
      GET,
    );
    assert.equal(client.handler.bytes, Buffer.concat([body, GET]).toString('latin1'), `cut ${cut}`);
  }
});

test('a long command that must wait is stalled, and read on when it may go', async () => {
  const client = new TestClient(LIMITS);
  const { handler, connection, socket } = client;
  handler.streamAnswer = false;
  await client.send(LONG.subarray(0, 100_000));
  assert.deepEqual([handler.seen(), handler.bytes], [['begin set'], '']);
  assert.ok(connection.isStalled && socket.isPaused());
  handler.streamAnswer = true;
  connection.resume();
  await client.send(LONG.subarray(100_000));
  assert.equal(handler.bytes, LONG.toString('latin1'));
  assert.deepEqual(handler.seen(), ['begin set', 'stream ended']);
});

test('a long command that must be seen whole is collected', async () => {
  const client = new TestClient(LIMITS);
  const { handler } = client;
  handler.streamAnswer = null;
  const long = encodeCommand(
    'SUBSCRIBE',
    ...Array.from({ length: 9000 }, (_, index) => `channel-${index}`),
  );
  await client.send(...inChunks(long, 30_000));
  assert.equal(handler.bytes, long.toString('latin1'));
  assert.ok(handler.events.at(-1)?.startsWith('command SUBSCRIBE'));
});

test('I6: what must be seen whole has a limit, with an error that says so', async () => {
  const client = new TestClient(LIMITS).reading();
  client.handler.streamAnswer = null;
  await client.send('*2\r\n$9\r\nSUBSCRIBE\r\n$536870912\r\n');
  const chunk = Buffer.alloc(8 * 1024 * 1024, 'x');
  for (let sent = 0; sent < 10; sent += 1) await client.send(chunk);
  await turn();
  assert.match(client.chunks.join(''), /^-ERR Protocol error: .* 64 MB\r\n$/);
  assert.ok(client.sawEnd);
});

test('a command whose name has not come yet is collected until it has', async () => {
  const client = new TestClient(LIMITS);
  const { handler } = client;
  handler.streamAnswer = null;
  const strange = encodeCommand('x'.repeat(100_000), 'a');
  await client.send(...inChunks(strange, 30_000));
  assert.equal(handler.bytes, strange.toString('latin1'));
});

test('an error in the middle of a long command is handed over, and nothing behind it', async () => {
  const client = new TestClient(LIMITS);
  const { handler } = client;
  await client.send(
    Buffer.concat([Buffer.from('*3\r\n$3\r\nSET\r\n$80000\r\n'), Buffer.alloc(70_000, 'x')]),
    Buffer.concat([Buffer.alloc(10_000, 'x'), Buffer.from('\r\n?\r\nPING\r\n')]),
  );
  assert.deepEqual(handler.events, ['begin set', "error: expected '$', got '?'"]);
});

test('a declared size costs nothing until bytes come', async () => {
  const clients = Array.from({ length: 200 }, () => new TestClient(LIMITS));
  const before = process.memoryUsage();
  for (const client of clients) {
    await client.send('*1000000000\r\n$3\r\nSET\r\n$536870912\r\nabc');
    assert.deepEqual(client.handler.events, []);
  }
  const after = process.memoryUsage();
  assert.ok(after.rss - before.rss < 100 * 1024 * 1024);
  assert.ok(after.arrayBuffers - before.arrayBuffers < 16 * 1024 * 1024);
});

test('256 MB stream through in little memory', async () => {
  const client = new TestClient(LIMITS);
  const { handler } = client;
  let passed = 0;
  handler.stream = (_buffer, start, end) => void (passed += end - start);
  await client.send('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$268435456\r\n');
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const before = process.memoryUsage().rss;
  for (let sent = 0; sent < 256; sent += 1) await client.send(chunk);
  assert.ok(passed > 250 * 1024 * 1024);
  assert.ok(process.memoryUsage().rss - before < 128 * 1024 * 1024);
});
