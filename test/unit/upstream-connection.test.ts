import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRESH_STATE, IdentityRegister } from '../../src/command/connection-state.js';
import { PROMPT } from '../../src/upstream/in-flight.js';
import { everySplit } from '../helpers/fuzz.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestConnection } from '../helpers/test-connection.js';

const OK = '+OK\r\n';

test('a connection without credentials and state is ready as soon as it is open', () => {
  const { connection, stream, events } = new TestConnection();
  assert.ok(!connection.isReady);
  stream.open();
  assert.ok(connection.isReady);
  assert.deepEqual(events, ['ready']);
  assert.equal(stream.sent(), '');
});

test('the greeting gives credentials and state, and nothing goes out before it is answered', () => {
  const test = new TestConnection({
    identity: new IdentityRegister().identityOf({ user: 'ann', password: 'pw' }),
    state: { ...FRESH_STATE, resp: 3, name: 'respool', db: 2 },
  });
  test.stream.open();
  assert.deepEqual(test.stream.sentCommands(), [
    'AUTH ann pw',
    'HELLO 3',
    'CLIENT SETNAME respool',
    'SELECT 2',
  ]);
  test.stream.say(`${OK}%1\r\n+proto\r\n:3\r\n${OK}`);
  assert.ok(!test.connection.isReady);
  test.stream.say(OK);
  assert.ok(test.connection.isReady);
  assert.equal(test.connection.state.db, 2);
});

test("a client's connection becomes what it is to be before it gets the client's rights", () => {
  const identity = new IdentityRegister().identityOf({ user: 'ann', password: 'pw' });
  const test = new TestConnection({ identity, isClients: true, state: { ...FRESH_STATE, db: 2 } });
  test.stream.open();
  assert.deepEqual(test.stream.sentCommands(), ['SELECT 2']);
  test.stream.say(OK);
  assert.deepEqual(test.stream.sentCommands(), ['AUTH ann pw']);
  assert.ok(!test.connection.isReady);
  test.stream.say(OK);
  assert.ok(test.connection.isReady);
  assert.equal(test.connection.state.db, 2);
});

test('where strangers may not do that, the client is asked to', () => {
  const identity = new IdentityRegister().identityOf({ user: 'ann', password: 'pw' });
  for (const refusal of ['NOAUTH Authentication required.', "NOPERM … the 'select' command"]) {
    const state = { ...FRESH_STATE, db: 2 };
    const { stream, connection } = new TestConnection({ identity, isClients: true, state });
    stream.open();
    stream.say(`-${refusal}\r\n`);
    assert.deepEqual(stream.sentCommands(), ['SELECT 2', 'AUTH ann pw', 'SELECT 2']);
    stream.say(`${OK}${OK}`);
    assert.deepEqual([connection.isReady, connection.refusesStrangers], [true, false]);
    assert.equal(connection.state.db, 2);
  }
});

test('a refused greeting loses the connection; a refused name does not', () => {
  const identity = new IdentityRegister().identityOf({ user: null, password: 'pw' });
  const refused = new TestConnection({ identity, state: { ...FRESH_STATE, db: 99 } });
  refused.stream.open();
  refused.stream.say(`${OK}-ERR DB index is out of range\r\n`);
  assert.deepEqual(refused.events, [
    'lost: the upstream refused the connection: ERR DB index is out of range',
  ]);
  assert.equal(refused.stream.ending, 'reset');

  const nameless = new TestConnection({ state: { ...FRESH_STATE, name: 'respool' } });
  nameless.stream.open();
  nameless.stream.say("-ERR unknown command 'CLIENT'\r\n");
  assert.ok(nameless.connection.isReady);
});

test('wrong credentials are told from a missing password', () => {
  const identity = new IdentityRegister().identityOf({ user: null, password: 'pw' });
  const wrong = new TestConnection({ identity });
  wrong.stream.open();
  wrong.stream.say('-WRONGPASS invalid username-password pair\r\n');
  assert.equal(wrong.lost?.cause.constructor.name, 'CredentialsRefused');

  const stranger = new TestConnection({ state: { ...FRESH_STATE, db: 1 } });
  stranger.stream.open();
  stranger.stream.say('-NOAUTH Authentication required.\r\n');
  assert.ok(stranger.connection.isReady && stranger.connection.refusesStrangers);
  assert.equal(stranger.connection.state.db, 0);
});

