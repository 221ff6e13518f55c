import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRESH_STATE } from '../../src/command/connection-state.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import type { UpstreamConnection } from '../../src/upstream/connection.js';
import { PROMPT } from '../../src/upstream/in-flight.js';
import type { ReplyReceiver } from '../../src/upstream/receiver.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { HOLD_MS, Holder, TestPool } from '../helpers/test-pool.js';

function send(connection: UpstreamConnection, receiver: ReplyReceiver, command: string): void {
  const bytes = encodeCommand(command.split(' '));
  connection.send(receiver, bytes, 0, bytes.length, 1, PROMPT);
}

test('the first request opens a connection, which is granted when it is ready', () => {
  const { pool, transport, acquire } = new TestPool();
  const holder = acquire();
  assert.equal(holder.lease, null);
  assert.equal(pool.waitingCount, 1);
  transport.last.open();
  assert.deepEqual(holder.events, ['granted']);
  assert.deepEqual([pool.lentCount, pool.waitingCount, pool.idleCount], [1, 0, 0]);
});

test('a connection that was given back is lent again at once, in the state that is wanted', () => {
  const { pool, transport, clock, lent, acquire, nobody } = new TestPool();
  const first = lent();
  pool.release(first.lease);
  assert.equal(pool.idleCount, 1);
  const second = acquire(nobody, { ...FRESH_STATE, db: 3, name: 'me' });
  assert.equal(second.lease, first.lease);
  clock.endTick();
  assert.deepEqual(transport.last.sentCommands(), ['CLIENT SETNAME me', 'SELECT 3']);
  assert.equal(transport.streams.length, 1);
});

test('of several idle ones that is taken which needs no commands', () => {
  const { pool, transport, lent, acquire, nobody, clock } = new TestPool();
  const [a, b] = [lent(), lent()];
  a.lease.adopt({ ...FRESH_STATE, db: 5 });
  clock.endTick();
  transport.streams[0]!.say('+OK\r\n');
  pool.release(a.lease);
  pool.release(b.lease);
  assert.equal(acquire(nobody, { ...FRESH_STATE, db: 5 }).lease, a.lease);
});

test('a connection is brought to another database only where that is sure to be allowed', () => {
  const { pool, transport, clock, acquire, ann } = new TestPool(2);
  const first = acquire(ann);
  transport.last.open();
  transport.last.say('+OK\r\n');
  pool.release(first.lease!);
  const named = acquire(ann, { ...FRESH_STATE, name: 'me' });
  assert.equal(named.lease, first.lease);
  const elsewhere = acquire(ann, { ...FRESH_STATE, db: 3 });
  clock.endTick();
  transport.streams[0]!.say('+OK\r\n');
  pool.release(first.lease!);
  assert.deepEqual([elsewhere.lease, pool.idleCount], [null, 1]);
  transport.last.open();
  transport.last.say('+OK\r\n+OK\r\n');
  assert.ok(elsewhere.lease !== null);
  const another = acquire(ann, { ...FRESH_STATE, db: 4 });
  assert.deepEqual([pool.idleCount, another.lease], [0, null]);
});

test('whoever takes any state is given the connection without a word on it', () => {
  const { pool, transport, clock, lent, acquire, nobody } = new TestPool();
  const first = lent();
  first.lease.adopt({ ...FRESH_STATE, db: 5 });
  clock.endTick();
  transport.last.say('+OK\r\n');
  transport.last.sent();
  pool.release(first.lease);
  assert.equal(acquire(nobody, null).lease, first.lease);
  clock.endTick();
  assert.equal(transport.last.sent(), '');
});

test('I8: a connection is never lent to somebody else', () => {
  const { pool, transport, lent, acquire, ann } = new TestPool();
  const first = lent();
  pool.release(first.lease);
  const other = acquire(ann);
  assert.equal(other.lease, null);
  transport.last.open();
  assert.deepEqual(transport.last.sentCommands(), ['AUTH ann pw']);
  transport.last.say('+OK\r\n');
  assert.ok(other.lease !== null && other.lease !== first.lease);
});

