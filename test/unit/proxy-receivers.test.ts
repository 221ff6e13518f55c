/** What stands between the upstream and a client's dispatcher: receivers of single replies, and errors of our own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockedCommand, type BlockedOptions } from '../../src/proxy/blocked-command.js';
import { ConfirmingReceiver, ReplacingReceiver } from '../../src/proxy/confirming-receiver.js';
import { unavailable, unknownOutcome } from '../../src/proxy/errors.js';
import { isMessage } from '../../src/proxy/message.js';
import { BLOCKING } from '../../src/upstream/in-flight.js';
import { NeverSent } from '../../src/upstream/receiver.js';
import { everySplit } from '../helpers/fuzz.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { FenceRegister } from '../../src/upstream/fences.js';
import { TestConnection } from '../helpers/test-connection.js';

test('a confirmation sees the beginning of the reply before the owner hears that it is complete', () => {
  const reply = Buffer.from('-EXECABORT Transaction discarded because of previous errors.\r\n');
  for (const chunks of everySplit(reply)) {
    const owner = new RecordingReceiver();
    const heads: string[] = [];
    const confirm = (head: Buffer): void => {
      assert.equal(owner.replies, 0);
      heads.push(head.toString());
    };
    const receiver = new ConfirmingReceiver(owner, confirm, () => assert.fail());
    chunks.forEach((chunk, index) =>
      receiver.receive(chunk, 0, chunk.length, index === chunks.length - 1 ? 1 : 0),
    );
    assert.equal(heads.length, 1);
    assert.ok(heads[0]!.startsWith('-EXECABORT'));
    assert.deepEqual([owner.bytes, owner.replies], [reply.toString(), 1]);
  }
});

test('a replaced reply is swallowed, whatever it is', () => {
  const owner = new RecordingReceiver();
  let confirmed = 0;
  const confirm = (): void => void (confirmed += 1);
  const nil = Buffer.from('*-1\r\n');
  const exec = encodeCommand('EXEC');
  const receiver = new ReplacingReceiver(owner, nil, exec, confirm, () => assert.fail());
  const reply = Buffer.from('+OK\r\n');
  receiver.receive(reply, 0, 2, 0);
  receiver.receive(reply, 2, 5, 1);
  assert.deepEqual([owner.events, confirmed], [['1: *-1|'], 1]);
});

test('where a replaced reply is lost, what the client said comes back as never sent', () => {
  const owner = new RecordingReceiver();
  const fail = (): void => assert.fail();
  const exec = encodeCommand('EXEC');
  const receiver = new ReplacingReceiver(owner, Buffer.from('*-1\r\n'), exec, fail, fail);
  receiver.lose(1, false, new Error('x'));
  receiver.refuse(1, new Error('x'));
  assert.deepEqual(
    [owner.events, owner.returned],
    [
      ['refused 1', 'refused 1'],
      [['EXEC'], ['EXEC']],
    ],
  );
  assert.ok(owner.cause instanceof NeverSent);
});

test('where the request comes back it is not lost: its owner will say it again', () => {
  const owner = new RecordingReceiver();
  const receiver = new ConfirmingReceiver(
    owner,
    () => assert.fail(),
    () => assert.fail(),
  );
  receiver.lose(1, false, new Error('x'), encodeCommand('MULTI'));
  receiver.refuse(1, new Error('x'), encodeCommand('MULTI'));
  assert.deepEqual(
    [owner.events, owner.returned],
    [
      ['lost 1', 'refused 1'],
      [['MULTI'], ['MULTI']],
    ],
  );
});

test('a loss is told before the owner hears of it, with the error that takes the place of the reply', () => {
  const owner = new RecordingReceiver();
  const errors: (string | undefined)[] = [];
  const lost = (error: Buffer | null): void => {
    assert.equal(owner.events.length, errors.length);
    errors.push(error?.toString().split(' ')[0]);
  };
  const receiver = new ConfirmingReceiver(owner, () => assert.fail(), lost);
  receiver.lose(1, false, new Error('x'), null);
  receiver.lose(1, true, new Error('x'), null);
  receiver.refuse(1, new Error('x'), null);
  assert.deepEqual(owner.events, ['lost 1', 'lost 1 in its middle', 'refused 1']);
  assert.deepEqual(errors, ['-UNKNOWNOUTCOME', undefined, '-UNAVAILABLE']);
});

test('what comes unasked is told from replies', () => {
  const known: [string, boolean, boolean][] = [
    ['>3\r\n$7\r\nmessage\r\n', false, true],
    ['*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n', true, true],
    ['*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n', false, false],
    ['*4\r\n$8\r\npmessage\r\n', true, true],
    ['*3\r\n$8\r\nsmessage\r\n', true, true],
    ['*3\r\n$9\r\nsubscribe\r\n', true, true],
    ['*3\r\n$12\r\npunsubscribe\r\n', true, true],
    ['*2\r\n$4\r\npong\r\n', true, false],
    ['*0\r\n', true, false],
    ['+1795244277.360711 [0 127.0.0.1:1] "GET" "k"\r\n', false, true],
    ['+OK\r\n', false, false],
    ['+1795244277\r\n', false, false],
    ['-ERR no\r\n', true, false],
  ];
  for (const [text, isSubscriber, expected] of known) {
    const bytes = Buffer.from(`xx${text}`);
    assert.equal(isMessage(bytes, 2, bytes.length, isSubscriber), expected, text);
  }
});

test('errors of our own begin with their word and stay on one line', () => {
  const cause = new Error('broken\r\n+OK');
  assert.match(unavailable(cause).toString(), /^-UNAVAILABLE [^\r\n]*broken {2}\+OK[^\r\n]*\r\n$/);
  assert.match(unknownOutcome(cause).toString(), /^-UNKNOWNOUTCOME [^\r\n]*\r\n$/);
});

/** BLPOP, sent on a connection. */
class TestBlocked {
  /** Takes what is asked about it, and gives it an answer. */
  answer: (reply: Buffer | null) => void = () => assert.fail('nothing was asked');
  readonly test: TestConnection;
  readonly owner = new RecordingReceiver();
  readonly notes: string[] = [];
  mayRepeat = true;
  readonly command: BlockedCommand;

