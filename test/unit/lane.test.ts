import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../../src/base/backoff.js';
import { FRESH_STATE } from '../../src/command/connection-state.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { PROMPT, type Patience } from '../../src/upstream/in-flight.js';
import { Lane } from '../../src/upstream/lane.js';
import type { ReplyReceiver } from '../../src/upstream/receiver.js';
import { Silence } from '../../src/upstream/silence.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FakeTransport, type FakeStream } from '../helpers/fake-transport.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { connectionOptions } from '../helpers/test-connection.js';

const HOLD_MS = 1000;
const RETRY_MS = 50;

/** A lane over fakes, not yet connected. */
class TestLane {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly silence = new Silence(this.clock);
  /** `ready` or `lost: <why>`. */
  readonly changes: string[] = [];
  readonly lane: Lane;

  constructor({ state = FRESH_STATE, eager = true } = {}) {
    const { clock, transport, silence } = this;
    this.lane = new Lane({
      connection: connectionOptions({ clock, transport, silence, state, slowTimeoutMs: 60_000 }),
      clock,
      backoff: new Backoff({
        firstMs: RETRY_MS,
        maxMs: 1000,
        factor: 2,
        jitter: 0,
        random: () => 0,
      }),
      eager,
      holdMs: HOLD_MS,
      onChange: (_, cause) =>
        this.changes.push(cause === null ? 'ready' : `lost: ${cause.message}`),
      onDelivered: () => undefined,
    });
  }

  get stream(): FakeStream {
    return this.transport.last;
  }

  connected(): this {
    this.stream.open();
    this.clock.endTick();
    return this;
  }

  readonly send = (receiver: ReplyReceiver, command: string, patience: Patience = PROMPT): void => {
    const bytes = encodeCommand(command.split(' '));
    this.lane.send(receiver, bytes, 0, bytes.length, 1, patience);
  };
}

test('a lane connects by itself and passes commands on', () => {
  const { lane, stream, clock, send, changes } = new TestLane().connected();
  const receiver = new RecordingReceiver();
  assert.ok(lane.isReady);
  send(receiver, 'PING');
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['PING']);
  stream.say('+PONG\r\n');
  assert.deepEqual(receiver.events, ['1: +PONG|']);
  assert.deepEqual(changes, ['ready']);
});

test('what is sent before there is a connection waits, and goes out first and in order', () => {
  const { lane, stream, clock, send } = new TestLane();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  send(a, 'FIRST');
  send(b, 'SECOND');
  send(a, 'THIRD');
  assert.equal(lane.queuedCommands, 3);
  assert.ok(lane.pendingBytes > 0);
  stream.open();
  send(b, 'FOURTH');
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['FIRST', 'SECOND', 'THIRD', 'FOURTH']);
  assert.deepEqual([lane.queuedCommands, lane.pendingBytes], [0, 0]);
  stream.say('+1\r\n+2\r\n+3\r\n+4\r\n');
  assert.deepEqual(a.events, ['1: +1|', '1: +3|']);
  assert.deepEqual(b.events, ['1: +2|', '1: +4|']);
});

test('what waits does not pin the chunk that it came in', () => {
  const { lane, stream, clock } = new TestLane();
  const chunk = Buffer.from('*1\r\n$4\r\nPING\r\n');
  lane.send(new RecordingReceiver(), chunk, 0, chunk.length, 1, PROMPT);
  chunk.fill('x');
  stream.open();
  clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['PING']);
});

test('a command waits as long as it may and is then refused, the oldest first', () => {
  const { lane, clock, send } = new TestLane();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  send(a, 'X');
  clock.advance(600);
  send(b, 'X');
  clock.advance(350);
  assert.deepEqual([a.events, b.events], [[], []]);
  clock.advance(100);
  assert.deepEqual([a.events, b.events], [['refused 1'], []]);
  clock.advance(600);
  assert.deepEqual(b.events, ['refused 1']);
  assert.equal(lane.queuedCommands, 0);
});

test('the reason of a refusal is why there is no connection', () => {
  const { stream, clock, send } = new TestLane();
  const receiver = new RecordingReceiver();
  send(receiver, 'X');
  stream.close(new Error('ECONNREFUSED'));
  clock.advance(2000);
  assert.equal(receiver.cause?.message, 'ECONNREFUSED');
});

test('a silence that is explained is waited out, also by those who wait for the greeting', () => {
  const { clock, stream, silence, send } = new TestLane({ state: { ...FRESH_STATE, db: 1 } });
  silence.pauseFor(30_000);
  stream.open();
  const receiver = new RecordingReceiver();
  send(receiver, 'PING');
  clock.advance(29_000);
  assert.deepEqual(receiver.events, []);
  clock.advance(2000);
  assert.deepEqual(receiver.events, ['refused 1']);
});