test('what one tick brings goes out in one write', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  send(receiver, 'PING', 'ECHO a');
  send(new RecordingReceiver(), 'PING');
  assert.equal(stream.writes.length, 0);
  assert.equal(connection.commandsInFlight, 3);
  assert.ok(connection.pendingBytes > 0);
  clock.endTick();
  assert.equal(stream.writes.length, 1);
  assert.deepEqual(stream.sentCommands(), ['PING', 'ECHO a', 'PING']);
  assert.equal(connection.pendingBytes, 0);
});

test('runs of any length keep their order and their bytes', () => {
  const { stream, clock, send } = new TestConnection().opened();
  const words = [10, 9000, 3, 40_000, 8000, 8000, 8000, 8000, 8000, 300_000, 1].map(
    (length, index) => `ECHO ${String.fromCharCode(97 + index).repeat(length)}`,
  );
  for (let tick = 0; tick < 3; tick += 1) {
    for (const word of words) send(new RecordingReceiver(), word);
    clock.endTick();
    assert.deepEqual(stream.sentCommands(), words);
  }
});

test('the bytes of a small run are copied: its buffer may change before the tick ends', () => {
  const { connection, stream, clock } = new TestConnection().opened();
  const buffer = Buffer.from('*1\r\n$4\r\nPING\r\n');
  connection.send(new RecordingReceiver(), buffer, 0, buffer.length, 1, PROMPT);
  buffer.fill('x');
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['PING']);
});

test('what the stream still holds is not overwritten by the next tick', () => {
  const { connection, stream, clock } = new TestConnection().opened();
  const held: Uint8Array[] = [];
  stream.write = (bytes: Uint8Array): boolean => {
    held.push(bytes);
    stream.pendingBytes += bytes.length;
    return false;
  };
  const ping = Buffer.from('*1\r\n$4\r\nPING\r\n');
  const echo = Buffer.from('*1\r\n$4\r\nECHO\r\n');
  for (const frame of [ping, echo]) {
    connection.send(new RecordingReceiver(), frame, 0, frame.length, 1, PROMPT);
    clock.endTick();
  }
  assert.equal(Buffer.concat(held).toString(), `${ping.toString()}${echo.toString()}`);
});

test('I1: replies go to who asked, in order, wherever the bytes are cut', () => {
  const replies = '+a\r\n$2\r\nbb\r\n*2\r\n:1\r\n:2\r\n-ERR x\r\n+e\r\n';
  for (const chunks of everySplit(Buffer.from(replies))) {
    const { stream, clock, send } = new TestConnection().opened();
    const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
    send(a, 'X', 'X');
    send(b, 'X');
    send(a, 'X', 'X');
    clock.endTick();
    for (const chunk of chunks) stream.say(chunk.toString('latin1'));
    assert.deepEqual([a.bytes, a.replies], ['+a\r\n$2\r\nbb\r\n-ERR x\r\n+e\r\n', 4]);
    assert.deepEqual([b.bytes, b.replies], ['*2\r\n:1\r\n:2\r\n', 1]);
  }
});

test('a run of replies in one chunk is handed over as one slice', () => {
  const test = new TestConnection().opened();
  const { stream, clock, send } = test;
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  send(a, 'X', 'X', 'X');
  send(b, 'X');
  clock.endTick();
  stream.say('+1\r\n+2\r\n+3\r\n+4\r\n');
  assert.deepEqual(a.events, ['3: +1|+2|+3|']);
  assert.deepEqual(b.events, ['1: +4|']);
  assert.equal(test.deliveries, 1);
});

test('the time to a reply and the bytes both ways are counted', () => {
  const { stream, clock, send, traffic } = new TestConnection({ kind: 'pinned' }).opened();
  send(new RecordingReceiver(), 'PING', 'PING');
  clock.endTick();
  clock.advance(5);
  stream.say('+PONG\r\n+PONG\r\n');
  assert.deepEqual(traffic.replies, ['pinned 2 in 5 ms']);
  assert.deepEqual([traffic.upstreamBytesOut, traffic.upstreamBytesIn], [28, 14]);
});

test('what is said unasked, or is no RESP, loses the connection', () => {
  const unasked = new TestConnection().opened();
  unasked.stream.say('-ERR max number of clients reached\r\n');
  assert.match(unasked.events.join(), /lost: .*unasked: -ERR max number of clients reached/);
  const garbage = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  garbage.send(receiver, 'X', 'X');
  garbage.clock.endTick();
  garbage.stream.say('+OK\r\nHTTP');
  assert.match(garbage.events.join(), /begins no reply/);
  assert.equal(garbage.stream.ending, 'reset');
});

