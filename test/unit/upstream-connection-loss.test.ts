/** What is said about commands whose connection is lost (I5): sent, half answered, or never sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRESH_STATE, IdentityRegister } from '../../src/command/connection-state.js';
import { FenceRegister } from '../../src/upstream/fences.js';
import { PROMPT, SLOW } from '../../src/upstream/in-flight.js';
import { commandsIn, FakeTransport } from '../helpers/fake-transport.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestConnection } from '../helpers/test-connection.js';

test('I5: what was sent and not answered is lost, and its receivers are told first', () => {
  const { stream, clock, send, events } = new TestConnection().opened();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  const order: string[] = [];
  a.onEvent = () => order.push('a');
  b.onEvent = () => order.push('b');
  send(a, 'X', 'X', 'X');
  send(b, 'X');
  clock.endTick();
  stream.say('+OK\r\n');
  stream.close(new Error('gone'));
  assert.deepEqual(a.events, ['1: +OK|', 'lost 2']);
  assert.deepEqual(b.events, ['lost 1']);
  assert.deepEqual([a.returned, b.returned], [[['X', 'X']], [['X']]]);
  assert.equal(a.cause?.message, 'gone');
  assert.deepEqual(order, ['a', 'a', 'b']);
  assert.deepEqual(events, ['ready', 'lost: gone']);
});

test('I5: what was gathered and never written is handed back, not lost', () => {
  const test = new TestConnection().opened();
  const { stream, clock, send, sendWith } = test;
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  send(a, 'SENT');
  clock.endTick();
  send(a, 'HELD 1');
  sendWith(SLOW, b, 'HELD 2', `HELD ${'x'.repeat(10_000)}`);
  send(b, 'HELD 4');
  stream.close();
  assert.deepEqual(a.events, ['lost 1']);
  assert.deepEqual(b.events, []);
  const { unsent } = test.lost!;
  assert.deepEqual(
    unsent.entries.map(({ receiver, count, requests }) => [
      receiver === a ? 'a' : 'b',
      count,
      commandsIn(requests!).map((command) => command.slice(0, 6)),
    ]),
    [
      ['a', 1, ['HELD 1']],
      ['b', 2, ['HELD 2', 'HELD x']],
      ['b', 1, ['HELD 4']],
    ],
  );
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['SENT']);
});

test('a reply that was cut in its middle is said to be so, once', () => {
  const { stream, clock, send } = new TestConnection().opened();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  send(a, 'X', 'X');
  send(b, 'X');
  clock.endTick();
  stream.say('+OK\r\n$5\r\nhel');
  stream.close();
  assert.deepEqual(a.events, ['1: +OK|$5|hel', 'lost 1 in its middle']);
  assert.deepEqual(b.events, ['lost 1']);
});

test('what follows the loss is not said any more', () => {
  const { connection, stream, clock, send, events } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  send(receiver, 'X');
  clock.endTick();
  connection.fail(new Error('first'));
  stream.say('+OK\r\n');
  stream.close(new Error('second'));
  stream.drain();
  connection.fail(new Error('third'));
  clock.advance(1_000_000);
  assert.deepEqual(receiver.events, ['lost 1']);
  assert.equal(events.filter((event) => event.startsWith('lost')).length, 1);
});

test('a lost connection leaves no timer behind', () => {
  const { connection, clock } = new TestConnection().opened();
  connection.fail(new Error('gone'));
  assert.equal(clock.timerCount, 0);
});

test('an abandoned connection is reset and says nothing to anybody', () => {
  const { connection, stream, clock, send, events } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  send(receiver, 'X');
  connection.abandon();
  assert.equal(stream.ending, 'reset');
  stream.say('+OK\r\n');
  stream.close();
  clock.advance(1_000_000);
  assert.deepEqual([receiver.events, events], [[], ['ready']]);
  assert.deepEqual([stream.sent(), clock.timerCount], ['', 0]);
});

test('a receiver that loses the connection while it gets a reply ends the delivery', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  a.onEvent = () => connection.fail(new Error('enough'));
  send(a, 'X');
  send(b, 'X');
  clock.endTick();
  stream.say('+1\r\n+2\r\n');
  assert.deepEqual(a.events, ['1: +1|']);
  assert.deepEqual(b.events, ['lost 1']);
});

test('a connection that was lost while opening is never ready', () => {
  const test = new TestConnection();
  test.stream.close(new Error('ECONNREFUSED'));
  test.stream.open();
  assert.deepEqual(test.events, ['lost: ECONNREFUSED']);
  assert.ok(!test.connection.isReady && test.connection.isLost);
});

test('what was too much to be kept, or streamed, is lost without its bytes, the rest with them', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  const part = Buffer.from('*1\r\n$4\r\nPING\r\n');
  send(receiver, 'GET a', 'GET b');
  connection.send(receiver, part, 0, 6, 0, PROMPT);
  clock.endTick();
  connection.send(receiver, part, 6, part.length, 1, PROMPT);
  send(receiver, 'GET c');
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['GET a', 'GET b', 'PING', 'GET c']);
  stream.say('+OK\r\n');
  stream.close();
  assert.deepEqual(receiver.events.slice(1), ['lost 1', 'lost 1', 'lost 1']);
  assert.deepEqual(receiver.returned, [['GET b'], null, ['GET c']]);
});

test('the pairing of bytes is right whatever the sidecar has said for itself in between', () => {
  const test = new TestConnection({ state: { ...FRESH_STATE, name: 'me', db: 1 } });
  const { connection, stream, clock, send } = test;
  const receiver = new RecordingReceiver();
  stream.open();
  stream.say('+OK\r\n+OK\r\n');
  send(receiver, 'GET a');
  connection.adopt({ ...FRESH_STATE, db: 2 });
  send(receiver, 'GET b');
  clock.endTick();
  stream.say('$-1\r\n+OK\r\n');
  stream.close();
  assert.deepEqual(receiver.returned, [['GET b']]);
});

test('what a receiver of a loss sends on the dead connection is not lost again', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  const receiver = new RecordingReceiver();
  receiver.onEvent = () => send(receiver, 'AGAIN');
  send(receiver, 'X');
  clock.endTick();
  stream.close();
  clock.endTick();
  assert.deepEqual(receiver.events, ['lost 1']);
  assert.ok(connection.isLost);
});

// ── fences ─────────────────────────────────────────────────────────────────────────────────────────

const CLIENT_INFO = 'id=7 addr=127.0.0.1:51234 laddr=127.0.0.1:6379 name= db=0';

interface FencedOptions {
  reply?: string;
  closeIsFinal?: boolean;
}

/** A connection that is fenced when it is given up, and has been told what it is called. */
function fenced({ reply, closeIsFinal = false }: FencedOptions = {}): TestConnection & {
  fences: FenceRegister;
} {
  const fences = new FenceRegister(() => undefined);
  const transport = Object.assign(new FakeTransport(), { closeIsFinal });
  const test = new TestConnection({ fences, transport });
  test.stream.open();
  assert.deepEqual(test.stream.sentCommands(), ['CLIENT INFO']);
  test.stream.say(reply ?? `$${CLIENT_INFO.length}\r\n${CLIENT_INFO}\r\n`);
  assert.deepEqual(test.events, ['ready']);
  return Object.assign(test, { fences });
}

