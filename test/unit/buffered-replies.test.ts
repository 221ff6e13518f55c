/** One client's replies while its writes are journaled: their order, and what is journaled. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JournalProblem } from '../../src/journal/problem.js';
import { everySplit } from '../helpers/fuzz.js';
import { deposit, Run, TestReplies, transaction, WALL_MS } from '../helpers/test-replies.js';

test('nothing waits here before something is journaled, nor afterwards', () => {
  const test = new TestReplies();
  assert.ok(test.replies.isEmpty);
  test.ask(deposit('SET k v'));
  assert.ok(!test.replies.isEmpty);
  test.say('+OK\r\n');
  assert.ok(!test.replies.isEmpty);
  test.journal.settle();
  assert.ok(test.replies.isEmpty);
  assert.deepEqual(test.owner.events, ['1: +OK|']);
});

test('I1, I3: replies are given in order, and none before the journal has every write up to it', () => {
  const bytes = Buffer.from(
    '$1\r\na\r\n+OK\r\n$3\r\nb\r\n\r\n:1\r\n:2\r\n*2\r\n$1\r\nx\r\n$-1\r\n:3\r\n',
  );
  for (const chunks of everySplit(bytes)) {
    const test = new TestReplies();
    test.ask(1, deposit('SET k v'), 1, deposit('RPUSH l x'), deposit('RPUSH l y'), 2);
    test.say(...chunks);
    assert.equal(test.given, '$1|a|');
    assert.deepEqual(test.journal.contents, ['0: SET k v', '0: RPUSH l x', '0: RPUSH l y']);
    test.journal.settle(1);
    assert.equal(test.given, '$1|a|+OK|$3|b||');
    test.journal.settle(1);
    assert.equal(test.given, '$1|a|+OK|$3|b||:1|');
    test.journal.settle();
    assert.equal(test.owner.bytes, bytes.toString());
    assert.equal(test.owner.replies, 7);
    assert.ok(test.replies.isEmpty && test.isIdle);
  }
});

test('I1, I3: the same of commands that passed unseen together', () => {
  const bytes = Buffer.from(
    '$1\r\na\r\n+OK\r\n$3\r\nb\r\n\r\n-WRONGTYPE no\r\n:2\r\n:3\r\n+OK\r\n',
  );
  for (const chunks of everySplit(bytes)) {
    const test = new TestReplies();
    const run = new Run(['get a', 'SET k v', 'get b', 'RPUSH k x', 'SADD s y']);
    test.ask(run, 1, new Run(['SET j w']));
    test.say(...chunks);
    assert.equal(test.given, '$1|a|');
    assert.deepEqual(test.journal.contents, ['0: SET k v', '0: SADD s y', '0: SET j w']);
    test.journal.settle(1);
    assert.equal(test.given, '$1|a|+OK|$3|b||-WRONGTYPE no|');
    test.journal.settle(1);
    assert.equal(test.given, '$1|a|+OK|$3|b||-WRONGTYPE no|:2|:3|');
    test.journal.settle();
    assert.equal(test.owner.bytes, bytes.toString());
    assert.equal(test.owner.replies, 7);
    assert.ok(test.replies.isEmpty && test.isIdle);
  }
});

test('replies that stand side by side are given together, but an error by itself', () => {
  const test = new TestReplies().ask(
    new Run(['SET a 1', 'SET b 2', 'LPUSH a x', 'SET c 3', 'get c']),
  );
  test.say('+OK\r\n+OK\r\n-WRONGTYPE no\r\n+OK\r\n$1\r\n3\r\n');
  test.journal.settle();
  assert.deepEqual(test.owner.events, ['2: +OK|+OK|', '1: -WRONGTYPE no|', '2: +OK|$1|3|']);
});

test('the journal may be quicker than the store', () => {
  const test = new TestReplies().ask(deposit('SET a 1'), deposit('SET b 2'), 1);
  test.say('+OK\r\n');
  test.journal.settle();
  assert.equal(test.given, '+OK|');
  test.say('+OK\r\n:5\r\n');
  assert.equal(test.given, '+OK|');
  test.journal.settle();
  assert.equal(test.given, '+OK|+OK|:5|');
});

test('what the store has refused is not journaled, and does not wait for itself', () => {
  for (const reply of ['-WRONGTYPE no\r\n', '!5\r\nERR x\r\n', '$-1\r\n', '*-1\r\n', '_\r\n']) {
    for (const chunks of everySplit(Buffer.from(reply))) {
      const test = new TestReplies().ask(deposit('RPUSH l x'));
      test.say(...chunks);
      assert.equal(test.owner.bytes, reply);
      assert.deepEqual(test.journal.contents, []);
      assert.ok(test.replies.isEmpty && test.isIdle);
    }
  }
});

test('a refusal waits for the writes before it, and nobody behind it waits for more', () => {
  const test = new TestReplies().ask(deposit('SET a 1'), deposit('RPUSH a x'), 1);
  test.say('+OK\r\n-WRONGTYPE no\r\n:7\r\n');
  assert.equal(test.given, '');
  test.journal.settle();
  assert.equal(test.given, '+OK|-WRONGTYPE no|:7|');
});

test('every other reply is one of a write that took effect', () => {
  for (const reply of [
    '+OK\r\n',
    ':0\r\n',
    ':1\r\n',
    '$3\r\n1-1\r\n',
    '*0\r\n',
    '#t\r\n',
    '$0\r\n\r\n',
  ]) {
    const test = new TestReplies().ask(deposit('SADD s x', 7));
    test.say(reply);
    assert.deepEqual(test.journal.contents, ['7: SADD s x'], reply);
  }
});

test('a relative time of expiry is journaled as the moment that it means', () => {
  const test = new TestReplies().ask(deposit('SET k v EX 60'));
  test.say('+OK\r\n');
  assert.deepEqual(test.journal.contents, [`0: SET k v PXAT ${WALL_MS + 60_000}`]);
});

test('an entry of a stream is journaled with the id that its client is told', () => {
  const test = new TestReplies().ask(deposit('XADD s * f v'));
  test.say('$5\r\n171-0\r\n');
  assert.deepEqual(test.journal.contents, ['0: xAdd s 171-0 f v']);
});

// ── transactions ───────────────────────────────────────────────────────────────────────────────────

test('a transaction is journaled as one record of what was written, however its reply is cut', () => {
  const reply = Buffer.from(
    '*5\r\n+OK\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n-WRONGTYPE no\r\n:3\r\n$5\r\n171-0\r\n',
  );
  for (const chunks of everySplit(reply)) {
    const test = new TestReplies();
    test.ask(transaction('SET a 1', '', 'RPUSH a x', 'RPUSH l x', 'XADD s * f v'));
    test.say(...chunks);
    assert.deepEqual(test.journal.contents, ['0: [SET a 1, RPUSH l x, xAdd s 171-0 f v]']);
    assert.equal(test.given, '');
    test.journal.settle();
    assert.equal(test.owner.bytes, reply.toString());
  }
});

test('the same in the newer protocol', () => {
  const test = new TestReplies().ask(transaction('SET a 1', '', '', 'SET b 2'));
  test.say('*4\r\n+OK\r\n%1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n+OK\r\n');
  assert.deepEqual(test.journal.contents, ['0: [SET a 1, SET b 2]']);
});

test('even of one command it is a transaction', () => {
  const test = new TestReplies().ask(transaction('SET a 1'));
  test.say('*1\r\n+OK\r\n');
  assert.deepEqual(test.journal.contents, ['0: [SET a 1]']);
});

test('a transaction that was not run, or wrote nothing, is not journaled', () => {
  for (const [commands, reply] of [
    [['SET a 1'], '-EXECABORT Transaction discarded\r\n'],
    [['SET a 1'], '*-1\r\n'],
    [['SET a 1'], '_\r\n'],
    [['RPUSH a x'], '*1\r\n-WRONGTYPE no\r\n'],
    [['', ''], '*2\r\n$-1\r\n$-1\r\n'],
    [[], '*0\r\n'],
  ] as const) {
    const test = new TestReplies().ask(transaction(...commands));
    test.say(reply);
    assert.equal(test.owner.bytes, reply);
    assert.deepEqual(test.journal.contents, []);
    assert.ok(test.replies.isEmpty && test.isIdle);
  }
});

// ── a journal that fails ───────────────────────────────────────────────────────────────────────────

test('E: what the journal does not take is refused in its place, the rest is not', () => {
  for (let failing = 0; failing < 3; failing += 1) {
    const test = new TestReplies().ask(deposit('SET a 1'), deposit('SET b 2'), deposit('SET c 3'));
    for (let at = 0; at < 3; at += 1) {
      if (at === failing) test.journal.problem = new JournalProblem('disk-full', 'no room');
      test.say('+OK\r\n');
    }
    test.journal.settle();
    const answers = test.owner.events.map((event) => event.split(' ')[1]);
    const expected = ['+OK|', '+OK|', '+OK|'];
    expected[failing] = '-UNAVAILABLE';
    assert.deepEqual(answers, expected);
    assert.equal(test.journal.contents.length, 2);
    assert.ok(test.replies.isEmpty && test.isIdle);
  }
});

test('E: what the journal does not take of a run is refused in its place', () => {
  const test = new TestReplies().ask(new Run(['SET a 1', 'SET b 2', 'SET c 3']));
  test.journal.problem = new JournalProblem('disk-full', 'no room');
  test.say('+OK\r\n+OK\r\n+OK\r\n');
  test.journal.settle();
  assert.match(test.given, /^-UNAVAILABLE no room[^|]*\|\+OK\|\+OK\|$/);
  assert.deepEqual(test.journal.contents, ['0: SET b 2', '0: SET c 3']);
  assert.ok(test.replies.isEmpty && test.isIdle);
});

test('E: what the journal has lost is refused, or has an unknown outcome when it may be found again', () => {
  for (const [outcome, word] of [
    ['refused', '-UNAVAILABLE'],
    ['unknown', '-UNKNOWNOUTCOME'],
  ] as const) {
    const test = new TestReplies().ask(deposit('SET a 1'), 1, transaction('SET b 2'));
    test.say('+OK\r\n:7\r\n*1\r\n+OK\r\n');
    test.journal.fail(new JournalProblem('disk-failing', 'fsync failed', outcome));
    const answers = test.owner.events.map((event) => event.split(' ')[1]);
    assert.deepEqual(answers, [word, ':7|', word]);
    assert.ok(test.replies.isEmpty && test.isIdle);
  }
});

test('a store without memory is a reason of its own why nothing is journaled', () => {
  const test = new TestReplies();
  test.ask(deposit('SET k v'));
  test.say("-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  assert.equal(test.timesFull, 1);
  assert.deepEqual(test.journal.contents, []);
  assert.ok(test.isIdle);
});
