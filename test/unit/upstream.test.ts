import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, type LogFields, type Logger } from '../../src/base/logger.js';
import { IdentityRegister, type FRESH_STATE } from '../../src/command/connection-state.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { PROMPT } from '../../src/upstream/in-flight.js';
import type { Lane } from '../../src/upstream/lane.js';
import { Upstream, type FailureReason } from '../../src/upstream/upstream.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FakeTransport } from '../helpers/fake-transport.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestTraffic } from '../helpers/test-connection.js';

class TestUpstream {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly identities = new IdentityRegister();
  readonly nobody = this.identities.identityOf(null);
  readonly failures: FailureReason[] = [];
  readonly log: string[] = [];
  readonly upstream: Upstream;

  constructor({ sharedLanes = 2, initialDb = 0 } = {}) {
    const note = (event: string, fields?: LogFields): void => {
      this.log.push([event, fields?.cause].filter(Boolean).join(': '));
    };
    const logger: Logger = { ...silentLogger, info: note, warn: note };
    this.upstream = new Upstream({
      transport: this.transport,
      identity: this.nobody,
      initialDb,
      clock: this.clock,
      random: () => 0.5,
      logger,
      traffic: new TestTraffic(),
      timeoutMs: 2000,
      slowTimeoutMs: 60_000,
      holdMs: 1000,
      sharedLanes,
      maxPinned: 10,
      onFailure: (reason) => this.failures.push(reason),
      onDelivered: () => undefined,
    });
  }

  readonly lane = (state: Partial<typeof FRESH_STATE> = {}): Lane =>
    this.upstream.lane(this.nobody, { ...this.upstream.homeState, ...state });

  /** Opens every stream and answers its greeting. */
  readonly openAll = (): void => {
    for (const stream of this.transport.streams) {
      if (stream.ending !== null) continue;
      stream.open();
      stream.say('+OK\r\n'.repeat(stream.sentCommands().length));
    }
    this.clock.endTick();
  };
}

function send(lane: Lane, receiver: RecordingReceiver, command: string): void {
  const bytes = encodeCommand(command.split(' '));
  lane.send(receiver, bytes, 0, bytes.length, 1, PROMPT);
}

test('one lane of its own is made at once; it carries a name and the database', () => {
  const { upstream, transport } = new TestUpstream({ initialDb: 3 });
  assert.equal(transport.streams.length, 1);
  transport.last.open();
  assert.deepEqual(transport.last.sentCommands(), ['CLIENT SETNAME respool', 'SELECT 3']);
  assert.ok(!upstream.isConnected);
  transport.last.say('+OK\r\n+OK\r\n');
  assert.ok(upstream.isConnected);
  assert.deepEqual([upstream.laneCount, upstream.readyLaneCount], [1, 1]);
});

test('clients of one kind share the lanes of their group in turn', () => {
  const { upstream, lane } = new TestUpstream({ sharedLanes: 2 });
  const lanes = Array.from({ length: 6 }, () => lane());
  assert.equal(new Set(lanes).size, 2);
  assert.equal(upstream.laneCount, 2);
  const uses = lanes.filter((one) => one === lanes[0]).length;
  assert.ok(uses >= 2 && uses <= 4, `${uses} of 6`);
});

test('identity, database and protocol each have lanes of their own; a name has not', () => {
  const { upstream, identities, lane } = new TestUpstream({ sharedLanes: 1 });
  const ann = identities.identityOf({ user: 'ann', password: 'pw' });
  const home = lane();
  assert.equal(lane({ name: 'me', libraryName: 'lib' }), home);
  const others = [lane({ db: 1 }), lane({ resp: 3 }), upstream.lane(ann, upstream.homeState)];
  assert.equal(new Set([home, ...others]).size, 4);
});

test('when all lanes are blocked by long replies, a few more are made', () => {
  const { upstream, transport, clock, lane, openAll } = new TestUpstream({ sharedLanes: 1 });
  openAll();
  const first = lane();
  send(first, new RecordingReceiver(), 'GET big');
  clock.endTick();
  transport.last.say(`$1000000\r\n${'x'.repeat(300_000)}`);
  assert.ok(first.isCongested);
  const relief = lane();
  assert.notEqual(relief, first);
  for (let asked = 0; asked < 10; asked += 1) assert.notEqual(lane(), first);
  assert.ok(upstream.laneCount <= 3);
  transport.streams[0]!.say(`${'x'.repeat(700_000)}\r\n`);
  const lanes = new Set(Array.from({ length: 10 }, () => lane()));
  assert.ok(lanes.has(first));
});