test('a lost lane tries again with growing pauses, and at once from the first after a success', () => {
  const { transport, clock, changes } = new TestLane();
  const pauses: number[] = [];
  const lose = (): void => {
    transport.last.close(new Error('refused'));
    const before = transport.streams.length;
    let waited = 0;
    while (transport.streams.length === before) {
      clock.advance(1);
      waited += 1;
    }
    pauses.push(waited);
  };
  lose();
  lose();
  lose();
  transport.last.open();
  lose();
  assert.deepEqual(pauses, [50, 100, 200, 50]);
  assert.deepEqual(changes.slice(-2), ['ready', 'lost: refused']);
});

test('a lane that is not kept ready comes back when somebody needs it', () => {
  const { transport, clock, send } = new TestLane({ eager: false }).connected();
  transport.last.close();
  clock.advance(100_000);
  assert.equal(transport.streams.length, 1);
  const receiver = new RecordingReceiver();
  send(receiver, 'PING');
  clock.advance(RETRY_MS);
  transport.last.open();
  clock.endTick();
  assert.deepEqual(transport.last.sentCommands(), ['PING']);
});

test('I5: when the connection dies, what was sent is lost and what was not goes out on the next', () => {
  const { transport, clock, send } = new TestLane().connected();
  const [sent, held] = [new RecordingReceiver(), new RecordingReceiver()];
  send(sent, 'SENT');
  clock.endTick();
  send(held, 'HELD');
  transport.last.close();
  assert.deepEqual([sent.events, held.events], [['lost 1'], []]);
  clock.advance(RETRY_MS);
  transport.last.open();
  clock.endTick();
  assert.deepEqual(transport.last.sentCommands(), ['HELD']);
  transport.last.say('+OK\r\n');
  assert.deepEqual(held.events, ['1: +OK|']);
});

test('senders pause above the high-water mark and are woken once below it', () => {
  const { lane, stream, clock, send } = new TestLane().connected();
  send(new RecordingReceiver(), `ECHO ${'x'.repeat(100_000)}`);
  clock.endTick();
  assert.ok(!lane.isOverloaded);
  stream.pendingBytes = 2 * 1024 * 1024;
  assert.ok(lane.isOverloaded);
  let woken = 0;
  const resume = (): void => void (woken += 1);
  lane.whenWritable(resume);
  lane.whenWritable(resume);
  stream.drain();
  stream.drain();
  assert.equal(woken, 1);
});

test('senders that wait are woken when the connection is lost, too', () => {
  const { lane, stream } = new TestLane().connected();
  stream.pendingBytes = 2 * 1024 * 1024;
  let woken = 0;
  lane.whenWritable(() => (woken += 1));
  stream.close();
  assert.equal(woken, 1);
});

test('what waits for a connection counts towards the high-water mark', () => {
  const { lane, clock, send } = new TestLane();
  for (let sent = 0; sent < 11; sent += 1)
    send(new RecordingReceiver(), `E ${'x'.repeat(100_000)}`);
  assert.ok(lane.isOverloaded);
  let woken = 0;
  lane.whenWritable(() => (woken += 1));
  clock.advance(2000);
  assert.deepEqual([woken, lane.isOverloaded], [1, false]);
});

test('a retired lane lets go of everything and never comes back', () => {
  const { lane, transport, clock, send } = new TestLane();
  const receiver = new RecordingReceiver();
  send(receiver, 'X');
  lane.retire();
  assert.deepEqual(receiver.events, ['refused 1']);
  assert.equal(transport.last.ending, 'reset');
  clock.advance(100_000);
  assert.equal(transport.streams.length, 1);
  assert.equal(clock.timerCount, 0);
  send(receiver, 'X');
  clock.advance(2 * HOLD_MS);
  assert.deepEqual(receiver.events, ['refused 1', 'refused 1']);
});

test('a lane is idle only while nothing is in flight and nobody takes it', () => {
  const { lane, stream, clock, send } = new TestLane().connected();
  clock.advance(500);
  assert.equal(lane.idleForMs(clock.now()), 500);
  send(new RecordingReceiver(), 'X');
  clock.endTick();
  clock.advance(500);
  assert.equal(lane.idleForMs(clock.now()), 0);
  stream.say('+OK\r\n');
  clock.advance(300);
  assert.equal(lane.idleForMs(clock.now()), 300);
  lane.touch();
  assert.equal(lane.idleForMs(clock.now()), 0);
});