  constructor(command: string, { resp = 2 }: Partial<BlockedOptions> = {}) {
    const ask = (asked: Buffer, answered: (reply: Buffer | null) => void): void => {
      this.notes.push(...commandsIn(asked));
      this.answer = answered;
    };
    this.test = new TestConnection({
      fences: new FenceRegister(() => undefined),
      ask,
    }).opened();
    const told = 'id=7 addr=127.0.0.1:1234';
    this.test.stream.say(`$${told.length}\r\n${told}\r\n`);
    const args = command.split(' ').map((word) => Buffer.from(word));
    this.command = BlockedCommand.from(args, {
      clock: this.test.clock,
      graceMs: 2000,
      owner: this.owner,
      resp,
      mayRepeat: () => this.mayRepeat,
      timedOut: (nil) => this.owner.receive(nil, 0, nil.length, 1),
      calledOff: () => this.notes.push('called off'),
      ended: () => this.notes.push('ended'),
    })!;
    this.test.sendWith(BLOCKING, this.command, command);
    this.command.sentOn(this.test.connection);
    this.test.clock.endTick();
    this.test.stream.sent();
  }
}

test('a blocked command that is answered is over', () => {
  const { test, owner, notes } = new TestBlocked('BLPOP q 5');
  test.clock.advance(4000);
  test.stream.say('*2\r\n$1\r\nq\r\n$1\r\nv\r\n');
  assert.deepEqual([owner.events, notes], [['1: *2|$1|q|$1|v|'], ['ended']]);
  test.clock.advance(100_000);
  assert.ok(!test.connection.isLost);
});

test('a blocked command whose connection is lost waits on and is sent again with the time left', () => {
  const { test, command, owner, notes } = new TestBlocked('BLPOP q 5');
  test.clock.advance(2000);
  test.connection.fail(new Error('gone'));
  assert.ok(command.isWaiting);
  assert.deepEqual([owner.events, notes], [[], []]);
  test.clock.advance(500);
  const next = new TestConnection({ clock: test.clock }).opened();
  command.sendAgain(next.connection);
  test.clock.endTick();
  assert.deepEqual(next.stream.sentCommands(), ['BLPOP q 2.500']);
  next.stream.say('*-1\r\n');
  assert.deepEqual([owner.events, notes], [['1: *-1|'], ['ended']]);
});