test('I8: a connection whose client became somebody else goes back as that one', () => {
  const { pool, lent, acquire, ann, nobody } = new TestPool();
  const first = lent();
  first.lease.identity = ann;
  pool.release(first.lease);
  assert.equal(acquire(nobody).lease, null);
  assert.equal(acquire(ann).lease, first.lease);
});

test('I7: a connection with commands in flight is not taken back', () => {
  const { pool, lent } = new TestPool();
  const { lease } = lent();
  send(lease, new RecordingReceiver(), 'MULTI');
  assert.throws(() => pool.release(lease), /I7/);
});

test('I7: a discarded connection is reset and never lent again', () => {
  const { pool, transport, lent, acquire } = new TestPool();
  const first = lent();
  pool.discard(first.lease);
  assert.equal(transport.last.ending, 'reset');
  assert.deepEqual([pool.lentCount, pool.idleCount], [0, 0]);
  assert.equal(acquire().lease, null);
  pool.release(first.lease);
  assert.equal(pool.idleCount, 0);
});

test('who waits is served by the first connection that becomes free', () => {
  const { pool, transport, lent, acquire } = new TestPool(1);
  const first = lent();
  const [second, third] = [acquire(), acquire()];
  assert.equal(transport.streams.length, 1);
  pool.release(first.lease);
  assert.deepEqual([second.events, third.events], [['granted'], []]);
  pool.discard(second.lease!);
  transport.last.open();
  assert.deepEqual(third.events, ['granted']);
  assert.equal(transport.streams.length, 2);
});

test('there are never more connections than allowed; who gets none in time is told', () => {
  const { pool, transport, clock, lent, acquire } = new TestPool(2);
  lent();
  lent();
  const late = acquire();
  clock.advance(HOLD_MS + 50);
  assert.deepEqual(late.events, ['denied: no connection to the upstream became free in time']);
  assert.deepEqual([transport.streams.length, pool.waitingCount], [2, 0]);
});

test('at the limit an idle connection of somebody else makes room', () => {
  const { pool, transport, lent, acquire, ann } = new TestPool(1);
  const first = lent();
  pool.release(first.lease);
  acquire(ann);
  assert.equal(transport.streams[0]!.ending, 'reset');
  assert.equal(transport.streams.length, 2);
});

test('a failure to open pauses, then it is tried again for those who still wait', () => {
  const { transport, clock, acquire, changes } = new TestPool();
  const holder = acquire();
  transport.last.close(new Error('ECONNREFUSED'));
  assert.equal(transport.streams.length, 1);
  clock.advance(9);
  assert.equal(transport.streams.length, 1);
  clock.advance(1);
  assert.equal(transport.streams.length, 2);
  transport.last.close(new Error('ECONNREFUSED'));
  clock.advance(14);
  assert.equal(transport.streams.length, 2);
  clock.advance(1);
  transport.last.open();
  assert.deepEqual(holder.events, ['granted']);
  assert.deepEqual(changes, ['ECONNREFUSED', 'ECONNREFUSED', 'ready']);
});

test('one that was lost is replaced for its holder at once, unless it was lost as soon as it was there', () => {
  const { pool, transport, clock, lent, acquire } = new TestPool();
  lent();
  transport.last.close();
  const again = acquire();
  assert.equal(transport.streams.length, 1);
  clock.advance(10);
  transport.last.open();
  clock.advance(1000);
  assert.deepEqual(again.events, ['granted']);
  transport.last.close();
  acquire();
  clock.advance(2);
  assert.equal(transport.streams.length, 3);
  assert.equal(pool.waitingCount, 1);
});

