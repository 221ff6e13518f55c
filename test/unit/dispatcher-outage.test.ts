/** One client's commands while the upstream is away: what goes to the outage store, what is journaled, in which order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutageRules } from '../../src/command/rules.js';
import { JournalProblem } from '../../src/journal/problem.js';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const UNAVAILABLE = /^-UNAVAILABLE [^|]*\|$/;

/** A client of a sidecar whose upstream is away; what it said has reached the store. */
function away(): { proxy: TestProxy; client: ProxyClient } {
  const proxy = new TestProxy().connected().begin();
  return { proxy, client: proxy.client() };
}

test('I3: a write is answered when the journal has it, and not before', async () => {
  const { proxy, client } = away();
  await client.say('SET k v');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET k v']);
  assert.deepEqual(proxy.outage.journal.contents, []);
  proxy.outage.lane.say(OK);
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET k v']);
  assert.equal(await client.received(), '');
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|');
});

test('I1: reads behind a write wait for the journal, too, and keep their place', async () => {
  const { proxy, client } = away();
  await client.say('SET k 1', 'GET k', 'SET k 2', 'GET k');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET k 1', 'GET k', 'SET k 2', 'GET k']);
  proxy.outage.lane.say(`${OK}$1\r\n1\r\n${OK}$1\r\n2\r\n`);
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET k 1', '0: SET k 2']);
  assert.equal(await client.received(), '');
  proxy.outage.journal.settle(1);
  assert.equal(await client.received(), '+OK|$1|1|');
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|$1|2|');
  await client.say('GET k');
  proxy.outage.lane.say('$1\r\n2\r\n');
  assert.equal(await client.received(), '$1|2|', 'nothing is held any more');
});

test('the journal has the records of all clients in the order in which they were answered', async () => {
  const { proxy, client } = away();
  const other = proxy.client();
  await client.say('SET k 1', 'SET k 2');
  await other.say('SET k 3');
  proxy.outage.lane.say(OK.repeat(3));
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET k 1', '0: SET k 2', '0: SET k 3']);
  proxy.outage.journal.settle(2);
  assert.deepEqual([await client.received(), await other.received()], ['+OK|+OK|', '']);
  proxy.outage.journal.settle();
  assert.equal(await other.received(), '+OK|');
});

test('a client that only reads does not wait for those who write', async () => {
  const { proxy, client } = away();
  const other = proxy.client();
  await client.say('SET k 1');
  await other.say('GET k');
  proxy.outage.lane.say(`${OK}$1\r\n1\r\n`);
  assert.deepEqual([await client.received(), await other.received()], ['', '$1|1|']);
});

test('what the store answers with an error is not journaled, and the error is the answer', async () => {
  const { proxy, client } = away();
  await client.say('SET k v', 'LPUSH k x', 'SET j w');
  proxy.outage.lane.say(`${OK}-WRONGTYPE Operation against a key\r\n${OK}`);
  proxy.outage.journal.settle();
  assert.match(await client.received(), /^\+OK\|-WRONGTYPE [^|]*\|\+OK\|$/);
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET k v', '0: SET j w']);
});

test("a relative time of expiry is journaled as the moment that it means by the upstream's clock", async () => {
  const { proxy, client } = away();
  proxy.outage.aheadMs = 3_600_000;
  await client.say('SET k v EX 60');
  proxy.outage.lane.say(OK);
  assert.deepEqual(proxy.outage.journal.contents, [
    `0: SET k v PXAT ${proxy.clock.wallMs() + 3_660_000}`,
  ]);
});

test('a write goes to the database that its client has chosen', async () => {
  const { proxy, client } = away();
  await client.say('SELECT 5');
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.own.sentCommands(), ['SELECT 5']);
  proxy.outage.own.say(OK);
  await client.say('SET k v');
  const lane = proxy.outage.own.open();
  lane.say(`${OK}${OK}`);
  proxy.clock.endTick();
  lane.sent();
  lane.say(OK);
  assert.deepEqual(proxy.outage.journal.contents, ['5: SET k v']);
});