test('a blocked command without a timeout waits for ever, on whatever connection', () => {
  const { test, command, owner } = new TestBlocked('BLPOP q 0');
  test.clock.advance(10_000_000);
  assert.ok(!test.connection.isLost);
  test.connection.fail(new Error('gone'));
  test.clock.advance(10_000_000);
  assert.deepEqual(owner.events, []);
  const next = new TestConnection({ clock: test.clock }).opened();
  command.sendAgain(next.connection);
  test.clock.endTick();
  assert.deepEqual(next.stream.sentCommands(), ['BLPOP q 0.000']);
});

test('when its time is over first, the answer is nil in the words of the protocol', () => {
  for (const [resp, nil] of [
    [2, '1: *-1|'],
    [3, '1: _|'],
  ] as const) {
    const { test, owner, notes } = new TestBlocked('XREAD BLOCK 3000 STREAMS s $', { resp });
    test.connection.fail(new Error('gone'));
    test.clock.advance(2999);
    assert.deepEqual(owner.events, []);
    test.clock.advance(1);
    assert.deepEqual([owner.events, notes], [[nil], ['ended']]);
  }
});

test('an upstream that lets the timeout pass in silence is gone', () => {
  const { test } = new TestBlocked('BLPOP q 5');
  test.clock.advance(6900);
  assert.ok(!test.connection.isLost);
  test.clock.advance(200);
  assert.ok(test.connection.isLost);
});

test('while a script runs nobody is answered: the upstream may pass the timeout in silence', () => {
  const { test } = new TestBlocked('BLPOP q 5');
  test.silence.slowCommands = 1;
  test.clock.advance(60_000);
  assert.ok(!test.connection.isLost);
  test.silence.slowCommands = 0;
  test.clock.advance(2500);
  assert.ok(test.connection.isLost);
});

test('I5: a blocked command that may not be repeated is lost with its connection', () => {
  const blocked = new TestBlocked('BLPOP q 5');
  blocked.mayRepeat = false;
  blocked.test.connection.fail(new Error('gone'));
  assert.deepEqual([blocked.owner.events, blocked.notes], [['lost 1'], ['ended']]);
});

test('a blocked command whose reply was cut in its middle cannot be had again', () => {
  const { test, owner } = new TestBlocked('BLPOP q 5');
  test.stream.say('*2\r\n$1\r\nq');
  test.connection.fail(new Error('gone'));
  assert.deepEqual(owner.events, ['0: *2|$1|q', 'lost 1 in its middle']);
});

/** Two passes of a drain. */
function calledOffTwice(blocked: TestBlocked): boolean[] {
  return [blocked.command.callOff(), blocked.command.callOff()];
}

test("a blocked command is called off by asking the upstream, and its nil is not the client's", () => {
  const blocked = new TestBlocked('BLPOP q 0');
  assert.deepEqual(calledOffTwice(blocked), [true, true]);
  assert.deepEqual(blocked.notes.splice(0), ['CLIENT UNBLOCK 7']);
  // It had not begun to wait.
  blocked.answer(Buffer.from(':0\r\n'));
  assert.deepEqual(calledOffTwice(blocked), [true, true]);
  assert.deepEqual(blocked.notes.splice(0), ['CLIENT UNBLOCK 7']);
  blocked.answer(Buffer.from(':1\r\n'));
  blocked.test.stream.say('*-1\r\n');
  assert.deepEqual([blocked.owner.events, blocked.notes], [[], ['ended', 'called off']]);
});

test('what was popped for a blocked command before it was called off reaches the client', () => {
  const blocked = new TestBlocked('BLPOP q 0');
  blocked.command.callOff();
  blocked.test.stream.say('*2\r\n$1\r\nq\r\n$1\r\nv\r\n');
  assert.deepEqual(blocked.owner.events, ['1: *2|$1|q|$1|v|']);
  assert.deepEqual(blocked.notes, ['CLIENT UNBLOCK 7', 'ended']);
});

test('a blocked command that the upstream will not answer now is not waited for', () => {
  for (const reply of [Buffer.from('-NOPERM no\r\n'), null]) {
    const blocked = new TestBlocked('BLPOP q 0');
    assert.equal(blocked.command.callOff(), true);
    blocked.answer(reply);
    assert.equal(blocked.command.callOff(), false);
  }
  const lost = new TestBlocked('BLPOP q 0');
  lost.test.connection.fail(new Error('gone'));
  assert.deepEqual([lost.command.callOff(), lost.notes], [false, []]);
});
