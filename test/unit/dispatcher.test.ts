/** One client's commands from end to end, without sockets: what goes where, in which order, and what comes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestProxy } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';

test('plain commands of all clients share a lane, and each client gets its own replies', async () => {
  const proxy = new TestProxy().connected();
  const [a, b] = [proxy.client(), proxy.client()];
  await a.say('GET a', 'GET b');
  await b.say('GET c');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a', 'GET b', 'GET c']);
  proxy.lane.say('$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n');
  assert.equal(await a.received(), '$1|1|$1|2|');
  assert.equal(await b.received(), '$1|3|');
  assert.equal(proxy.transport.streams.length, 1);
});

test('I7: a transaction runs on a connection of its own, which others may use afterwards', async () => {
  const proxy = new TestProxy().connected();
  const [a, b] = [proxy.client(), proxy.client()];
  await a.say('MULTI', 'SET k v', 'EXEC', 'GET k');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI', 'SET k v', 'EXEC', 'GET k']);
  proxy.own.say(`${OK}${QUEUED}*1\r\n${OK}$1\r\nv\r\n`);
  assert.equal(await a.received(), '+OK|+QUEUED|*1|+OK|$1|v|');
  assert.equal(proxy.upstream.pool.idleCount, 1);
  await b.say('MULTI');
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI']);
  assert.equal(proxy.transport.streams.length, 2);
});

test('I4: a command that must go elsewhere waits for the replies before it', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('GET a', 'MULTI', 'GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
  assert.equal(proxy.transport.streams.length, 1);
  proxy.lane.say('$1\r\n1\r\n');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI', 'GET b']);
  proxy.own.say(`${OK}${QUEUED}`);
  assert.equal(await client.received(), '$1|1|+OK|+QUEUED|');
});

test('I4: what is answered here waits for the replies before it, too', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('GET a', 'QUIT', 'GET b');
  assert.equal(await client.received(), '');
  proxy.lane.say('$1\r\n1\r\n');
  assert.equal(await client.received(), '$1|1|+OK|');
  assert.ok(client.isClosed);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
});

test('a setting counts once it is confirmed, and then on every lane', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('SELECT 5');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['SELECT 5']);
  proxy.own.say(OK);
  await client.say('GET k');
  const lane = proxy.own;
  lane.open();
  assert.deepEqual(lane.sentCommands(), ['CLIENT SETNAME respool', 'SELECT 5']);
  lane.say(`${OK}${OK}`);
  proxy.clock.endTick();
  assert.deepEqual(lane.sentCommands(), ['GET k']);
  assert.deepEqual(proxy.lane.sentCommands(), []);
  assert.equal(await client.received(), '+OK|');
});

test('a blocking command blocks nobody else', async () => {
  const proxy = new TestProxy().connected();
  const [a, b] = [proxy.client(), proxy.client()];
  await a.say('BLPOP q 0');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['BLPOP q 0']);
  await b.say('GET k');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
  proxy.lane.say('$-1\r\n');
  assert.equal(await b.received(), '$-1|');
  assert.equal(await a.received(), '');
});

test('a client that leaves takes its blocked command and its WATCH with it', async () => {
  for (const command of ['BLPOP q 0', 'WATCH k']) {
    const proxy = new TestProxy().connected();
    const client = proxy.client();
    await client.say(command);
    proxy.own.open();
    proxy.clock.endTick();
    if (command.startsWith('WATCH')) proxy.own.say(OK);
    await client.vanish();
    assert.equal(proxy.own.ending, 'reset', command);
    assert.deepEqual([proxy.upstream.pool.lentCount, proxy.upstream.pool.idleCount], [0, 0]);
  }
});

test('a client that says no more still gets what it asked for', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('GET a');
  await client.endInput();
  assert.ok(!client.isClosed);
  proxy.lane.say('$1\r\n1\r\n');
  assert.equal(await client.received(), '$1|1|');
  assert.ok(client.isClosed);
});

test('a subscriber keeps its connection, and its bytes pass as they come', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('SUBSCRIBE c', 'PING');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['SUBSCRIBE c', 'PING']);
  proxy.own.say('*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n');
  assert.match(await client.received(), /^\*3\|\$9\|subscribe\|.*pong\|\$0\|\|$/);
  await client.vanish();
  assert.equal(proxy.own.ending, 'reset');
});

test('RESET makes a client as new', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('SELECT 5');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK);
  await client.say('RESET', 'GET k');
  assert.equal(await client.received(), '+OK|+RESET|');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('a protocol error comes behind the replies before it, and then the end', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.sendBytes(Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\na\r\n*1\r\n?\r\n'));
  assert.equal(await client.received(), '');
  proxy.lane.say('$1\r\n1\r\n');
  assert.equal(await client.received(), "$1|1|-ERR Protocol error: expected '$', got '?'|");
  assert.ok(client.isClosed);
  assert.equal(proxy.observer.protocolErrors, 1);
});

test('nothing of a locked client reaches the upstream before the password', async () => {
  const proxy = new TestProxy({ password: 'secret' }).connected();
  const client = proxy.client();
  await client.say('GET a', 'AUTH wrong', 'AUTH secret', 'GET b');
  assert.match(await client.received(), /^-NOAUTH [^|]*\|-WRONGPASS [^|]*\|\+OK\|$/);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('an upstream that is away lets commands wait, and then says so', async () => {
  const proxy = new TestProxy();
  const client = proxy.client();
  await client.say('GET a', 'GET b');
  proxy.clock.advance(900);
  assert.equal(await client.received(), '');
  proxy.clock.advance(200);
  assert.match(await client.received(), /^-UNAVAILABLE [^|]*\|-UNAVAILABLE [^|]*\|$/);
  await client.say('MULTI');
  proxy.clock.advance(1100);
  assert.match(await client.received(), /^-UNAVAILABLE [^|]*\|$/);
});

test('I5: what could do harm a second time is told to have an unknown outcome, once', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('INCR a', 'INCR b');
  proxy.lane.say(':1\r\n');
  proxy.lane.close(new Error('gone'));
  assert.match(await client.received(), /^:1\|-UNKNOWNOUTCOME [^|]*\|$/);
  assert.ok(!client.isClosed);
});

test('a reply that was cut in its middle can only be ended with the connection', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('GET a');
  proxy.lane.say('$10\r\nhello');
  assert.equal(await client.received(), '$10|hello');
  proxy.lane.close();
  assert.equal(await client.received(), '');
  assert.ok(client.isClosed);
});

test('a blocked command survives its connection and gets the time that is left', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('BLPOP q 10');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.sent();
  proxy.clock.advance(4000);
  proxy.own.close();
  proxy.clock.advance(1000);
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['BLPOP q 5.000']);
  proxy.own.say('*2\r\n$1\r\nq\r\n$1\r\nv\r\n');
  assert.equal(await client.received(), '*2|$1|q|$1|v|');
});

test('a client that orders far more than it is sent is slowed down, and gets everything', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  const count = 5000;
  await client.say(...Array.from({ length: count }, (_, index) => `GET ${index}`));
  let answered = 0;
  let received = '';
  let most = 0;
  while (answered < count) {
    proxy.clock.endTick();
    const commands = proxy.lane.sentCommands();
    assert.ok(commands.length > 0, `stuck after ${answered}`);
    most = Math.max(most, commands.length);
    commands.forEach((command) => assert.equal(command, `GET ${answered++}`));
    proxy.lane.say(commands.map((command) => `+${command.slice(4)}\r\n`).join(''));
    received += await client.received();
  }
  assert.ok(most < count);
  assert.deepEqual(
    received.split('|').slice(0, -1),
    Array.from({ length: count }, (_, index) => `+${index}`),
  );
});
