import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byteByByte, cutAtRandom, everySplit } from '../helpers/fuzz.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { seededRandom } from '../conformance/random.js';
import { TestClient, turn } from '../helpers/test-client.js';

function commands(...texts: string[]): Buffer {
  return Buffer.concat(texts.map((text) => encodeCommand(...text.split(' '))));
}

test('a run of plain commands is forwarded as it came, in one piece', async () => {
  const { handler, send } = bound(new TestClient());
  await send(commands('GET a', 'SET b c', 'PING'));
  assert.deepEqual(handler.events, ['forward GET a, SET b c, PING']);
});

test('a special command ends the run and is handed over by itself, in its order', async () => {
  const { handler, send } = bound(new TestClient());
  await send(commands('GET a', 'MULTI', 'GET b', 'GET c', 'EXEC', 'GET d'));
  assert.deepEqual(handler.events, [
    'forward GET a',
    'command MULTI',
    'forward GET b, GET c',
    'command EXEC',
    'forward GET d',
  ]);
});

test('what passes may change from one command to the next', async () => {
  const { handler, send } = bound(new TestClient());
  handler.onCommand = () => handler.passing.clear();
  await send(commands('GET a', 'MULTI', 'GET b'));
  assert.deepEqual(handler.events, ['forward GET a', 'command MULTI', 'command GET b']);
});

test('I4: commands arrive whole and in order, however the bytes are cut', async () => {
  const bytes = Buffer.concat([
    commands('GET a', 'MULTI', 'SET k 1234567890', 'EXEC'),
    Buffer.from('*0\r\nPING\r\n\r\nSUBSCRIBE "a b"\r\n'),
    commands('GET b'),
  ]);
  const expected = Buffer.concat([
    commands('GET a', 'MULTI', 'SET k 1234567890', 'EXEC', 'PING'),
    encodeCommand('SUBSCRIBE', 'a b'),
    commands('GET b'),
  ]).toString('latin1');
  for (const chunks of everySplit(bytes)) {
    const { handler, send } = bound(new TestClient());
    await send(...chunks);
    assert.equal(handler.bytes, expected);
  }
});

test('inline commands become arrays; empty lines and empty arrays become nothing', async () => {
  const { handler, send } = bound(new TestClient());
  await send('PING\r\nset "a b" \'c\'\n\r\n*0\r\n*-1\r\nmulti\r\n');
  assert.deepEqual(handler.events, ['forward PING', 'forward set a b c', 'command multi']);
});

test('an unfinished command waits for its rest and does not hold up what came before', async () => {
  const { handler, send } = bound(new TestClient());
  const bytes = commands('GET a', 'GET b');
  await send(bytes.subarray(0, -3));
  assert.deepEqual(handler.seen(), ['forward GET a']);
  await send(bytes.subarray(-3));
  assert.deepEqual(handler.seen(), ['forward GET b']);
});

test('a stalled client is not read and loses nothing', async () => {
  const client = new TestClient();
  const { handler, send } = bound(client);
  handler.stalling.add('select');
  await send(commands('GET a', 'SELECT 1', 'GET b'));
  assert.deepEqual(handler.seen(), ['forward GET a', 'not now select']);
  assert.ok(client.connection.isStalled && client.socket.isPaused());
  await send(commands('GET c'));
  assert.deepEqual(handler.seen(), []);
  client.connection.resume();
  assert.deepEqual(handler.seen(), ['not now select']);
  handler.stalling.clear();
  client.connection.resume();
  await turn();
  assert.deepEqual(handler.seen(), ['command SELECT 1', 'forward GET b', 'forward GET c']);
  assert.ok(!client.connection.isStalled && !client.socket.isPaused());
});

test('a stall at any command and any cut loses nothing and doubles nothing', async () => {
  const bytes = Buffer.concat([
    commands('GET a', 'SELECT 1', 'SELECT 2', 'GET b'),
    Buffer.from('SELECT 3\r\nPING\r\n'),
    commands('SELECT 4'),
  ]);
  const expected = commands(
    'GET a',
    'SELECT 1',
    'SELECT 2',
    'GET b',
    'SELECT 3',
    'PING',
    'SELECT 4',
  );
  for (const chunks of [[bytes], byteByByte(bytes), cutAtRandom(seededRandom(7), bytes)]) {
    const client = new TestClient();
    const { handler } = client;
    handler.stalling.add('select');
    handler.onCommand = () => handler.stalling.add('select');
    for (const chunk of chunks) {
      await client.send(chunk);
      while (client.connection.isStalled) {
        handler.stalling.clear();
        client.connection.resume();
        await turn();
      }
    }
    assert.equal(handler.bytes, expected.toString('latin1'));
  }
});

