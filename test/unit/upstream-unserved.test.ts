/** Errors that say the server cannot serve now: shown to who can do something about it, before they are passed on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReplyFramer } from '../../src/resp/reply-framer.js';
import { SLOW } from '../../src/upstream/in-flight.js';
import type { ReplyReceiver } from '../../src/upstream/receiver.js';
import { beginsWithOneOf, CANNOT_SERVE } from '../../src/upstream/unserved.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { everySplit } from '../helpers/fuzz.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestConnection } from '../helpers/test-connection.js';

const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';
const MISCONF = '-MISCONF Errors writing to the AOF file: No space left on device\r\n';

/** Takes what was not served, or does not. */
class Patient extends RecordingReceiver implements ReplyReceiver {
  readonly unservedSeen: [string, string[] | null][] = [];

  constructor(private readonly takes = true) {
    super();
  }

  unserved(_count: 1, frame: Buffer, request: Buffer | null): boolean {
    this.unservedSeen.push([frame.toString(), request && commandsIn(request)]);
    return this.takes;
  }
}

function opened(): TestConnection {
  return new TestConnection({ unserved: beginsWithOneOf(CANNOT_SERVE) }).opened();
}

test('it is shown with its request, and the replies around it go their way, wherever the bytes are cut', () => {
  const replies = `+a\r\n${LOADING}$1\r\nb\r\n${MISCONF}${LOADING}+c\r\n`;
  for (const chunks of everySplit(Buffer.from(replies))) {
    const { stream, clock, send, connection } = opened();
    const [a, b] = [new Patient(), new Patient()];
    send(a, 'GET 1', 'GET 2', 'GET 3');
    send(b, 'SET 4 x', 'GET 5', 'GET 6');
    clock.endTick();
    for (const chunk of chunks) stream.say(chunk.toString('latin1'));
    assert.deepEqual([a.bytes, a.replies], ['+a\r\n$1\r\nb\r\n', 2]);
    assert.deepEqual([b.bytes, b.replies], ['+c\r\n', 1]);
    assert.deepEqual(a.unservedSeen, [[LOADING, ['GET 2']]]);
    assert.deepEqual(b.unservedSeen, [
      [MISCONF, ['SET 4 x']],
      [LOADING, ['GET 5']],
    ]);
    assert.equal(connection.commandsInFlight, 0);
  }
});

test('who does not take it, or never asked, gets it as any other reply', () => {
  for (const receiver of [new Patient(false), new RecordingReceiver()]) {
    for (const chunks of everySplit(Buffer.from(`${LOADING}+OK\r\n`))) {
      receiver.bytes = '';
      receiver.replies = 0;
      const { stream, clock, send } = opened();
      send(receiver, 'X', 'X');
      clock.endTick();
      for (const chunk of chunks) stream.say(chunk.toString('latin1'));
      assert.deepEqual([receiver.bytes, receiver.replies], [`${LOADING}+OK\r\n`, 2]);
    }
  }
});

test('other errors, and errors inside a reply, pass untouched and in one slice', () => {
  const replies = `-WRONGTYPE x\r\n-ERR y\r\n-LOADINGS z\r\n-\r\n*1\r\n${LOADING}+LOADING\r\n`;
  const { stream, clock, send } = opened();
  const receiver = new Patient();
  send(receiver, 'X', 'X', 'X', 'X', 'X', 'X');
  clock.endTick();
  stream.say(replies);
  assert.deepEqual([receiver.bytes, receiver.events.length], [replies, 1]);
  assert.deepEqual(receiver.unservedSeen, []);
});

test('a connection that is lost in the middle of such an error has delivered nothing of it', () => {
  const { stream, clock, send } = opened();
  const receiver = new Patient();
  send(receiver, 'GET k');
  clock.endTick();
  stream.say('-LOADI');
  stream.close();
  assert.deepEqual([receiver.events, receiver.returned], [['lost 1'], [['GET k']]]);
});

test('I6: an error line that does not end is not held back for ever', () => {
  const { stream, clock, send } = opened();
  const receiver = new Patient();
  send(receiver, 'X', 'X');
  clock.endTick();
  for (let said = 0; said < 10; said += 1)
    stream.say(`${said === 0 ? '-LOADING ' : ''}${'x'.repeat(1000)}`);
  assert.ok(receiver.bytes.length > 5000);
  stream.say('\r\n+OK\r\n');
  assert.equal(receiver.replies, 2);
  assert.deepEqual(receiver.unservedSeen, []);
});

test('a streamed command is shown without its bytes', () => {
  const { connection, stream, clock, sendWith } = opened();
  const receiver = new Patient();
  sendWith(SLOW, receiver, 'EVAL x 0');
  const [head, tail] = [Buffer.from('*1\r\n$4\r\n'), Buffer.from('PING\r\n')];
  connection.send(receiver, head, 0, head.length, 0, SLOW);
  connection.send(receiver, tail, 0, tail.length, 1, SLOW);
  clock.endTick();
  stream.say(LOADING + LOADING);
  assert.deepEqual(receiver.unservedSeen, [
    [LOADING, ['EVAL x 0']],
    [LOADING, null],
  ]);
});

test('a receiver that is told may send again at once, or give the connection up', () => {
  const again = opened();
  const patient = new Patient();
  patient.unserved = () => {
    again.send(patient, 'GET k');
    return true;
  };
  again.send(patient, 'GET k');
  again.clock.endTick();
  again.stream.say(LOADING);
  again.clock.endTick();
  assert.deepEqual(again.stream.sentCommands(), ['GET k', 'GET k']);

  const given = opened();
  const leaving = new Patient();
  leaving.unserved = () => {
    given.connection.fail(new Error('enough'));
    return true;
  };
  given.send(leaving, 'GET 1', 'GET 2');
  given.clock.endTick();
  given.stream.say(`${LOADING}+OK\r\n`);
  assert.deepEqual([leaving.events, leaving.returned], [['lost 1'], [['GET 2']]]);
});

test('the framer stops before such an error again and again, until it is told to go on', () => {
  const framer = new ReplyFramer();
  framer.stopBefore = beginsWithOneOf(['BUSY']);
  const bytes = Buffer.from('+OK\r\n-BUSY x\r\n+OK\r\n');
  assert.equal(framer.scan(bytes, 0, bytes.length, 3), 5);
  assert.deepEqual([framer.isStopped, framer.completed, framer.isInFrame], [true, 1, false]);
  assert.equal(framer.scan(bytes, 5, bytes.length, 3), 5);
  framer.stopBefore = null;
  assert.equal(framer.scan(bytes, 5, bytes.length, 3), bytes.length);
  assert.deepEqual([framer.isStopped, framer.completed], [false, 2]);
});
