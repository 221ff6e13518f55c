import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRESH_STATE } from '../../src/command/connection-state.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { PROMPT, type Patience } from '../../src/upstream/in-flight.js';
import { Knocking } from '../../src/upstream/knocking.js';
import { Lane } from '../../src/upstream/lane.js';
import type { ReplyReceiver } from '../../src/upstream/receiver.js';
import { Silence } from '../../src/upstream/silence.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FakeTransport, type FakeStream } from '../helpers/fake-transport.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { connectionOptions } from '../helpers/test-connection.js';

const HOLD_MS = 1000;
/** The pause after a loss. */
const RETRY_MS = 2;
/** From one good connection to the next. */
const PERIOD_MS = 100;

/** A lane over fakes, not yet connected. */
class TestLane {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly silence = new Silence(this.clock);
  /** `ready` or `lost: <why>`. */
  readonly changes: string[] = [];
  readonly lane: Lane;

  /** What is done when the hold has expired. */
  onHoldExpired: (cause: Error) => void = () => undefined;

  constructor({
    state = FRESH_STATE,
    eager = true,
    suspendedBy = null as Error | null,
    busyWaitMs = 60_000,
  } = {}) {
    const { clock, transport, silence } = this;
    const shared = { clock, transport, silence, state };
    this.lane = new Lane({
      connection: connectionOptions({ ...shared, slowTimeoutMs: 60_000, busyWaitMs }),
      clock,
      knocking: new Knocking({
        clock,
        random: () => 0.5,
        holdMs: HOLD_MS,
        leastPeriodMs: PERIOD_MS,
      }),
      eager,
      holdMs: HOLD_MS,
      suspendedBy,
      onReady: () => this.changes.push('ready'),
      onLost: (_, cause) => this.changes.push(`lost: ${cause.message}`),
      onHoldExpired: (cause) => this.onHoldExpired(cause),
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

test('whoever does not wait for a script is refused when it keeps the lane from being made, with its words', () => {
  const busy = { state: { ...FRESH_STATE, db: 5 }, eager: false, busyWaitMs: 0 };
  const { send, transport, clock, changes } = new TestLane(busy);
  const receiver = new RecordingReceiver();
  send(receiver, 'PING');
  transport.last.open();
  transport.last.say('-BUSY Redis is busy running a script.\r\n');
  assert.deepEqual(receiver.events, ['refused 1']);
  assert.match(changes.join(), /lost: .*BUSY Redis is busy running a script\.$/);
  clock.advance(HOLD_MS);
  assert.equal(transport.streams.length, 1);
});

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

/** Loses the connection and returns how long it takes to the next attempt. */
function pauseAfterLoss({ transport, clock }: TestLane): number {
  const before = transport.streams.length;
  transport.last.close(new Error('refused'));
  for (let waited = 0; waited < 1000; waited += 1) {
    if (transport.streams.length > before) return waited;
    clock.advance(1);
  }
  throw new Error('it does not try again');
}

test('a lane that cannot connect tries again with growing pauses: five refusals pass within 100 ms', () => {
  const lane = new TestLane();
  const pauses = Array.from({ length: 12 }, () => pauseAfterLoss(lane));
  assert.deepEqual(pauses.slice(0, 5), [10, 15, 23, 34, 51]);
  assert.ok(pauses.slice(0, 4).reduce((sum, pause) => sum + pause) < 90);
  assert.deepEqual(pauses.slice(-2), [400, 400]);
});

test('a lane that was lost tries again at once, but not more than ten times a second', () => {
  const lane = new TestLane();
  lane.transport.last.open();
  lane.clock.advance(5000);
  assert.equal(pauseAfterLoss(lane), 2);
  lane.transport.last.open();
  assert.equal(pauseAfterLoss(lane), PERIOD_MS);
  lane.transport.last.open();
  lane.clock.advance(PERIOD_MS);
  assert.equal(pauseAfterLoss(lane), 2);
});

test('a lane that is not kept ready comes back when somebody needs it', () => {
  const { transport, clock, send } = new TestLane({ eager: false }).connected();
  clock.advance(PERIOD_MS);
  transport.last.close();
  clock.advance(100_000);
  assert.equal(transport.streams.length, 1);
  const receiver = new RecordingReceiver();
  send(receiver, 'PING');
  transport.last.open();
  clock.endTick();
  assert.deepEqual(transport.last.sentCommands(), ['PING']);
});

test('a lane that is not kept ready is woken when others have found the upstream', () => {
  const { lane, transport, clock } = new TestLane({ eager: false }).connected();
  clock.advance(PERIOD_MS);
  transport.last.close();
  clock.advance(RETRY_MS);
  lane.wake();
  lane.wake();
  assert.equal(transport.streams.length, 2);
});

test('I5: when the connection dies, everything comes back in order: first what was sent, then what was not', () => {
  const { transport, clock, send, lane } = new TestLane().connected();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  const order: string[] = [];
  a.onEvent = () => order.push(`a ${a.events.at(-1)}`);
  b.onEvent = () => order.push(`b ${b.events.at(-1)}`);
  send(a, 'SENT a');
  send(b, 'SENT b');
  clock.endTick();
  send(a, 'HELD a');
  transport.last.close();
  assert.deepEqual(order, ['a lost 1', 'b lost 1', 'a refused 1']);
  assert.deepEqual([a.returned, b.returned], [[['SENT a'], ['HELD a']], [['SENT b']]]);
  assert.equal(lane.queuedCommands, 0);
});

test('what comes back may be sent again at once: it waits for the next connection', () => {
  const { transport, clock, send } = new TestLane().connected();
  const receiver = new RecordingReceiver();
  receiver.onEvent = () => receiver.events.length === 1 && send(receiver, 'AGAIN');
  send(receiver, 'FIRST');
  clock.advance(PERIOD_MS);
  transport.last.close();
  clock.advance(RETRY_MS);
  transport.last.open();
  clock.endTick();
  assert.deepEqual(transport.last.sentCommands(), ['AGAIN']);
});

test('a refusal brings back what was never sent', () => {
  const { clock, send } = new TestLane();
  const receiver = new RecordingReceiver();
  send(receiver, 'SET k v');
  clock.advance(HOLD_MS + 50);
  assert.deepEqual(receiver.returned, [['SET k v']]);
});

test('before held commands are refused it is said that the hold has expired, once for all of them', () => {
  const test = new TestLane();
  const [a, b] = [new RecordingReceiver(), new RecordingReceiver()];
  const order: string[] = [];
  test.onHoldExpired = ({ message }) => order.push(`expired: ${message}`);
  a.onEvent = b.onEvent = () => order.push('refused');
  test.send(a, 'X');
  test.send(b, 'X');
  test.stream.close(new Error('ECONNREFUSED'));
  test.clock.advance(HOLD_MS + 50);
  assert.deepEqual(order, ['expired: ECONNREFUSED', 'refused', 'refused']);
});

test('while suspended a lane connects to nothing and refuses what is sent at the end of the tick', () => {
  const { lane, transport, clock, send } = new TestLane().connected();
  const [sent, held] = [new RecordingReceiver(), new RecordingReceiver()];
  send(sent, 'SENT');
  clock.endTick();
  lane.suspend(new Error('outage'));
  assert.deepEqual([sent.events, sent.returned], [['lost 1'], [['SENT']]]);
  assert.equal(transport.last.ending, 'reset');
  send(held, 'LATER');
  assert.deepEqual(held.events, []);
  clock.endTick();
  assert.deepEqual([held.events, held.cause?.message], [['refused 1'], 'outage']);
  clock.advance(100_000);
  assert.equal(transport.streams.length, 1);
  assert.equal(clock.timerCount, 0);
});

test('a suspension gives back what waited for a connection, and ends with an attempt', () => {
  const { lane, transport, clock, send } = new TestLane();
  const receiver = new RecordingReceiver();
  send(receiver, 'WAITING');
  transport.last.close(new Error('refused'));
  lane.suspend(new Error('outage'));
  assert.deepEqual([receiver.events, receiver.returned], [['refused 1'], [['WAITING']]]);
  clock.advance(10_000);
  assert.equal(transport.streams.length, 1);
  lane.resume();
  assert.equal(transport.streams.length, 2);
});

test('a suspension that ends in the same tick refuses nothing that came meanwhile', () => {
  const { lane, transport, clock, send } = new TestLane().connected();
  const receiver = new RecordingReceiver();
  lane.suspend(new Error('outage'));
  send(receiver, 'X');
  lane.resume();
  clock.endTick();
  assert.deepEqual(receiver.events, []);
  transport.last.open();
  clock.endTick();
  assert.deepEqual(transport.last.sentCommands(), ['X']);
});

test('a lane may begin suspended', () => {
  const { lane, transport } = new TestLane({ suspendedBy: new Error('outage') });
  assert.equal(transport.streams.length, 0);
  lane.resume();
  assert.equal(transport.streams.length, 1);
});

test('the hold may end in a suspension: each command is refused once', () => {
  const test = new TestLane();
  test.onHoldExpired = (cause) => test.lane.suspend(cause);
  const receiver = new RecordingReceiver();
  test.send(receiver, 'X');
  test.clock.advance(HOLD_MS + 50);
  assert.deepEqual(receiver.events, ['refused 1']);
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