test('a tunnel gets every byte, once what is in flight has been answered', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  const [receiver, tunnel] = [new RecordingReceiver(), new RecordingReceiver()];
  send(receiver, 'X');
  connection.becomeTunnel(tunnel);
  clock.endTick();
  stream.say('+OK\r\n>1\r\n+push\r\n');
  stream.say('anything');
  assert.deepEqual(receiver.events, ['1: +OK|']);
  assert.deepEqual(tunnel.seen(), ['tunnel: >1|+push|', 'tunnel: anything']);
  stream.close();
  assert.deepEqual(tunnel.seen(), ['tunnel closed']);
});

test('adopt brings the connection to another state ahead of the next command', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  connection.adopt({ ...FRESH_STATE, db: 4 });
  send(receiver, 'GET k');
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['SELECT 4', 'GET k']);
  stream.say(`${OK}$1\r\nv\r\n`);
  assert.deepEqual(receiver.events, ['1: $1|v|']);
  connection.adopt({ ...FRESH_STATE, db: 4 });
  assert.equal(connection.commandsInFlight, 0);
});

test('a refused adoption loses the connection before the next command is answered', () => {
  const { connection, stream, clock, send, events } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  connection.adopt({ ...FRESH_STATE, db: 99 });
  send(receiver, 'GET k');
  clock.endTick();
  stream.say('-ERR DB index is out of range\r\n$5\r\nwrong\r\n');
  assert.deepEqual(receiver.events, ['lost 1']);
  assert.match(events.join(), /lost: .*DB index/);
});

test('a long reply congests its connection until it has ended', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  send(new RecordingReceiver(), 'GET big');
  clock.endTick();
  stream.say('$400000\r\n');
  assert.ok(!connection.isCongested);
  for (let sent = 0; sent < 4; sent += 1) stream.say('x'.repeat(100_000));
  assert.ok(connection.isCongested);
  stream.say('\r\n');
  assert.ok(!connection.isCongested);
});

test('reading can be stopped and restarted', () => {
  const { connection, stream } = new TestConnection().opened();
  connection.pauseReading();
  assert.ok(stream.isPaused);
  connection.resumeReading();
  assert.ok(!stream.isPaused);
});

test('a stream that drains is passed on', () => {
  const { stream, events } = new TestConnection().opened();
  stream.drain();
  assert.deepEqual(events, ['ready', 'drain']);
});

test('the stream is told whether somebody still refers to its chunk', () => {
  for (const answer of [true, false]) {
    const test = new TestConnection().opened();
    test.isRetained = answer;
    test.send(new RecordingReceiver(), 'PING');
    test.clock.endTick();
    assert.equal(test.stream.say('+PONG\r\n'), answer);
  }
});

test('a line that comes before the command was written is not its reply', () => {
  const { connection, stream, events } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  const get = Buffer.from('*2\r\n$3\r\nGET\r\n$1\r\nk\r\n');
  connection.send(receiver, get, 0, get.length, 1, PROMPT);
  stream.say('-ERR goodbye\r\n-ERR and again\r\n');
  assert.match(events.join(), /lost: .*unasked: -ERR goodbye/);
  assert.equal(receiver.bytes, '');
});

test('a lane that was refused its database asks for it again before whatever it is sent', () => {
  const lane = new TestConnection({ state: { ...FRESH_STATE, db: 1 } });
  lane.stream.open();
  lane.stream.say('-NOAUTH Authentication required.\r\n');
  lane.stream.sent();
  const receiver = new RecordingReceiver();
  lane.send(receiver, 'GET k');
  lane.clock.endTick();
  assert.deepEqual(lane.stream.sentCommands(), ['SELECT 1', 'GET k']);
  // Before it has heard whether that helped: the upstream may let strangers in between the two.
  lane.send(receiver, 'GET k');
  lane.clock.endTick();
  assert.deepEqual(lane.stream.sentCommands(), ['SELECT 1', 'GET k']);
  const refused = '-NOAUTH Authentication required.\r\n';
  lane.stream.say(`${refused}${refused}${OK}$-1\r\n`);
  assert.equal(receiver.bytes, `${refused}$-1\r\n`);
  assert.ok(!lane.connection.refusesStrangers);
  lane.send(receiver, 'GET k');
  lane.clock.endTick();
  assert.deepEqual(lane.stream.sentCommands(), ['GET k']);
});
