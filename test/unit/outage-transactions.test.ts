/** MULTI and EXEC while the upstream is away: one record, or nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';

interface Scene {
  readonly proxy: TestProxy;
  readonly client: ProxyClient;
}

/** A client of a sidecar whose upstream is away, in a transaction that the store has opened. */
async function inTransaction(): Promise<Scene> {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('MULTI');
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.own.sentCommands(), ['MULTI']);
  proxy.outage.own.say(OK);
  assert.equal(await client.received(), '+OK|');
  return { proxy, client };
}

/** Lets the store answer what it is sent, one command after the other as it comes: `replies` in their order. */
async function play({ proxy, client }: Scene, ...replies: string[]): Promise<string> {
  let received = '';
  for (const reply of replies) {
    proxy.outage.own.say(reply);
    received += await client.received();
  }
  return received;
}

test('I3: a transaction is one record, answered when the journal has it', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  await client.say('SET a 1', 'GET a', 'RPUSH l x', 'EXEC');
  assert.equal(await play(scene, QUEUED, QUEUED, QUEUED), '+QUEUED|'.repeat(3));
  assert.equal(await play(scene, `*3\r\n${OK}$1\r\n1\r\n:1\r\n`), '');
  assert.deepEqual(proxy.outage.journal.contents, ['0: [SET a 1, RPUSH l x]']);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '*3|+OK|$1|1|:1|');
  assert.deepEqual(proxy.outage.own.sentCommands(), ['SET a 1', 'GET a', 'RPUSH l x', 'EXEC']);
});

test('pipelined with its MULTI it is the same, and what comes behind keeps its place', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('MULTI', 'SET a 1', 'EXEC', 'GET a');
  proxy.outage.own.open();
  proxy.clock.endTick();
  const received = await play({ proxy, client }, ...[OK, QUEUED, `*1\r\n${OK}`]);
  assert.equal(received, '+OK|+QUEUED|');
  assert.deepEqual(proxy.outage.journal.contents, ['0: [SET a 1]']);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '*1|+OK|');
  const sent = [...proxy.outage.own.sentCommands(), ...proxy.outage.lane.sentCommands()];
  assert.deepEqual(sent, ['MULTI', 'SET a 1', 'EXEC', 'GET a']);
});

test('elements that are errors are not journaled', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  await client.say('SET a 1', 'LPUSH a x', 'SET b 2', 'EXEC');
  await play(scene, QUEUED, QUEUED, QUEUED, `*3\r\n${OK}-WRONGTYPE no\r\n${OK}`);
  assert.deepEqual(proxy.outage.journal.contents, ['0: [SET a 1, SET b 2]']);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '*3|+OK|-WRONGTYPE no|+OK|');
});

test('a transaction of reads needs no journal', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  proxy.outage.journal.refusesBecause = 'the journal is full';
  await client.say('GET a', 'EXEC');
  assert.equal(await play(scene, QUEUED, '*1\r\n$-1\r\n'), '+QUEUED|*1|$-1|');
  assert.deepEqual(proxy.outage.journal.contents, []);
  assert.ok(proxy.outage.desk.isIdle);
});

test('a transaction that the store does not run is not journaled', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  await client.say('RPUSH a', 'EXEC');
  const abort = '-EXECABORT Transaction discarded because of previous errors.\r\n';
  const received = await play(scene, '-ERR wrong number of arguments\r\n', abort);
  assert.match(received, /^-ERR [^|]*\|-EXECABORT [^|]*\|$/);
  assert.deepEqual(proxy.outage.journal.contents, []);
  assert.ok(proxy.outage.desk.isIdle);
});

test('what cannot be in it breaks it: nothing of it runs', async () => {
  for (const command of ['INCR n', 'BLPOP q 1', 'SELECT 3', 'WATCH k', 'SUBSCRIBE c']) {
    const scene = await inTransaction();
    const { proxy, client } = scene;
    await client.say('SET a 1', command, 'EXEC');
    const received = await play(scene, QUEUED);
    assert.match(received, /^\+QUEUED\|-UNAVAILABLE [^|]*\|-EXECABORT [^|]*\|$/, command);
    assert.equal(proxy.outage.own.ending, 'reset', command);
    assert.deepEqual(proxy.outage.journal.contents, []);
  }
});

test('DISCARD drops it', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  await client.say('SET a 1', 'DISCARD', 'SET b 2');
  assert.equal(await play(scene, QUEUED, OK), '+QUEUED|+OK|');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET b 2']);
});

