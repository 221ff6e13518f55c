import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger, type LogFields, type Logger } from '../../src/base/logger.js';
import { IdentityRegister, type FRESH_STATE } from '../../src/command/connection-state.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import type { UpstreamConnection } from '../../src/upstream/connection.js';
import { PROMPT } from '../../src/upstream/in-flight.js';
import { Killed } from '../../src/upstream/kills.js';
import type { Lane } from '../../src/upstream/lane.js';
import { Upstream, type FailureReason } from '../../src/upstream/upstream.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FakeTransport, type FakeStream } from '../helpers/fake-transport.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestTraffic } from '../helpers/test-connection.js';

class TestUpstream {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly identities = new IdentityRegister();
  readonly nobody = this.identities.identityOf(null);
  readonly failures: FailureReason[] = [];
  readonly log: string[] = [];
  readonly opened = new Set<FakeStream>();
  readonly upstream: Upstream;

  onFailure: (cause: Error) => void = () => undefined;
  onHoldExpired: (cause: Error) => void = () => undefined;

  constructor({ sharedLanes = 2, initialDb = 0, isFenced = false } = {}) {
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
      busyWaitMs: 60_000,
      holdMs: 1000,
      sharedLanes,
      maxPinned: 10,
      isFenced,
      onFailure: (reason, cause) => {
        this.failures.push(reason);
        this.onFailure(cause);
      },
      onHoldExpired: (cause) => this.onHoldExpired(cause),
      onDelivered: () => undefined,
    });
  }

  readonly lane = (state: Partial<typeof FRESH_STATE> = {}): Lane =>
    this.upstream.lane(this.nobody, { ...this.upstream.homeState, ...state });

  /** Opens every stream and answers its greeting. */
  readonly openAll = (): void => {
    this.transport.streams.forEach((stream, index) => {
      if (stream.ending !== null || this.opened.has(stream)) return;
      this.opened.add(stream.open());
      for (const command of stream.sentCommands())
        stream.say(command === 'CLIENT INFO' ? infoOf(index) : '+OK\r\n');
    });
    this.clock.endTick();
  };

  /** A holder with a connection of its own, which it loses without a word. */
  readonly borrow = (): UpstreamConnection => {
    const lent: UpstreamConnection[] = [];
    const holder = { ...SILENT_HOLDER, granted: (one: UpstreamConnection) => void lent.push(one) };
    const atOnce = this.upstream.pool.acquire(this.nobody, this.upstream.homeState, holder);
    this.openAll();
    return atOnce ?? lent[0]!;
  };
}

const SILENT_HOLDER = { granted() {}, denied() {}, leaseLost() {}, leaseDrained() {} };

function infoOf(id: number): string {
  const text = `id=${id} addr=127.0.0.1:${5000 + id} name=`;
  return `$${text.length}\r\n${text}\r\n`;
}

