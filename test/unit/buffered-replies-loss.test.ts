/** What becomes of replies that wait for the journal when the outage store, or the client, is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deposit } from '../../src/proxy/buffered-replies.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { deposit, Run, TestReplies, transaction } from '../helpers/test-replies.js';

const CAUSE = new Error('the outage store was lost');

const ASKED: (number | Deposit | Run)[] = [
  1,
  deposit('SET a 1'),
  2,
  deposit('RPUSH l x'),
  transaction('SET b 2'),
  1,
];
const ANSWERS = [
  '$1\r\na\r\n',
  '+OK\r\n',
  ':1\r\n',
  '$-1\r\n',
  ':1\r\n',
  '*1\r\n+OK\r\n',
  '$1\r\nz\r\n',
];

test('wherever the store is lost, what it answered is given and the rest comes back', () => {
  for (let answered = 0; answered <= ANSWERS.length; answered += 1) {
    const next = ANSWERS[answered] ?? '';
    for (let cut = 0; cut < Math.max(1, next.length); cut += 1) {
      const test = new TestReplies().ask(...ASKED);
      test.say(ANSWERS.slice(0, answered).join(''));
      if (cut > 0) test.say(next.slice(0, cut));
      const left = ANSWERS.length - answered;
      const given = test.owner.replies;
      if (left > 0) test.replies.lose(left, cut > 0, CAUSE, null);
      test.journal.settle();
      const where = `${answered} answered, cut at ${cut}`;
      assert.equal(test.owner.bytes, ANSWERS.slice(0, answered).join(''), where);
      const losses = test.owner.events.filter((event) => event.startsWith('lost'));
      assert.deepEqual(
        losses,
        left > 0 ? [`lost ${left}`] : [],
        `${where}: and none in its middle`,
      );
      assert.ok(given <= answered && test.replies.isEmpty && test.isIdle, where);
      // The next store is listened to from the beginning.
      test.ask(deposit('SET c 3'));
      test.say('+OK\r\n');
      test.journal.settle();
      assert.ok(test.owner.bytes.endsWith('+OK\r\n') && test.isIdle, where);
    }
  }
});

test('of a run that was answered in part the rest comes back', () => {
  for (let answered = 0; answered <= 4; answered += 1) {
    const test = new TestReplies().ask(new Run(['SET a 1', 'get a', 'SET b 2', 'SET c 3']));
    test.say(['+OK\r\n', '$1\r\n1\r\n', '+OK\r\n', '+OK\r\n'].slice(0, answered).join(''));
    if (answered < 4) test.replies.lose(4 - answered, false, CAUSE, null);
    test.journal.settle();
    assert.equal(test.owner.replies, answered);
    assert.equal(test.journal.contents.length, [0, 1, 1, 2, 3][answered]);
    assert.ok(test.replies.isEmpty && test.isIdle, `${answered} answered`);
  }
});

test('a loss that is told in several calls is forgotten call by call', () => {
  const test = new TestReplies().ask(...ASKED);
  test.say(ANSWERS[0]!);
  test.replies.lose(2, false, CAUSE, encodeCommand('PING'));
  test.replies.lose(1, false, CAUSE, null);
  test.replies.refuse(3, CAUSE, null);
  assert.deepEqual(test.owner.events, ['1: $1|a|', 'lost 2', 'lost 1', 'refused 3']);
  assert.deepEqual(test.owner.returned, [['PING'], null, null]);
  assert.ok(test.replies.isEmpty && test.isIdle);
});

test('what the journal has already is given behind a loss', () => {
  const test = new TestReplies().ask(deposit('SET a 1'), deposit('SET b 2'));
  test.say('+OK\r\n');
  test.replies.lose(1, false, CAUSE, null);
  assert.ok(!test.isIdle, 'one is still at the journal');
  test.ask(deposit('SET b 2'));
  test.say('+OK\r\n');
  test.journal.settle();
  assert.deepEqual(test.owner.events, ['lost 1', '1: +OK|', '1: +OK|']);
});

test('a client that leaves with its connection awaits nothing any more', () => {
  const test = new TestReplies().ask(...ASKED);
  test.say(ANSWERS[0]!, ANSWERS[1]!);
  test.ask(new Run(['SET x 1', 'get x']));
  test.replies.abandon();
  assert.ok(!test.isIdle, 'one is still at the journal');
  test.journal.settle();
  assert.ok(test.isIdle);
});