test('who waits in vain is told why', () => {
  const { transport, clock, acquire, changes } = new TestPool();
  const holder = acquire();
  for (let passed = 0; passed < HOLD_MS + 50; passed += 25) {
    if (transport.last.ending === null) transport.last.close(new Error('ECONNREFUSED'));
    clock.advance(25);
  }
  assert.deepEqual(holder.events, ['denied: ECONNREFUSED']);
  assert.equal(changes.at(-1), 'hold expired: ECONNREFUSED');
});

test('a pool that is merely full is no outage', () => {
  const { clock, lent, acquire, changes } = new TestPool(1);
  lent();
  acquire();
  clock.advance(HOLD_MS + 50);
  assert.deepEqual(changes, ['ready']);
});

test('a connection that nobody lets in is an outage, though nothing was refused', () => {
  const { clock, acquire, changes } = new TestPool();
  acquire();
  clock.advance(HOLD_MS + 50);
  assert.match(changes.join(), /hold expired/);
});

test('a database that is not there is no outage, and final for those who want it', () => {
  const { transport, acquire, nobody, changes } = new TestPool();
  const wrong = acquire(nobody, { ...FRESH_STATE, db: 99 });
  const other = acquire();
  transport.streams[0]!.open();
  transport.streams[0]!.say('-ERR DB index is out of range\r\n');
  assert.match(wrong.events.join(), /denied: .*DB index/);
  assert.deepEqual(other.events, []);
  assert.doesNotMatch(changes.join(), /hold expired/);
});

test('a suspension takes every connection, denies who waits, and opens nothing', () => {
  const { pool, transport, clock, lent, acquire } = new TestPool(3);
  const holder = lent();
  const receiver = new RecordingReceiver();
  send(holder.lease, receiver, 'BLPOP q 0');
  clock.endTick();
  pool.release(lent().lease);
  const waiting = acquire();
  pool.release(waiting.lease!);
  const late = [acquire(), acquire(), acquire()];
  pool.suspend(new Error('outage'));
  assert.deepEqual(holder.events, ['granted', 'lost: outage, 0 unsent']);
  assert.deepEqual([receiver.events, receiver.returned], [['lost 1'], [['BLPOP q 0']]]);
  assert.deepEqual(late.at(-1)!.events, ['denied: outage']);
  assert.deepEqual([pool.lentCount, pool.idleCount, pool.waitingCount], [0, 0, 0]);
  const streams = transport.streams.length;
  assert.ok(transport.streams.every(({ ending }) => ending === 'reset'));
  clock.advance(100_000);
  assert.equal(transport.streams.length, streams);
});

test('who asks while it is suspended waits however long it takes, also who asks because of it', () => {
  const { pool, transport, clock, lent, nobody } = new TestPool();
  const holder = lent();
  const again = new Holder();
  holder.leaseLost = () => void pool.acquire(nobody, FRESH_STATE, again);
  pool.suspend(new Error('outage'));
  clock.advance(100 * HOLD_MS);
  assert.deepEqual([again.events, pool.waitingCount], [[], 1]);
  pool.resume();
  clock.advance(HOLD_MS - 50);
  assert.deepEqual(again.events, []);
  transport.last.open();
  assert.deepEqual(again.events, ['granted']);
});

test('the hold may end in a suspension: who waited is denied once', () => {
  const test = new TestPool();
  test.onHoldExpired = () => test.pool.suspend(new Error('outage'));
  const holder = test.acquire();
  test.clock.advance(HOLD_MS + 50);
  assert.deepEqual(holder.events, ['denied: outage']);
});

test('refused credentials are final for all who wait with them, and for nobody else', () => {
  const { transport, acquire, ann } = new TestPool();
  const [wrong, alsoWrong, other] = [acquire(ann), acquire(ann), acquire()];
  const [stream] = transport.streams;
  stream!.open();
  stream!.say('-WRONGPASS invalid username-password pair or user is disabled.\r\n');
  assert.match(wrong.events.join(), /denied: .*WRONGPASS/);
  assert.match(alsoWrong.events.join(), /denied: .*WRONGPASS/);
  assert.deepEqual(other.events, []);
});

