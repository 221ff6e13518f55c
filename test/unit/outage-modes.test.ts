/** One client's commands over the changes of an outage: in which order they take effect, and what waits for what (I4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const UNAVAILABLE = /^-UNAVAILABLE [^|]*\|$/;

/** The upstream is back, and the journal is being replayed to it. */
function replaying(): { proxy: TestProxy; client: ProxyClient } {
  const proxy = new TestProxy().connected().begin().returned();
  return { proxy, client: proxy.client() };
}

test('what was outstanding when the upstream left is said to the store, in order', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('GET a', 'SET a 1', 'INCR n', 'GET b');
  proxy.lane.say('$-1\r\n');
  proxy.begin();
  assert.equal(await client.received(), '$-1|');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET a 1']);
  proxy.outage.lane.say(OK);
  proxy.outage.journal.settle();
  assert.match(await client.received(), /^\+OK\|-UNKNOWNOUTCOME [^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET b']);
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET a 1'], 'I5: repeated as a record');
});

test('what was held for a connection goes to the store when the outage begins', async () => {
  const proxy = new TestProxy();
  const client = proxy.client();
  await client.say('SET a 1', 'GET a');
  proxy.clock.advance(500);
  proxy.begin();
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET a 1', 'GET a']);
});

test('a client that waited for a connection of its own gets it from the store', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('MULTI', 'SET a 1');
  proxy.begin();
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.own.sentCommands(), ['MULTI']);
});

test('I4: in a replay writes go on to the store and the journal', async () => {
  const { proxy, client } = replaying();
  await client.say('SET a 2');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET a 2']);
  proxy.outage.lane.say(OK);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|');
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET a 2']);
});

test('in a replay a read goes to the upstream, unless a record of its key waits', async () => {
  const { proxy, client } = replaying();
  proxy.outage.waitingKeys.add('b');
  await client.say('GET a', 'GET b', 'GET c');
  const lane = proxy.own;
  assert.deepEqual(lane.sentCommands(), ['GET a']);
  lane.say('$1\r\n1\r\n');
  assert.equal(await client.received(), '$1|1|');
  proxy.clock.advance(300);
  assert.deepEqual(lane.sentCommands(), [], 'it waits');
  proxy.outage.waitingKeys.clear();
  proxy.outage.moved();
  proxy.clock.endTick();
  assert.deepEqual(lane.sentCommands(), ['GET b', 'GET c']);
  lane.say('$1\r\n2\r\n$1\r\n3\r\n');
  assert.equal(await client.received(), '$1|2|$1|3|');
});

test('a read that waits for too long is answered by the store, which has what was buffered', async () => {
  const { proxy, client } = replaying();
  proxy.outage.waitingKeys.add('b');
  await client.say('GET b');
  proxy.clock.advance(proxy.outage.holdMs - 1);
  assert.deepEqual(proxy.outage.lane.sentCommands(), []);
  proxy.clock.advance(1);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET b']);
});

test('a read that cannot tell its keys waits for all records', async () => {
  const { proxy, client } = replaying();
  proxy.outage.waitingKeys.add('b');
  await client.say('KEYS *');
  assert.deepEqual([proxy.own.sentCommands(), proxy.outage.lane.sentCommands()], [[], []]);
  proxy.outage.waitingKeys.clear();
  proxy.outage.moved();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['KEYS *']);
});

test('what needs the real data waits for the end of the replay, and no longer than it may', async () => {
  const { proxy, client } = replaying();
  await client.say('INCR n');
  proxy.clock.advance(500);
  assert.equal(await client.received(), '');
  proxy.end();
  assert.deepEqual(proxy.own.sentCommands(), ['INCR n']);
  proxy.own.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  const { proxy: another, client: impatient } = replaying();
  await impatient.say('INCR n', 'GET a');
  another.clock.advance(another.outage.holdMs);
  assert.match(await impatient.received(), UNAVAILABLE);
  assert.deepEqual(another.own.sentCommands(), ['GET a']);
});

