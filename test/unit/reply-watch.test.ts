/** What a watch sees of the replies on one connection, and that nobody else notices that it is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginsWithOneOf, CANNOT_SERVE } from '../../src/upstream/unserved.js';
import { BLOCKING, PROMPT } from '../../src/upstream/in-flight.js';
import type { ReplyWatch, SeenReply } from '../../src/upstream/reply-watch.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { TestConnection } from '../helpers/test-connection.js';

/** Wants every `period`-th reply, or those that took long enough. */
class TestWatch implements ReplyWatch {
  /** `passed 3`, `get x of shared: 5 ms, 2 ms served`. */
  readonly events: string[] = [];
  private left: number;

  constructor(
    private readonly period: number,
    private readonly slowMs = Infinity,
  ) {
    this.left = period - 1;
  }

  unseen(servedMs: number): number {
    return servedMs >= this.slowMs ? 0 : this.left;
  }
  passed(count: number): void {
    this.left -= count;
    this.events.push(`passed ${count}`);
  }
  saw({ kind, db, durationMs, servedMs, error, request }: SeenReply): void {
    this.left = this.left <= 0 ? this.period - 1 : this.left - 1;
    const command = request === null ? 'not kept' : commandsIn(request)[0];
    const failed = error === null ? '' : `, ${error.toString('latin1').trim()}`;
    this.events.push(`${command} in ${kind} ${db}: ${durationMs} ms, ${servedMs} served${failed}`);
  }
  seen(): string[] {
    return this.events.splice(0);
  }
}

test('a wanted reply is seen alone, with its command, its times and its error', () => {
  const watch = new TestWatch(3);
  const { connection, stream, clock, send } = new TestConnection({
    watch,
    kind: 'pinned',
  }).opened();
  connection.state = { ...connection.state, db: 4 };
  const receiver = new RecordingReceiver();
  send(receiver, 'GET a', 'GET b', 'LPUSH c 1', 'GET d');
  clock.advance(7);
  stream.say('$1\r\n1\r\n$-1\r\n-WRONGTYPE Operation\r\n+OK\r\n');
  assert.deepEqual(watch.seen(), [
    'passed 2',
    'LPUSH c 1 in pinned 4: 7 ms, 0 served, -WRONGTYPE Operation',
    'passed 1',
  ]);
  assert.deepEqual(receiver.seen(), ['2: $1|1|$-1|', '1: -WRONGTYPE Operation|', '1: +OK|']);
});

test('a slow command is told from those that only waited for its reply', () => {
  const watch = new TestWatch(Infinity, 10);
  const { connection, stream, clock, send } = new TestConnection({ watch }).opened();
  const [one, other] = [new RecordingReceiver(), new RecordingReceiver()];
  send(one, 'GET a', 'EVAL long');
  clock.advance(4);
  send(other, 'GET b');
  stream.say('$-1\r\n');
  clock.advance(30);
  stream.say('+long\r\n+b\r\n');
  send(other, 'GET c');
  clock.advance(9);
  stream.say('+c\r\n');
  assert.deepEqual(watch.seen(), [
    'passed 1',
    'EVAL long in shared 0: 34 ms, 30 served',
    'passed 1',
    'passed 1',
  ]);
  assert.equal(connection.commandsInFlight, 0);
});

test('a command that waits for something to happen is not slow', () => {
  const watch = new TestWatch(Infinity, 10);
  const { stream, clock, sendWith } = new TestConnection({ watch }).opened();
  sendWith(BLOCKING, new RecordingReceiver(), 'BLPOP a 0');
  clock.advance(5000);
  stream.say('*-1\r\n');
  sendWith(PROMPT, new RecordingReceiver(), 'GET a');
  clock.advance(10);
  stream.say('*-1\r\n');
  assert.deepEqual(watch.seen(), ['passed 1', 'GET a in shared 0: 10 ms, 10 served']);
});

