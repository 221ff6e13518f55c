/** What a client's connection writes, when, and how it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestClient, turn } from '../helpers/test-client.js';

test('replies are written when the outbox is flushed, all of a tick in one write', async () => {
  const client = new TestClient().reading();
  const { connection, outbox } = client;
  for (const text of ['+a\r\n', '$1\r\nb\r\n', ':3\r\n']) {
    connection.reply(Buffer.from(text), 0, text.length);
  }
  await turn();
  assert.deepEqual(client.chunks, []);
  outbox.flush();
  await turn();
  assert.deepEqual(client.chunks, ['+a\r\n$1\r\nb\r\n:3\r\n']);
  assert.equal(client.traffic.downstreamBytesOut, 15);
});

test('slices of chunks are written as they are, in the order they were given', async () => {
  const client = new TestClient().reading();
  const chunk = Buffer.from('xx+a\r\n+b\r\nyy');
  client.connection.reply(chunk, 2, 6);
  client.connection.reply(chunk, 6, 10);
  client.connection.reply(Buffer.from('+c\r\n'), 0, 4);
  client.outbox.flush();
  await turn();
  assert.equal(client.chunks.join(''), '+a\r\n+b\r\n+c\r\n');
});

test('long replies are written in their order among short ones', async () => {
  const client = new TestClient({ outputLimitBytes: 64 * 1024 * 1024 }).reading();
  const long = `$200000\r\n${'x'.repeat(200_000)}\r\n`;
  await client.reply('+a\r\n', long, '+b\r\n', long, '+c\r\n');
  assert.equal(client.chunks.join(''), `+a\r\n${long}+b\r\n${long}+c\r\n`);
});

test('a reply that nobody else flushes goes out at the end of the tick', async () => {
  const client = new TestClient().reading();
  client.connection.replyHere(Buffer.from('+OK\r\n'));
  client.connection.replyHere(Buffer.from('+OK\r\n'));
  client.clock.endTick();
  await turn();
  assert.deepEqual(client.chunks, ['+OK\r\n+OK\r\n']);
});

test('I6: a client that does not read is disconnected at the limit, and counted', async () => {
  const client = new TestClient({ outputLimitBytes: 100_000 });
  const kilobyte = `$1000\r\n${'x'.repeat(1000)}\r\n`;
  for (let sent = 0; sent < 90; sent += 1) await client.reply(kilobyte);
  assert.ok(!client.socket.destroyed);
  assert.ok(client.connection.unreadBytes > 10_000);
  for (let sent = 0; sent < 50; sent += 1) await client.reply(kilobyte);
  assert.ok(client.socket.destroyed);
  assert.equal(client.traffic.clientsClosedForOutput, 1);
  assert.deepEqual(client.handler.events, ['closed']);
});

test('what a slow reader has not taken does not pin the chunks that it came in', async () => {
  const client = new TestClient({ outputLimitBytes: 10 * 1024 * 1024 });
  await client.reply(`$100000\r\n${'x'.repeat(100_000)}\r\n`);
  const written: Uint8Array[] = [];
  const { socket } = client;
  const write = socket.write.bind(socket);
  socket.write = (bytes: Uint8Array) => {
    written.push(bytes);
    return write(bytes);
  };
  const chunk = Buffer.alloc(64 * 1024, 'y');
  client.connection.reply(chunk, 10, 20);
  client.outbox.flush();
  assert.equal(written.length, 1);
  assert.notEqual(written[0]!.buffer, chunk.buffer);
});

test('what the operating system has not taken is said to be referred to, and nothing else', async () => {
  for (const writableLength of [0, 1]) {
    const client = new TestClient();
    Object.defineProperty(client.socket, 'writableLength', { get: () => writableLength });
    await client.reply('+OK\r\n');
    assert.equal(client.outbox.takeRetaining(), writableLength > 0);
  }
});

test('who lags is told to be drained once the client has read', async () => {
  const client = new TestClient({ outputLimitBytes: 10 * 1024 * 1024 });
  await client.reply(`$100000\r\n${'x'.repeat(100_000)}\r\n`, '+OK\r\n');
  let drained = 0;
  client.connection.whenDrained(() => (drained += 1));
  assert.equal(drained, 0);
  client.reading();
  await turn();
  await turn();
  assert.equal(drained, 1);
  assert.equal(client.connection.unreadBytes, 0);
});

test('finish writes the last words behind everything else and says goodbye', async () => {
  const client = new TestClient().reading();
  const reply = Buffer.from('+a\r\n');
  client.connection.reply(reply, 0, reply.length);
  client.connection.finish(Buffer.from('+OK\r\n'));
  await turn();
  assert.equal(client.chunks.join(''), '+a\r\n+OK\r\n');
  assert.ok(client.sawEnd);
  assert.equal(client.traffic.downstreamBytesOut, 9);
});

test('what comes after finish is read and thrown away; nothing more is written', async () => {
  const client = new TestClient().reading();
  client.connection.finish(null);
  await client.send('*1\r\n$4\r\nPING\r\n');
  await client.reply('+late\r\n');
  client.connection.finish(Buffer.from('+again\r\n'));
  await turn();
  assert.deepEqual(
    client.handler.events.filter((event) => event !== 'closed'),
    [],
  );
  assert.deepEqual([client.chunks, client.sawEnd], [[], true]);
});

test('a client that does not take its goodbye is dropped after a while', async () => {
  const client = new TestClient();
  client.connection.finish(Buffer.from('+OK\r\n'));
  await turn();
  assert.ok(!client.socket.destroyed);
  client.idled?.();
  assert.ok(client.socket.destroyed);
});

test('one that takes it slowly gets all of it; from then on its time runs, whatever it sends', async () => {
  const client = new TestClient({ outputLimitBytes: 10 * 1024 * 1024 });
  const long = `$200000\r\n${'x'.repeat(200_000)}\r\n`;
  await client.reply(long, long);
  client.connection.finish(Buffer.from('+OK\r\n'));
  client.clock.advance(60_000);
  assert.ok(!client.socket.destroyed);
  client.reading();
  await turn();
  assert.deepEqual([client.chunks.join(''), client.sawEnd], [`${long}${long}+OK\r\n`, true]);
  client.clock.advance(4000);
  await client.send('x');
  client.clock.advance(1000);
  assert.ok(client.socket.destroyed);
  assert.equal(client.clock.timerCount, 0);
});

test('a client that goes on sending after its goodbye is dropped', async () => {
  const client = new TestClient().reading();
  client.connection.finish(Buffer.from('-ERR Protocol error\r\n'));
  for (let sent = 0; sent < 1024 * 1024; sent += 16 * 1024)
    await client.send('x'.repeat(16 * 1024));
  assert.ok(!client.socket.destroyed);
  await client.send('x');
  assert.ok(client.socket.destroyed);
  assert.deepEqual([client.chunks.join(''), client.sawEnd], ['-ERR Protocol error\r\n', true]);
});

test('finish ends a stall: its backlog is not looked at any more', async () => {
  const client = new TestClient().reading();
  client.handler.stalling.add('select');
  await client.send('*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n');
  client.connection.finish(null);
  assert.ok(!client.connection.isStalled);
  client.handler.stalling.clear();
  client.connection.resume();
  await turn();
  assert.deepEqual(
    client.handler.events.filter((event) => event !== 'closed'),
    ['not now select'],
  );
});

test('finish in the middle of a chunk ends the reading of it', async () => {
  const client = new TestClient().reading();
  client.handler.onCommand = () => client.connection.finish(Buffer.from('+OK\r\n'));
  await client.send('QUIT\r\nPING\r\n*1\r\n$4\r\nPING\r\n');
  const array = new TestClient().reading();
  array.handler.onCommand = () => array.connection.finish(Buffer.from('+OK\r\n'));
  await array.send('*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n');
  for (const { handler, chunks } of [client, array]) {
    assert.deepEqual(
      handler.events.filter((event) => event !== 'closed'),
      ['command QUIT'],
    );
    assert.deepEqual(chunks, ['+OK\r\n']);
  }
});

test('destroy closes at once; what is queued is not written', async () => {
  const client = new TestClient().reading();
  client.connection.reply(Buffer.from('+a\r\n'), 0, 4);
  client.connection.destroy();
  client.outbox.flush();
  await turn();
  assert.deepEqual([client.chunks, client.handler.events], [[], ['closed']]);
});

test('a client that is gone takes no replies and harms nobody', async () => {
  const client = new TestClient();
  client.socket.destroy(new Error('ECONNRESET'));
  await turn();
  await client.reply('+a\r\n');
  client.connection.finish(null);
  client.connection.resume();
  assert.deepEqual(client.handler.events, ['closed']);
});