test('lanes that nobody uses are closed; the home lane stays', () => {
  const { upstream, transport, clock, lane, openAll } = new TestUpstream({ sharedLanes: 1 });
  const other = lane({ db: 1 });
  openAll();
  clock.advance(30_000);
  assert.equal(lane({ db: 1 }), other);
  clock.advance(50_000);
  assert.equal(upstream.laneCount, 2);
  clock.advance(20_000);
  assert.equal(upstream.laneCount, 1);
  assert.ok(other.isRetired);
  assert.deepEqual(
    transport.streams.map(({ ending }) => ending),
    [null, 'reset'],
  );
  assert.ok(upstream.isConnected);
});

test('I6: at the limit the lane that has been idle for longest makes room, and only when one is needed', () => {
  const { upstream, clock, lane } = new TestUpstream({ sharedLanes: 1 });
  const lanes: Lane[] = [];
  for (let db = 1; db < 1024; db += 1) {
    lanes.push(lane({ db }));
    if (db <= 3) clock.advance(10);
  }
  assert.equal(upstream.laneCount, 1024);
  assert.equal(lane({ db: 1 }), lanes[0]);
  assert.equal(upstream.laneCount, 1024);
  clock.advance(10);
  lane({ db: 2000 });
  assert.equal(upstream.laneCount, 1024);
  assert.deepEqual(
    lanes.flatMap(({ isRetired }, index) => (isRetired ? [index + 1] : [])),
    [2],
  );
  assert.notEqual(lane({ db: 2 }), lanes[1]);
  assert.ok(lanes[2]!.isRetired);
});

test('a lane with a command in flight is not closed, however long it takes', () => {
  const { upstream, transport, clock, lane, openAll } = new TestUpstream({ sharedLanes: 1 });
  const other = lane({ db: 1 });
  openAll();
  upstream.silence.pauseFor(Infinity);
  send(other, new RecordingReceiver(), 'X');
  clock.advance(50_000);
  transport.last.say('+OK\r\n');
  clock.advance(50_000);
  assert.ok(!other.isRetired);
});

test('coming and going of the whole is logged once, failures are counted each', () => {
  const { upstream, transport, clock, log, failures, openAll } = new TestUpstream({
    sharedLanes: 1,
  });
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  transport.last.close(refused);
  clock.advance(100);
  transport.last.close(refused);
  clock.advance(200);
  openAll();
  assert.deepEqual(log, [
    'the upstream is away: connect ECONNREFUSED',
    'connected to the upstream',
  ]);
  assert.deepEqual(failures, ['refused', 'refused']);
  upstream.close();
  assert.equal(log.length, 2);
});

test('reasons of failures are few and fixed', () => {
  const reasons: [Error, FailureReason][] = [
    [Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'reset'],
    [Object.assign(new Error('x'), { code: 'ENOENT' }), 'refused'],
    [Object.assign(new Error('x'), { code: 'EHOSTUNREACH' }), 'timeout'],
    [new Error('the upstream closed the connection'), 'closed'],
    [new Error('something else'), 'other'],
  ];
  for (const [cause, reason] of reasons) {
    const { transport, failures } = new TestUpstream();
    transport.last.close(cause);
    assert.deepEqual(failures, [reason]);
  }
  const silent = new TestUpstream();
  silent.clock.advance(2500);
  assert.deepEqual(silent.failures, ['timeout']);
});

test('a connection that was to be lent and cannot be had is a failure as well', () => {
  const { upstream, transport, nobody, failures } = new TestUpstream();
  const holder = { granted() {}, denied() {}, leaseLost() {}, leaseDrained() {} };
  assert.equal(upstream.pool.acquire(nobody, upstream.homeState, holder), null);
  transport.last.close(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }));
  assert.deepEqual(failures, ['refused']);
});

test('an upstream that asks strangers for a password is known as such', () => {
  const { upstream, transport } = new TestUpstream();
  transport.last.open();
  transport.last.say('-NOAUTH Authentication required.\r\n');
  assert.ok(upstream.isConnected && upstream.refusesStrangers);
});

test('waiting and flying commands are counted over lanes and pool', () => {
  const { upstream, clock, lane, openAll } = new TestUpstream({ sharedLanes: 1 });
  send(lane(), new RecordingReceiver(), 'X');
  send(lane({ db: 1 }), new RecordingReceiver(), 'X');
  assert.deepEqual([upstream.waitingCommands, upstream.commandsInFlight], [2, 0]);
  assert.ok(upstream.pendingBytes > 0);
  openAll();
  clock.endTick();
  assert.deepEqual([upstream.waitingCommands, upstream.commandsInFlight], [0, 2]);
});

test('a closed upstream leaves no connection and no timer behind', () => {
  const { upstream, transport, clock, lane, openAll } = new TestUpstream();
  lane({ db: 1 });
  openAll();
  upstream.close();
  assert.deepEqual(
    transport.streams.map(({ ending }) => ending),
    ['reset', 'reset'],
  );
  assert.equal(clock.timerCount, 0);
});