test('what only the real data can answer is refused, in its place', async () => {
  const { proxy, client } = away();
  await client.say('GET a', 'INCR n', 'GET b');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a']);
  proxy.outage.lane.say('$-1\r\n');
  assert.match(await client.received(), /^\$-1\|-UNAVAILABLE [^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET b']);
  for (const command of [
    'SET l x NX',
    'GETSET k v',
    'LPOP l',
    'EVAL s 0',
    'WATCH k',
    'FLUSHALL',
    'NO-SUCH',
  ]) {
    const { client: another } = away();
    await another.say(command);
    assert.match(await another.received(), UNAVAILABLE, command);
  }
});

test('a message is published to nobody, and a PING is answered', async () => {
  const { proxy, client } = away();
  await client.say('PUBLISH c m', 'PING');
  assert.equal(await client.received(), ':0|');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['PING']);
});

test('the journal can refuse before the store has seen anything', async () => {
  const { proxy, client } = away();
  proxy.outage.journal.refusesBecause = 'the journal is full';
  await client.say('SET k v', 'GET k');
  assert.match(await client.received(), /^-UNAVAILABLE the journal is full[^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET k']);
});

test('plain writes pass as they came where there is room for many, and are counted', async () => {
  const { proxy, client } = away();
  await client.say('SET k v', 'GET k', 'SET k v EX 5', 'DEL k', 'DEL k l', 'SADD s a b');
  const names = ['SET k v', 'GET k', 'SET k v EX 5', 'DEL k', 'DEL k l', 'SADD s a b'];
  assert.deepEqual(proxy.outage.lane.sentCommands(), names);
  proxy.outage.lane.say(`${OK}$1\r\nv\r\n${OK}:1\r\n:0\r\n:2\r\n`);
  assert.equal(proxy.outage.journal.records.length, 5);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|$1|v|+OK|:1|:0|:2|');
  const answers = proxy.observer.outageAnswers();
  assert.deepEqual([answers.get('buffer'), answers.get('read')], [5, 1]);
});

test('a plain write in a transaction is not journaled by itself', async () => {
  const { proxy, client } = away();
  await client.say('SET k v', 'MULTI', 'SET k w', 'EXEC', 'SET k x');
  proxy.outage.lane.say(OK);
  proxy.outage.journal.settle();
  await client.received();
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET k v']);
});

test('the journal is asked for room for all that is on its way', async () => {
  const { proxy, client } = away();
  await client.say('SET k v EX 5');
  const one = proxy.outage.journal.askedBytes;
  await client.say('SET k v EX 5');
  assert.equal(proxy.outage.journal.askedBytes, 2 * one);
  await client.say('SET k v', 'SET k v EX 5');
  assert.ok(proxy.outage.journal.askedBytes > 3 * one, 'of what passed unseen, too');
  proxy.outage.lane.say(OK.repeat(4));
  proxy.outage.journal.settle();
  await client.say('SET k v EX 5');
  assert.equal(proxy.outage.journal.askedBytes, one);
});

test('E: a write that the journal takes no more is refused, and the store made again without it', async () => {
  const { proxy, client } = away();
  await client.say('SET k v', 'SET j w');
  proxy.outage.journal.problem = new JournalProblem('disk-full', 'the disk is full');
  proxy.outage.lane.say(OK.repeat(2));
  proxy.outage.journal.settle();
  assert.match(await client.received(), /^-UNAVAILABLE the disk is full[^|]*\|\+OK\|$/);
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET j w']);
  assert.ok(proxy.outage.notes.includes('store ahead'));
});

test('E: a write that the journal has lost is refused; one that may be found again has an unknown outcome', async () => {
  for (const [outcome, answer] of [
    ['refused', /^-UNAVAILABLE fsync failed[^|]*\|$/],
    ['unknown', /^-UNKNOWNOUTCOME [^|]*fsync failed[^|]*\|$/],
  ] as const) {
    const { proxy, client } = away();
    await client.say('SET k v');
    proxy.outage.lane.say(OK);
    proxy.outage.journal.fail(new JournalProblem('disk-failing', 'fsync failed', outcome));
    assert.match(await client.received(), answer);
    assert.ok(proxy.outage.notes.includes('store ahead'), outcome);
  }
});

test('reads and writes can be refused altogether', async () => {
  const { proxy, client } = away();
  proxy.outage.answersReads = false;
  proxy.outage.buffersWrites = false;
  const another = proxy.client();
  await another.say('GET k');
  assert.match(await another.received(), UNAVAILABLE);
  await client.say('SET k v');
  assert.match(await client.received(), UNAVAILABLE);
  await client.say('PING');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['PING']);
});

test('rules move commands to other classes', async () => {
  const { proxy, client } = away();
  proxy.outage.rules = new OutageRules([
    { command: 'incr', prefix: null, class: 'buffer' },
    { command: null, prefix: 'lock:', class: 'refuse' },
    { command: null, prefix: 'cache:', class: 'drop' },
  ]);
  await client.say('INCR hits', 'SET cache:a 1');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['INCR hits', 'SET cache:a 1']);
  proxy.outage.lane.say(`:1\r\n${OK}`);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), ':1|+OK|');
  assert.deepEqual(
    proxy.outage.journal.contents,
    ['0: INCR hits'],
    'what is dropped is not journaled',
  );
  await client.say('SET lock:a 1');
  assert.match(await client.received(), UNAVAILABLE);
  await client.say('GET lock:a');
  assert.match(await client.received(), UNAVAILABLE);
});

test('what the store had not answered when it died is said to the next one, in order', async () => {
  const { proxy, client } = away();
  await client.say('SET a 1', 'GET a', 'RPUSH l 1', 'GET b');
  proxy.outage.lane.say(`${OK}$1\r\n1\r\n`);
  proxy.outage.restartStore();
  const next = proxy.outage.own;
  assert.deepEqual(next.sentCommands(), ['RPUSH l 1', 'GET b']);
  next.say(':1\r\n$-1\r\n');
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET a 1', '0: RPUSH l 1']);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|$1|1|:1|$-1|');
});

test('a reply of the store that was cut in its middle is asked for again: the client has seen nothing of it', async () => {
  const { proxy, client } = away();
  await client.say('SET a 1', 'GET a');
  proxy.outage.lane.say(`${OK}$5\r\nhe`);
  proxy.outage.restartStore();
  const next = proxy.outage.own;
  assert.deepEqual(next.sentCommands(), ['GET a']);
  next.say('$5\r\nhello\r\n');
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|$5|hello|');
});

test('a client that leaves is journaled what it has written all the same', async () => {
  const { proxy, client } = away();
  await client.say('SET a 1', 'SET b 2');
  await client.vanish();
  proxy.outage.lane.say(OK.repeat(2));
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET a 1', '0: SET b 2']);
  proxy.outage.journal.settle();
  assert.ok(proxy.outage.desk.isIdle);
});

test('a long write is taken whole', async () => {
  const { proxy, client } = away();
  const value = 'x'.repeat(200_000);
  const long = Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$200000\r\n${value}\r\n`);
  await client.sendBytes(long.subarray(0, 150_000));
  assert.deepEqual(proxy.outage.lane.sentCommands(), []);
  await client.sendBytes(long.subarray(150_000));
  assert.deepEqual(proxy.outage.lane.sentCommands(), [`SET a ${value}`]);
  proxy.outage.lane.say(OK);
  assert.deepEqual(proxy.outage.journal.contents, [`0: SET a ${value}`]);
});