test('each command waits for itself, in this outage and in the next', async () => {
  const { proxy, client } = replaying();
  await client.say('INCR n');
  proxy.clock.advance(900);
  proxy.end();
  proxy.own.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  proxy.begin().returned();
  proxy.clock.advance(5000);
  await client.say('INCR n');
  assert.equal(await client.received(), '', 'it waits as if it were the first');
});

test('the wait is no longer for a replay that has several attempts at its end', async () => {
  const { proxy, client } = replaying();
  await client.say('INCR n');
  for (let time = 0; time < 4; time += 1) {
    proxy.clock.advance(proxy.outage.holdMs / 4);
    proxy.outage.enter(time % 2 === 0 ? 'change-over' : 'replaying');
  }
  proxy.clock.endTick();
  assert.match(await client.received(), UNAVAILABLE);
});

test('I4: in a change-over writes are held, and overtake nothing', async () => {
  const { proxy, client } = replaying();
  proxy.outage.enter('change-over');
  await client.say('SET a 3', 'GET c');
  proxy.clock.advance(100);
  assert.deepEqual(proxy.outage.lane.sentCommands(), []);
  proxy.end();
  assert.deepEqual(proxy.own.sentCommands(), ['SET a 3', 'GET c']);
  proxy.own.say(`${OK}$-1\r\n`);
  assert.equal(await client.received(), '+OK|$-1|');
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('a write that was held for too long is journaled', async () => {
  const { proxy, client } = replaying();
  proxy.outage.enter('change-over');
  await client.say('SET a 3');
  proxy.clock.advance(proxy.outage.holdMs);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET a 3']);
});

test('I4: a read behind its own write waits for the journal before it is asked upstream', async () => {
  const { proxy, client } = replaying();
  await client.say('SET a 1', 'GET other');
  proxy.outage.lane.say(OK);
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), []);
  proxy.outage.journal.settle();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['GET other']);
});

test('what the store had not answered when the outage ended is asked upstream, in order', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('GET a', 'GET b', 'GET c');
  proxy.outage.lane.say('$1\r\n1\r\n');
  proxy.returned().end();
  assert.equal(await client.received(), '$1|1|');
  assert.deepEqual(proxy.own.sentCommands(), ['GET b', 'GET c']);
  proxy.own.say('$1\r\n2\r\n$1\r\n3\r\n');
  assert.equal(await client.received(), '$1|2|$1|3|');
});

test('an upstream that leaves again in the midst of its replay takes nothing with it', async () => {
  const { proxy, client } = replaying();
  await client.say('GET a');
  assert.deepEqual(proxy.own.sentCommands(), ['GET a']);
  await client.say('SET a 1');
  proxy.outage.enter('outage');
  proxy.upstream.suspend(new Error('gone'));
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a']);
  proxy.outage.lane.say('$-1\r\n');
  assert.equal(await client.received(), '$-1|');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET a 1']);
  proxy.outage.lane.say(OK);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '+OK|');
});

test('nothing is forgotten over two outages', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  for (let outage = 1; outage <= 2; outage += 1) {
    proxy.begin();
    await client.say(`SET a ${outage}`);
    proxy.outage.lane.say(OK);
    proxy.outage.journal.settle();
    assert.equal(await client.received(), '+OK|');
    proxy.returned().end();
    await client.say('GET a');
    assert.deepEqual(proxy.own.sentCommands(), ['GET a']);
    proxy.own.say(`$1\r\n${outage}\r\n`);
    assert.equal(await client.received(), `$1|${outage}|`);
  }
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET a 1', '0: SET a 2']);
});

test('what replay cannot bring soon is not waited for: it is paused, or long', async () => {
  const { proxy, client } = replaying();
  proxy.outage.endsSoon = false;
  proxy.outage.waitingKeys.add('b');
  await client.say('INCR n', 'GET b');
  assert.match(await client.received(), /^-UNAVAILABLE [^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET b']);
});