test('resume from inside a command does not run ahead of it', async () => {
  const client = new TestClient();
  const { handler } = client;
  handler.onCommand = () => client.connection.resume();
  await client.send(commands('MULTI', 'EXEC', 'GET a'));
  assert.deepEqual(handler.events, ['command MULTI', 'command EXEC', 'forward GET a']);
});

test('input that is paused for other reasons does not start again while the client is stalled', async () => {
  const client = new TestClient();
  const { handler, connection, socket } = client;
  handler.stalling.add('select');
  await client.send(commands('SELECT 1'));
  connection.pauseInput();
  connection.resumeInput();
  assert.ok(socket.isPaused());
  handler.stalling.clear();
  connection.resume();
  assert.ok(!socket.isPaused());
});

test('pausing and resuming input needs no stall', async () => {
  const client = new TestClient();
  client.connection.pauseInput();
  await client.send(commands('GET a'));
  assert.deepEqual(client.handler.events, []);
  client.connection.resumeInput();
  await turn();
  assert.deepEqual(client.handler.events, ['forward GET a']);
});

test('a protocol error is handed over with the bytes it began with, behind what came before', async () => {
  const { handler, send } = bound(new TestClient());
  await send(commands('GET a'), Buffer.concat([commands('GET b'), Buffer.from('*1\r\nPING\r\n')]));
  assert.deepEqual(handler.events, [
    'forward GET a',
    'forward GET b',
    "error: expected '$', got 'P'",
  ]);
  assert.equal(handler.rest?.toString(), '*1\r\nPING\r\n');
});

test('unbalanced quotes are a protocol error', async () => {
  const { handler, send } = bound(new TestClient());
  await send('PING\r\nSET "a\r\n');
  assert.deepEqual(handler.events, ['forward PING', 'error: unbalanced quotes in request']);
});

test('a protocol error that has to wait comes again, the same', async () => {
  for (const wrong of ['*1\r\nPING\r\n', 'SET "a\r\n', '*1\r\n$-1\r\n', '*a\r\n']) {
    const client = new TestClient();
    const { handler } = client;
    handler.isBusy = true;
    await client.send(Buffer.concat([commands('GET a'), Buffer.from(wrong)]));
    assert.ok(client.connection.isStalled);
    const [, first] = handler.seen();
    client.connection.resume();
    assert.deepEqual(handler.seen(), [first]);
    handler.isBusy = false;
    client.connection.resume();
    assert.deepEqual(handler.seen(), [first]);
    assert.equal(handler.rest?.toString(), wrong);
    assert.ok(!client.connection.isStalled);
  }
});

test('before authentication the small limits hold, and end with it', async () => {
  const client = new TestClient();
  client.connection.authenticated = false;
  client.handler.onCommand = () => (client.connection.authenticated = true);
  const long = encodeCommand('MGET', ...Array.from({ length: 20 }, () => 'k'));
  await client.send(Buffer.concat([commands('AUTH pw'), long]));
  assert.deepEqual(client.handler.events, [
    'command AUTH pw',
    `forward ${'MGET k k k k k k k k'}… (44)`,
  ]);
  const stranger = new TestClient();
  stranger.connection.authenticated = false;
  await stranger.send(long);
  assert.deepEqual(stranger.handler.events, ['error: unauthenticated multibulk length']);
});

test('a client that sends no more is known after what it sent last', async () => {
  const client = new TestClient();
  await client.send(commands('GET a'));
  await client.endInput();
  assert.deepEqual(client.handler.events, ['forward GET a', 'input ended']);
});

test('a stalled client that sends no more is known as such when its backlog is done', async () => {
  const client = new TestClient();
  const { handler } = client;
  handler.stalling.add('select');
  await client.send(commands('SELECT 1', 'GET a'));
  await client.endInput();
  handler.stalling.clear();
  client.connection.resume();
  await turn();
  assert.deepEqual(handler.events, [
    'not now select',
    'command SELECT 1',
    'forward GET a',
    'input ended',
  ]);
});

test('bytes in are counted', async () => {
  const client = new TestClient();
  await client.send('PING\r\n', 'PI');
  assert.equal(client.traffic.downstreamBytesIn, 8);
});

/** A client and its methods, to be taken apart. */
function bound(client: TestClient): { handler: TestClient['handler']; send: TestClient['send'] } {
  return { handler: client.handler, send: client.send.bind(client) };
}
