/** What is said about commands whose connection is lost (I5): sent, half answered, or never sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLOW } from '../../src/upstream/in-flight.js';
import { commandsIn } from '../helpers/fake-transport.js';
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
    unsent.entries.map(({ receiver, count }) => [receiver === a ? 'a' : 'b', count]),
    [
      ['a', 1],
      ['b', 2],
      ['b', 1],
    ],
  );
  assert.deepEqual(
    commandsIn(unsent.bytes).map((command) => command.slice(0, 6)),
    ['HELD 1', 'HELD 2', 'HELD x', 'HELD 4'],
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