const TARGET = { id: '7', addr: '127.0.0.1:51234' };

test('I5: a connection given up with something on it is to be fenced, before its receivers know', () => {
  const endings: ((test: TestConnection) => void)[] = [
    ({ stream }) => stream.close(new Error('ECONNRESET')),
    ({ connection }) => connection.fail(new Error('deadline')),
    ({ connection }) => connection.abandon(),
  ];
  for (const end of endings) {
    const test = fenced();
    const receiver = new RecordingReceiver();
    const seen: unknown[] = [];
    receiver.onEvent = () => seen.push(...test.fences.pending);
    test.send(receiver, 'SET k v');
    test.clock.endTick();
    end(test);
    assert.deepEqual(test.fences.pending, [TARGET]);
    if (receiver.events.length > 0) assert.deepEqual(seen, [TARGET]);
  }
});

test('bytes that nobody is asked about may still act: a part of a command, or a tunnel', () => {
  const streamed = fenced();
  const part = Buffer.from('*3\r\n$3\r\nSET\r\n');
  streamed.connection.send(new RecordingReceiver(), part, 0, part.length, 0, PROMPT);
  streamed.clock.endTick();
  streamed.connection.abandon();
  assert.deepEqual(streamed.fences.pending, [TARGET]);
  const tunnel = fenced();
  tunnel.connection.becomeTunnel(new RecordingReceiver());
  tunnel.stream.close();
  assert.deepEqual(tunnel.fences.pending, [TARGET]);
});

test('no fence is needed for what is idle, never left, or was read to its end by who closed it', () => {
  const idle = fenced();
  idle.stream.close();
  const held = fenced();
  held.send(new RecordingReceiver(), 'X');
  held.stream.close();
  const local = fenced({ closeIsFinal: true });
  local.send(new RecordingReceiver(), 'X');
  local.clock.endTick();
  local.stream.close();
  const quit = fenced();
  quit.connection.becomeTunnel(new RecordingReceiver());
  quit.connection.expectsClose = true;
  quit.stream.close();
  for (const { fences } of [idle, held, local, quit]) assert.deepEqual(fences.pending, []);
});

test('what we give up ourselves is fenced however near the peer is', () => {
  const local = fenced({ closeIsFinal: true });
  local.send(new RecordingReceiver(), 'X');
  local.clock.endTick();
  local.connection.fail(new Error('deadline'));
  assert.deepEqual(local.fences.pending, [TARGET]);
});

test('an upstream that does not tell what a connection is called: its loss forbids repeating', () => {
  for (const reply of ["-NOPERM no permissions to run 'client|info'\r\n", '-ERR unknown\r\n']) {
    const test = fenced({ reply });
    test.send(new RecordingReceiver(), 'X');
    test.clock.endTick();
    test.stream.close();
    assert.deepEqual([test.fences.pending, test.fences.isForbidden], [[], true]);
  }
});

test('the reply in RESP3 is a verbatim string', () => {
  const text = `txt:${CLIENT_INFO}`;
  const test = fenced({ reply: `=${text.length}\r\n${text}\r\n` });
  test.send(new RecordingReceiver(), 'X');
  test.clock.endTick();
  test.stream.close();
  assert.deepEqual(test.fences.pending, [TARGET]);
});

test("I8: a connection that has become a client's own and has no id is nothing to us", () => {
  const test = fenced({ reply: '-NOAUTH Authentication required.\r\n' });
  test.connection.identity = new IdentityRegister().identityOf({ user: 'ann', password: 'pw' });
  test.send(new RecordingReceiver(), 'X');
  test.clock.endTick();
  test.stream.close();
  assert.deepEqual([test.fences.pending, test.fences.isForbidden], [[], false]);
});
