/** How long silence is borne: deadlines, what explains silence, and what counts as progress (no half-open connection lives). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCKING, PROMPT, SLOW } from '../../src/upstream/in-flight.js';
import { Silence } from '../../src/upstream/silence.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestConnection } from '../helpers/test-connection.js';

const OK = '+OK\r\n';

test('patience: a prompt reply has its deadline, a slow one a longer one, a blocked one none', () => {
  const outcomes = ([PROMPT, SLOW, BLOCKING] as const).map((patience) => {
    const test = new TestConnection({ timeoutMs: 2000, slowTimeoutMs: 60_000 }).opened();
    test.sendWith(patience, new RecordingReceiver(), 'X');
    test.clock.endTick();
    const lostAfter = [1999, 3000, 60_000, 1_000_000].map((ms) => {
      test.clock.advance(ms);
      return test.connection.isLost;
    });
    return lostAfter.indexOf(true);
  });
  assert.deepEqual(outcomes, [1, 2, -1]);
});

test('an idle connection has no deadline; one that does not open has one', () => {
  const idle = new TestConnection({ timeoutMs: 2000 }).opened();
  idle.clock.advance(1_000_000);
  assert.ok(!idle.connection.isLost);
  const opening = new TestConnection({ timeoutMs: 2000 });
  opening.clock.advance(2500);
  assert.deepEqual(opening.events, ['lost: the upstream did not let us in within 2000 ms']);
});

test('progress keeps a connection: bytes that come, and bytes that are taken', () => {
  const { connection, stream, clock, send } = new TestConnection({ timeoutMs: 2000 }).opened();
  send(new RecordingReceiver(), 'GET big');
  clock.endTick();
  stream.say('$100\r\n');
  for (let step = 0; step < 20; step += 1) {
    clock.advance(1500);
    stream.say('x');
  }
  assert.ok(!connection.isLost);
  stream.pendingBytes = 1000;
  for (let step = 0; step < 20; step += 1) {
    clock.advance(1500);
    stream.pendingBytes -= 10;
  }
  assert.ok(!connection.isLost);
  clock.advance(2500);
  assert.ok(connection.isLost);
});

test('silence of our own making is no failure: nobody reads while the client is too slow', () => {
  const { connection, stream, clock, send } = new TestConnection({ timeoutMs: 2000 }).opened();
  send(new RecordingReceiver(), 'GET big');
  clock.endTick();
  stream.say('$100\r\n');
  connection.pauseReading();
  clock.advance(100_000);
  assert.ok(!connection.isLost);
  connection.resumeReading();
  clock.advance(2500);
  assert.ok(connection.isLost);
});

test('an upstream that takes nothing is gone, also when no reply is owed yet', () => {
  const { connection, stream, clock } = new TestConnection({ timeoutMs: 2000 }).opened();
  const piece = Buffer.alloc(1000);
  connection.send(new RecordingReceiver(), piece, 0, piece.length, 0, PROMPT);
  clock.endTick();
  stream.pendingBytes = 1000;
  clock.advance(1500);
  assert.ok(!connection.isLost);
  clock.advance(3000);
  assert.ok(connection.isLost);
});

test('a slow command anywhere explains silence everywhere, and the end of it ends the explanation', () => {
  const slow = new TestConnection({ timeoutMs: 2000, slowTimeoutMs: 60_000 }).opened();
  const other = new TestConnection({
    timeoutMs: 2000,
    slowTimeoutMs: 60_000,
    clock: slow.clock,
    silence: slow.silence,
  }).opened();
  slow.sendWith(SLOW, new RecordingReceiver(), 'EVAL x 0');
  other.send(new RecordingReceiver(), 'PING');
  slow.clock.advance(30_000);
  assert.ok(!other.connection.isLost);
  slow.stream.say(OK);
  assert.equal(slow.silence.slowCommands, 0);
  slow.clock.advance(500);
  assert.ok(other.connection.isLost);
});

test('a slow command that has taken long holds up its own connection, and only that', () => {
  const { connection, clock, stream, sendWith } = new TestConnection().opened();
  sendWith(SLOW, new RecordingReceiver(), 'EVAL x 0');
  clock.advance(50);
  assert.ok(!connection.isCongested);
  clock.advance(1);
  assert.ok(connection.isCongested);
  stream.say(OK);
  assert.ok(!connection.isCongested);
});

test('a pause explains silence for as long as it was asked for, the longest counts', () => {
  const clock = new FakeClock();
  const silence = new Silence(clock);
  assert.ok(!silence.isExplained);
  silence.pauseFor(1000);
  silence.pauseFor(500);
  clock.advance(999);
  assert.ok(silence.isPaused && silence.isExplained);
  clock.advance(1);
  assert.ok(!silence.isPaused && !silence.isExplained);
  silence.pauseFor(1000);
  silence.unpause();
  assert.ok(!silence.isPaused);
});

test('a lane whose first command is held up for long counts as congested until something comes', () => {
  const { connection, stream, clock, send } = new TestConnection().opened();
  clock.advance(5000);
  assert.ok(!connection.isCongested);
  send(new RecordingReceiver(), 'SET k v');
  clock.advance(1000);
  assert.ok(connection.isCongested);
  stream.say('+OK\r\n');
  assert.ok(!connection.isCongested);
});

test('slow commands of a lost connection explain nothing any more', () => {
  const { connection, silence, clock, sendWith } = new TestConnection().opened();
  sendWith(SLOW, new RecordingReceiver(), 'EVAL x 0', 'EVAL y 0');
  clock.endTick();
  assert.equal(silence.slowCommands, 2);
  connection.fail(new Error('gone'));
  assert.equal(silence.slowCommands, 0);
});