test('who withdraws is not granted anything; the connection stays for the next', () => {
  const { pool, transport, acquire } = new TestPool();
  const holder = acquire();
  pool.withdraw(holder);
  transport.last.open();
  assert.deepEqual(holder.events, []);
  assert.deepEqual([pool.idleCount, pool.waitingCount], [1, 0]);
});

test('a lost lease is told to its holder, behind what its receivers are told', () => {
  const { pool, transport, lent, clock, changes } = new TestPool();
  const holder = lent();
  const receiver = new RecordingReceiver();
  receiver.onEvent = () => holder.events.push('receiver told');
  send(holder.lease, receiver, 'SENT');
  clock.endTick();
  send(holder.lease, receiver, 'HELD');
  transport.last.close(new Error('gone'));
  assert.deepEqual(holder.events, ['granted', 'receiver told', 'lost: gone, 1 unsent']);
  assert.deepEqual(receiver.events, ['lost 1']);
  assert.deepEqual([pool.lentCount, changes], [0, ['ready', 'gone']]);
});

test('an idle connection that is lost is forgotten', () => {
  const { pool, transport, lent, acquire } = new TestPool();
  pool.release(lent().lease);
  transport.last.close();
  assert.equal(pool.idleCount, 0);
  assert.equal(acquire().lease, null);
});

test('an adoption that is refused loses the lease', () => {
  const { pool, transport, clock, lent, acquire, nobody } = new TestPool();
  pool.release(lent().lease);
  const holder = acquire(nobody, { ...FRESH_STATE, db: 99 });
  clock.endTick();
  transport.last.say('-ERR DB index is out of range\r\n');
  assert.match(holder.events.join(), /lost: .*DB index is out of range, 0 unsent/);
});

test('a drained stream is told to its holder', () => {
  const { transport, lent } = new TestPool();
  const holder = lent();
  transport.last.drain();
  assert.deepEqual(holder.events, ['granted', 'drained']);
});

test('what has been idle for long is closed by the sweep', () => {
  const { pool, transport, clock, lent } = new TestPool();
  const [a, b] = [lent(), lent()];
  pool.release(a.lease);
  clock.advance(20_000);
  pool.release(b.lease);
  clock.advance(15_000);
  pool.sweep();
  assert.equal(pool.idleCount, 1);
  assert.equal(transport.streams[0]!.ending, 'reset');
  assert.equal(transport.streams[1]!.ending, null);
});

test('a closed pool leaves no connection and no timer', () => {
  const { pool, transport, clock, lent, acquire } = new TestPool();
  pool.release(lent().lease);
  lent();
  acquire();
  pool.close();
  assert.deepEqual(
    transport.streams.map(({ ending }) => ending),
    ['reset', 'reset'],
  );
  assert.deepEqual([pool.idleCount, pool.lentCount], [0, 0]);
  assert.equal(clock.timerCount, 0);
});

test('a closed pool opens nothing more', () => {
  const { pool, transport, clock, acquire } = new TestPool();
  pool.close();
  acquire();
  clock.advance(500);
  assert.equal(transport.streams.length, 0);
});

test('commands in flight are counted over all that is lent', () => {
  const { pool, lent } = new TestPool();
  send(lent().lease, new RecordingReceiver(), 'X');
  const second = lent();
  send(second.lease, new RecordingReceiver(), 'X');
  send(second.lease, new RecordingReceiver(), 'X');
  assert.equal(pool.commandsInFlight, 3);
});

test('whoever takes any state waits for no connection on which something must be said first, and is served first', () => {
  const { transport, acquire, nobody } = new TestPool();
  const patient = acquire(nobody, { ...FRESH_STATE, db: 5 });
  const urgent = acquire(nobody, null);
  const [first, second] = transport.streams;
  // It waits for its SELECT to be answered.
  first!.open();
  second!.open();
  assert.deepEqual([patient.events, urgent.events], [[], ['granted']]);
  first!.say('+OK\r\n');
  assert.deepEqual(patient.events, ['granted']);
});