function send(lane: Pick<Lane, 'send'>, receiver: RecordingReceiver, command: string): void {
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
  assert.equal(upstream.pool.acquire(nobody, upstream.homeState, SILENT_HOLDER), null);
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

// ── failures ───────────────────────────────────────────────────────────────────────────────────────

const PERIOD_MS = 100;

test('a connection lost with something on it is a failure, one lost idle is not', () => {
  const { transport, clock, failures, lane, openAll } = new TestUpstream({ sharedLanes: 1 });
  openAll();
  transport.last.close(Object.assign(new Error('x'), { code: 'ECONNRESET' }));
  assert.deepEqual(failures, []);
  clock.advance(PERIOD_MS);
  openAll();
  send(lane(), new RecordingReceiver(), 'X');
  clock.endTick();
  transport.last.close(Object.assign(new Error('x'), { code: 'ECONNRESET' }));
  assert.deepEqual(failures, ['reset']);
});

test('connections that are lost together are one failure: CLIENT KILL TYPE normal is no outage', () => {
  const { transport, clock, failures, lane, openAll, borrow } = new TestUpstream();
  const lanes = [lane(), lane()];
  const leases = [borrow(), borrow(), borrow(), borrow()];
  openAll();
  for (const one of [...lanes, ...leases]) send(one, new RecordingReceiver(), 'X');
  clock.endTick();
  for (const stream of transport.streams) stream.close();
  assert.deepEqual(failures, ['closed']);
});

test("what somebody's credentials or database are refused for is no failure of the upstream", () => {
  const { upstream, transport, identities, lane, failures } = new TestUpstream({ sharedLanes: 1 });
  const ann = identities.identityOf({ user: 'ann', password: 'pw' });
  upstream.lane(ann, upstream.homeState);
  transport.last.open();
  transport.last.say('-WRONGPASS invalid username-password pair\r\n');
  lane({ db: 99 });
  transport.last.open();
  transport.last.say('+OK\r\n-ERR DB index is out of range\r\n');
  assert.deepEqual(failures, []);
});

test('nor is a database that the sidecar itself may not select; that its own password is refused is one', () => {
  const { transport, lane, failures, openAll } = new TestUpstream({ sharedLanes: 1 });
  openAll();
  for (const [refusal, expected] of [
    ["-NOPERM this user has no permissions to run the 'select' command\r\n", []],
    ['-WRONGPASS invalid username-password pair\r\n', ['credentials']],
  ] as const) {
    lane({ db: 5 + expected.length });
    transport.last.open();
    transport.last.say(`+OK\r\n${refusal}`);
    assert.deepEqual(failures, expected);
  }
});

test('commands held for somebody whose credentials are refused do not end in an outage, others do', () => {
  for (const [reply, expected] of [
    ['-WRONGPASS invalid username-password pair\r\n', 0],
    ['-LOADING Redis is loading the dataset in memory\r\n', 1],
  ] as const) {
    const test = new TestUpstream({ sharedLanes: 1 });
    const { upstream, transport, identities, clock } = test;
    test.openAll();
    let expired = 0;
    test.onHoldExpired = () => (expired += 1);
    const receiver = new RecordingReceiver();
    const ann = identities.identityOf({ user: 'ann', password: 'pw' });
    send(upstream.lane(ann, upstream.homeState), receiver, 'GET k');
    transport.last.open();
    transport.last.say(reply);
    clock.advance(1100);
    assert.deepEqual([receiver.events, expired], [['refused 1'], expected]);
  }
});

test('a server that refuses everybody is failing', () => {
  const { upstream, transport, identities, failures } = new TestUpstream({ sharedLanes: 1 });
  upstream.lane(identities.identityOf({ user: 'ann', password: 'pw' }), upstream.homeState);
  transport.last.open();
  transport.last.say('-ERR max number of clients reached\r\n');
  assert.deepEqual(failures, ['other']);
});

test('a connection that was asked to hang up is no failure when it does', () => {
  const { transport, failures, borrow, clock } = new TestUpstream();
  const lease = borrow();
  send(lease, new RecordingReceiver(), 'QUIT');
  clock.endTick();
  lease.expectsClose = true;
  transport.last.close();
  assert.deepEqual(failures, []);
});

test('what is closed while somebody says CLIENT KILL was killed, if it is one client’s own', () => {
  for (const [afterMs, expected] of [
    [400, [true, false]],
    [600, [false, false]],
  ] as const) {
    const { upstream, transport, clock, openAll, lane, borrow } = new TestUpstream();
    const receivers = [new RecordingReceiver(), new RecordingReceiver()] as const;
    const [lease, shared] = [borrow(), lane()];
    openAll();
    send(lease, receivers[0], 'INCR n');
    send(shared, receivers[1], 'INCR n');
    clock.endTick();
    upstream.kills.expect();
    clock.advance(afterMs);
    for (const stream of transport.streams) stream.close();
    assert.deepEqual(
      receivers.map(({ cause }) => cause instanceof Killed),
      expected,
    );
  }
});

test('a connection that was killed is no failure, nor is one that was asked to hang up killed', () => {
  const { upstream, transport, clock, failures, openAll, borrow } = new TestUpstream();
  const [killed, leaving] = [borrow(), borrow()];
  openAll();
  const receiver = new RecordingReceiver();
  send(killed, new RecordingReceiver(), 'BLPOP q 0');
  send(leaving, receiver, 'QUIT');
  clock.endTick();
  leaving.expectsClose = true;
  upstream.kills.expect();
  for (const stream of transport.streams.slice(-2)) stream.close();
  assert.deepEqual(failures, []);
  assert.ok(!(receiver.cause instanceof Killed));
});

test('a dead upstream is known within 100 ms of refusals, by one lane that knocks', () => {
  const { transport, clock, failures, lane, openAll } = new TestUpstream({ sharedLanes: 2 });
  lane();
  lane();
  openAll();
  clock.advance(1000);
  const refused = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
  for (const stream of transport.streams) stream.close(refused);
  let seen = transport.streams.length;
  for (let passed = 0; passed < 100; passed += 1) {
    clock.advance(1);
    for (const stream of transport.streams.slice(seen)) stream.close(refused);
    seen = transport.streams.length;
  }
  assert.equal(failures.length, 5);
});

test('the other lanes of the home group follow as soon as one is let in', () => {
  const { transport, clock, lane, upstream, openAll } = new TestUpstream({ sharedLanes: 2 });
  lane();
  lane();
  openAll();
  clock.advance(1000);
  for (const stream of [...transport.streams]) stream.close();
  clock.advance(5);
  assert.equal(transport.streams.length, 3);
  openAll();
  openAll();
  assert.equal(upstream.readyLaneCount, 2);
});

// ── suspension ─────────────────────────────────────────────────────────────────────────────────────

test('a suspension gives everything back, counts no failure, and lets nothing connect', () => {
  const test = new TestUpstream({ sharedLanes: 1 });
  const { upstream, transport, clock, lane, failures, log, openAll, borrow } = test;
  const lease = borrow();
  openAll();
  const [a, b, c] = [new RecordingReceiver(), new RecordingReceiver(), new RecordingReceiver()];
  send(lane(), a, 'SET k v');
  send(lease, b, 'MULTI');
  clock.endTick();
  upstream.suspend(new Error('outage'));
  assert.ok(upstream.isSuspended && !upstream.isConnected);
  assert.deepEqual([a.returned, b.returned], [[['SET k v']], [['MULTI']]]);
  send(lane({ db: 5 }), c, 'GET k');
  clock.endTick();
  assert.deepEqual(c.events, ['refused 1']);
  const streams = transport.streams.length;
  clock.advance(100_000);
  assert.deepEqual([transport.streams.length, failures], [streams, []]);
  upstream.suspend(new Error('again'));
  upstream.resume();
  upstream.resume();
  openAll();
  assert.ok(upstream.isConnected && !upstream.isSuspended);
  assert.deepEqual(log, ['connected to the upstream'], 'whoever suspends it says so');
});

test('a failure may suspend from within: nothing is told twice', () => {
  const test = new TestUpstream({ sharedLanes: 2 });
  const { upstream, transport, clock, lane, openAll, borrow } = test;
  const [first, second, lease] = [lane(), lane(), borrow()];
  openAll();
  const receivers = [first, second, lease].map((one) => {
    const receiver = new RecordingReceiver();
    send(one, receiver, 'X');
    return receiver;
  });
  clock.endTick();
  send(first, receivers[0]!, 'HELD');
  test.onFailure = (cause) => upstream.suspend(cause);
  transport.streams[0]!.close(new Error('gone'));
  assert.deepEqual(
    receivers.map(({ events }) => events),
    [['lost 1', 'refused 1'], ['lost 1'], ['lost 1']],
  );
});

test("a connection of the sidecar's own can be had while everything else is suspended", () => {
  const { upstream, transport } = new TestUpstream();
  upstream.suspend(new Error('outage'));
  let isReady = false;
  const connection = upstream.openConnection({
    onReady: () => (isReady = true),
    onLost: () => undefined,
    onDrain: () => undefined,
    onDelivered: () => undefined,
  });
  transport.last.open();
  assert.ok(isReady && connection.isReady);
});

// ── fences ─────────────────────────────────────────────────────────────────────────────────────────

/** An upstream whose second lane was lost with a command on it: it is the first stream's to kill it. */
function afterLoss(): TestUpstream & { killed: () => string[] } {
  const test = new TestUpstream({ sharedLanes: 1, isFenced: true });
  const { transport, clock, lane, openAll } = test;
  const other = lane({ db: 1 });
  openAll();
  send(other, new RecordingReceiver(), 'SET k v');
  clock.endTick();
  transport.last.close();
  clock.endTick();
  const killed = (): string[] => transport.streams.flatMap((stream) => stream.sentCommands());
  return Object.assign(test, { killed });
}

test('I5: a lost connection is killed over the home lane, and only then is the way clear', () => {
  const { upstream, transport, clock } = afterLoss();
  const home = transport.streams[0]!;
  let isClear = false;
  upstream.fences.whenClear(() => (isClear = true));
  assert.deepEqual(home.sentCommands(), ['CLIENT KILL ID 1 ADDR 127.0.0.1:5001']);
  assert.ok(!isClear);
  home.say(':1\r\n');
  assert.ok(isClear);
  clock.advance(10_000);
  assert.equal(home.sent(), '');
});

test('no fence is lost with the home lane: the next one is asked again', () => {
  const { upstream, transport, clock, openAll, killed } = afterLoss();
  transport.streams[0]!.sent();
  clock.advance(PERIOD_MS);
  transport.streams[0]!.close();
  assert.equal(upstream.fences.pending.length, 2);
  clock.advance(5);
  openAll();
  const commands = killed().filter((command) => command.startsWith('CLIENT KILL'));
  assert.deepEqual(commands, [
    'CLIENT KILL ID 1 ADDR 127.0.0.1:5001',
    'CLIENT KILL ID 0 ADDR 127.0.0.1:5000',
  ]);
  transport.streams.at(-1)!.say(':0\r\n:0\r\n');
  assert.deepEqual(upstream.fences.pending, []);
});

test('a server that is busy is asked again a little later', () => {
  const { upstream, transport, clock } = afterLoss();
  const home = transport.streams[0]!;
  home.sent();
  home.say('-BUSY Redis is busy running a script.\r\n');
  clock.advance(99);
  assert.equal(home.sent(), '');
  clock.advance(1);
  assert.equal(home.sentCommands().length, 1);
  home.say(':1\r\n');
  assert.deepEqual(upstream.fences.pending, []);
});

test('a suspension leaves fences behind, which are seen to when it is over', () => {
  const test = new TestUpstream({ sharedLanes: 1, isFenced: true });
  const { upstream, transport, clock, lane, openAll } = test;
  openAll();
  send(lane(), new RecordingReceiver(), 'SET k v');
  clock.endTick();
  upstream.suspend(new Error('outage'));
  let isTold = false;
  upstream.fences.whenClear(() => (isTold = true));
  assert.ok(isTold);
  assert.equal(upstream.fences.pending.length, 1);
  upstream.resume();
  openAll();
  assert.deepEqual(transport.last.sentCommands(), ['CLIENT KILL ID 0 ADDR 127.0.0.1:5000']);
});

test("I8: a client's own connection is not asked for its id, and not fenced", () => {
  const test = new TestUpstream({ sharedLanes: 1, isFenced: true });
  const { upstream, transport, identities, clock, openAll } = test;
  openAll();
  const lane = upstream.lane(identities.identityOf({ user: 'ann', password: 'pw' }), {
    ...upstream.homeState,
  });
  transport.last.open();
  assert.deepEqual(transport.last.sentCommands(), ['AUTH ann pw']);
  transport.last.say('+OK\r\n');
  send(lane, new RecordingReceiver(), 'SET k v');
  clock.endTick();
  transport.last.close();
  assert.deepEqual([upstream.fences.pending, upstream.fences.isForbidden], [[], false]);
});

test("a question of the sidecar's own is answered once, however the reply comes; null when it will not", () => {
  const { upstream, transport, clock } = new TestUpstream({ sharedLanes: 1 });
  transport.last.open();
  transport.last.say('+OK\r\n');
  const answers: (string | null)[] = [];
  const ask = (): void => {
    upstream.ask(encodeCommand(['TIME']), (reply) => answers.push(reply?.toString() ?? null));
    clock.endTick();
  };
  ask();
  for (const byte of '*1\r\n$1\r\n7\r\n') transport.last.say(byte);
  assert.deepEqual(answers, ['*1\r\n$1\r\n7\r\n']);
  ask();
  transport.last.close();
  assert.deepEqual(answers.slice(1), [null]);
});