test('a reply that becomes slow while it arrives is seen when it is whole', () => {
  const watch = new TestWatch(Infinity, 10);
  const { stream, clock, send } = new TestConnection({ watch }).opened();
  const receiver = new RecordingReceiver();
  send(receiver, 'GET a', 'GET b');
  clock.endTick();
  stream.say('$10\r\n01234');
  clock.advance(10);
  stream.say('56789\r\n+b\r\n');
  assert.deepEqual(watch.seen(), ['GET a in shared 0: 10 ms, 10 served', 'passed 1']);
  assert.deepEqual(receiver.seen(), ['0: $10|01234', '1: 56789|', '1: +b|']);
});

test('the request of an error that says that the server cannot serve is taken once', () => {
  const watch = new TestWatch(1);
  const unserved = beginsWithOneOf(CANNOT_SERVE);
  const { stream, clock, send } = new TestConnection({ watch, unserved }).opened();
  const receiver = new RecordingReceiver();
  const shown: (string | undefined)[] = [];
  send(
    Object.assign(receiver, {
      unserved(_count: 1, _frame: Buffer, request: Buffer | null): boolean {
        shown.push(request === null ? undefined : commandsIn(request)[0]);
        return true;
      },
    }),
    'GET a',
    'GET b',
  );
  clock.endTick();
  stream.say('-LOADING later\r\n$1\r\nb\r\n');
  assert.deepEqual(shown, ['GET a']);
  assert.deepEqual(watch.seen(), [
    'GET a in shared 0: 0 ms, 0 served, -LOADING later',
    'GET b in shared 0: 0 ms, 0 served',
  ]);
});

test('what the sidecar says for itself at the beginning of a connection is not seen', () => {
  const watch = new TestWatch(1);
  const state = { db: 3, resp: 2, name: '', libraryName: '', libraryVersion: '' } as const;
  const { stream, clock, send } = new TestConnection({ watch, state });
  stream.open();
  stream.say('+OK\r\n');
  clock.endTick();
  send(new RecordingReceiver(), 'GET a');
  clock.endTick();
  stream.say('$-1\r\n');
  assert.deepEqual(watch.seen(), ['passed 1', 'GET a in shared 3: 0 ms, 0 served']);
});

/** Commands and replies of every length, in chunks of every length; returns what everybody else saw. */
function exchange(watch?: ReplyWatch): unknown {
  const { connection, stream, clock, traffic, send } = new TestConnection({
    ...(watch === undefined ? {} : { watch }),
  }).opened();
  const receivers = [new RecordingReceiver(), new RecordingReceiver()];
  const written: string[] = [];
  for (let round = 0; round < 60; round += 1) {
    const commands = Array.from({ length: 1 + (round % 7) }, (_, at) => `SET ${round} ${at}`);
    send(receivers[round % 2]!, ...commands);
    if (round % 3 === 0) clock.advance(1);
    clock.endTick();
    written.push(stream.sent());
    if (round % 4 !== 3) continue;
    const replies = ['+OK\r\n', '$5\r\nhello\r\n', '-ERR no\r\n', '*2\r\n:1\r\n$-1\r\n'];
    let bytes = '';
    for (let left = connection.commandsInFlight; left > 0; left -= 1) bytes += replies[left % 4];
    const cut = round % bytes.length;
    stream.say(bytes.slice(0, cut));
    stream.say(bytes.slice(cut));
  }
  // Lost with something in flight: what comes back must be what was not answered.
  send(receivers[0]!, 'GET x', 'GET y', 'GET z');
  clock.endTick();
  stream.say('$-1\r\n');
  stream.close();
  return {
    written,
    bytes: receivers.map(({ bytes, replies, returned }) => ({ bytes, replies, returned })),
    replies: traffic.replies.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0),
    traffic: [traffic.upstreamBytesIn, traffic.upstreamBytesOut],
    left: connection.commandsInFlight,
  };
}

test('clients and the upstream get the same bytes whether and however much is watched', () => {
  const unwatched = exchange();
  for (const period of [1, 2, 3, 10, Infinity]) {
    const watch = new TestWatch(period);
    assert.deepEqual(exchange(watch), unwatched, `every ${period}`);
    const requests = watch.seen().filter((event) => event.startsWith('SET '));
    assert.ok(period === Infinity ? requests.length === 0 : requests.length > 10);
  }
});