test('a journal that has no room refuses it as a whole', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  proxy.outage.journal.refusesBecause = 'the journal is full';
  await client.say('SET a 1', 'EXEC', 'GET a');
  const received = await play(scene, QUEUED);
  assert.match(received, /^\+QUEUED\|-UNAVAILABLE the journal is full[^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a'], 'the transaction is over');
});

/** A client in a transaction of which the upstream, which has just left, has queued `commands`. */
async function begunBefore(...commands: string[]): Promise<Scene> {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('MULTI', ...commands);
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK + QUEUED.repeat(commands.length));
  assert.equal(await client.received(), `+OK|${'+QUEUED|'.repeat(commands.length)}`);
  proxy.begin();
  return { proxy, client };
}

test('a transaction begun before the outage is told to the store and journaled as one', async () => {
  const scene = await begunBefore('SET a 1');
  const { proxy, client } = scene;
  await client.say('SET b 2', 'EXEC');
  proxy.outage.own.open();
  proxy.clock.endTick();
  const received = await play(scene, OK, QUEUED, QUEUED, `*2\r\n${OK}${OK}`);
  assert.equal(received, '+QUEUED|');
  assert.deepEqual(proxy.outage.own.sentCommands(), ['MULTI', 'SET a 1', 'SET b 2', 'EXEC']);
  assert.deepEqual(proxy.outage.journal.contents, ['0: [SET a 1, SET b 2]']);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '*2|+OK|+OK|');
});

test('it is refused when it holds what only the real data can answer', async () => {
  const scene = await begunBefore('SET a 1', 'INCR n');
  const { proxy, client } = scene;
  await client.say('EXEC', 'GET a');
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.match(await play(scene, OK + QUEUED + QUEUED), /^-UNAVAILABLE [^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a']);
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('and when writes are not to be buffered', async () => {
  const scene = await begunBefore('SET a 1');
  const { proxy, client } = scene;
  proxy.outage.buffersWrites = false;
  await client.say('EXEC');
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.match(await play(scene, OK + QUEUED), /^-UNAVAILABLE [^|]*\|$/);
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('I5: one whose EXEC was sent has an unknown outcome, and is not journaled', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('MULTI', 'SET a 1', 'EXEC');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK + QUEUED);
  proxy.begin();
  assert.match(await client.received(), /^\+OK\|\+QUEUED\|-UNKNOWNOUTCOME [^|]*\|$/);
  await client.say('GET a');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a']);
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('a transaction that WATCH guards cannot be run without the real data', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('WATCH k');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK);
  proxy.begin();
  await client.say('MULTI', 'SET k v', 'EXEC', 'GET k');
  proxy.outage.own.open();
  proxy.clock.endTick();
  const received = `${await client.received()}${await play({ proxy, client }, OK, QUEUED)}`;
  assert.match(received, /^\+OK\|\+OK\|\+QUEUED\|-UNAVAILABLE [^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET k']);
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('one that chooses a database is none that the journal could take', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('MULTI');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.say(OK);
  await client.say('SELECT 3', 'SET k v');
  own.say(QUEUED);
  own.say(QUEUED);
  proxy.begin();
  await client.say('EXEC', 'GET k');
  proxy.outage.own.open();
  proxy.clock.endTick();
  const received = `${await client.received()}${await play({ proxy, client }, OK, QUEUED, QUEUED)}`;
  assert.match(received, /^\+OK\|\+QUEUED\|\+QUEUED\|-UNAVAILABLE [^|]*\|$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET k']);
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('one that is open when the outage ends is told to the upstream', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  await client.say('SET a 1');
  await play(scene, QUEUED);
  proxy.returned().end();
  await client.say('SET b 2', 'EXEC');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI', 'SET a 1', 'SET b 2', 'EXEC']);
  proxy.own.say(`${OK}${QUEUED}${QUEUED}*2\r\n${OK}${OK}`);
  assert.equal(await client.received(), '+QUEUED|*2|+OK|+OK|');
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('writes behind a transaction are journaled together, not one by one', async () => {
  const scene = await inTransaction();
  const { proxy, client } = scene;
  await client.say('SET a 1', 'EXEC');
  await play(scene, QUEUED, `*1\r\n${OK}`);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '*1|+OK|');
  await client.say('SET b 1', 'SET c 2', 'SET d 3');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET b 1', 'SET c 2', 'SET d 3']);
});
