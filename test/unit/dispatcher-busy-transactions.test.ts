/** Transactions that meet a script which runs too long: said again whole, from MULTI (SEMANTICS §5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUSY, BUSY_EXEC, endBusy, heard, SPOILED_EXEC, stayBusy } from '../helpers/busy-words.js';
import type { FakeStream } from '../helpers/fake-transport.js';
import { BUSY_WAIT_MS, TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';

interface Stage {
  proxy: TestProxy;
  client: ProxyClient;
  /** The client's own connection. */
  own: FakeStream;
}

/** A client has said this in one breath, and it has arrived on a connection of its own. */
async function asked(...commands: string[]): Promise<Stage> {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say(...commands);
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), commands);
  return { proxy, client, own };
}

/** The script ends, and a new connection takes the place of the one on which something was refused. */
function begunAnew(proxy: TestProxy): FakeStream {
  const before = proxy.transport.streams.length;
  endBusy(proxy);
  proxy.transport.streams[before]?.open();
  proxy.clock.endTick();
  return proxy.own;
}

test('a pipelined transaction is said again whole, and nobody notices', async () => {
  const commands = ['MULTI', 'INCR n', 'INCR m', 'EXEC'];
  const { proxy, client, own } = await asked(...commands);
  own.say(OK + BUSY + BUSY + BUSY_EXEC);
  assert.equal(await client.received(), '+OK|');
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), commands);
  next.say(OK + QUEUED + QUEUED + '*2\r\n:1\r\n:1\r\n');
  assert.equal(await client.received(), '+QUEUED|+QUEUED|*2|:1|:1|');
});

test('also when the script ended between its commands', async () => {
  const commands = ['MULTI', 'INCR n', 'INCR m', 'EXEC', 'GET a'];
  const { proxy, client, own } = await asked(...commands);
  own.say(OK + BUSY + QUEUED);
  own.say('-EXECA');
  own.say(`${SPOILED_EXEC.slice(6)}${BUSY}`);
  assert.equal(await client.received(), '+OK|');
  const next = begunAnew(proxy);
  next.say(OK + QUEUED + QUEUED + '*2\r\n:1\r\n:1\r\n$-1\r\n');
  assert.equal(await client.received(), '+QUEUED|+QUEUED|*2|:1|:1|$-1|');
});

test('also when only EXEC was refused', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC');
  own.say(OK + QUEUED + BUSY_EXEC);
  assert.equal(await client.received(), '+OK|+QUEUED|');
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  next.say(OK + QUEUED + '*1\r\n:1\r\n');
  assert.equal(await client.received(), '*1|:1|');
});

test('a transaction said step by step', async () => {
  const { proxy, client, own } = await asked('MULTI');
  own.say(OK);
  await client.say('INCR n');
  own.say(BUSY);
  assert.equal(await client.received(), '+OK|');
  let next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n']);
  next.say(OK + QUEUED);
  assert.equal(await client.received(), '+QUEUED|');
  await client.say('INCR m');
  next.say(QUEUED);
  next.sent();
  await client.say('EXEC');
  next.say(BUSY_EXEC);
  assert.equal(await client.received(), '+QUEUED|');
  next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'INCR m', 'EXEC']);
  next.say(OK + QUEUED + QUEUED + '*2\r\n:1\r\n:1\r\n');
  assert.equal(await client.received(), '*2|:1|:1|');
  await client.say('GET a');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
});

test('two transactions in one pipeline, and what stands around them', async () => {
  const first = ['INCR a', 'MULTI', 'INCR n', 'EXEC'];
  const second = ['INCR b', 'MULTI', 'INCR m', 'EXEC', 'INCR c'];
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say(...first, ...second);
  proxy.lane.sent();
  proxy.lane.say(':1\r\n');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.sent();
  own.say(OK + BUSY + BUSY_EXEC + BUSY);
  own.say(OK + BUSY + BUSY_EXEC + BUSY);
  assert.equal(await client.received(), ':1|+OK|');
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), [...first.slice(1), ...second]);
  next.say(`${OK}${QUEUED}*1\r\n:1\r\n:1\r\n${OK}${QUEUED}*1\r\n:1\r\n:1\r\n`);
  assert.equal(await client.received(), '+QUEUED|*1|:1|:1|+OK|+QUEUED|*1|:1|:1|');
});

test('I4: where something newer was served each has its error, and the transaction is over', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC', 'GET a');
  own.say(OK + BUSY + BUSY_EXEC + '$1\r\n1\r\n');
  assert.equal(await heard(client), '+OK|-BUSY|-EXECABORT|$1|1|');
  endBusy(proxy);
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
  assert.deepEqual(own.sentCommands(), []);
});

test('I4: also where the newer one is a transaction', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC', 'MULTI', 'INCR m', 'EXEC');
  own.say(OK + BUSY + BUSY_EXEC + OK + QUEUED);
  assert.equal(await heard(client), '+OK|');
  own.say('*1\r\n:1\r\n');
  assert.equal(await heard(client), '-BUSY|-EXECABORT|+OK|+QUEUED|*1|:1|');
  endBusy(proxy);
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('one that is still open behind one that was refused: both are said again', async () => {
  const commands = ['MULTI', 'INCR n', 'EXEC', 'MULTI', 'INCR m', 'GET b'];
  const { proxy, client, own } = await asked(...commands);
  own.say(OK + BUSY + BUSY_EXEC + OK + QUEUED);
  await client.say('EXEC');
  own.say(QUEUED);
  assert.deepEqual(own.sentCommands(), []);
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), commands);
  next.say(OK + QUEUED + '*1\r\n:1\r\n' + OK + QUEUED + QUEUED);
  assert.equal(await heard(client), '+OK|+QUEUED|*1|:1|+OK|+QUEUED|+QUEUED|');
  assert.deepEqual(next.sentCommands(), ['EXEC']);
  next.say('*2\r\n:1\r\n$-1\r\n');
  assert.equal(await heard(client), '*2|:1|$-1|');
});

test('a discarded one is said again, too: nobody notices', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'DISCARD');
  own.say(OK + BUSY + OK);
  assert.equal(await heard(client), '+OK|');
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'DISCARD']);
  next.say(OK + QUEUED + OK);
  assert.equal(await heard(client), '+QUEUED|+OK|');
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('a command that is wrong by itself has its own error, and EXEC says so', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'FOO', 'EXEC');
  own.say(`${OK}${BUSY}-ERR unknown command\r\n${BUSY_EXEC}`);
  const next = begunAnew(proxy);
  next.say(`${OK}${QUEUED}-ERR unknown command\r\n${SPOILED_EXEC}`);
  assert.equal(await heard(client), '+OK|+QUEUED|-ERR|-EXECABORT|');
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

/** A client that watches a key. */
async function watching(): Promise<Stage> {
  const stage = await asked('WATCH k');
  stage.own.say(OK);
  assert.equal(await heard(stage.client), '+OK|');
  return stage;
}

test('a transaction that WATCH guards is queued again, and told that its guard was lost', async () => {
  const { proxy, client, own } = await watching();
  await client.say('MULTI', 'INCR n', 'EXEC');
  assert.deepEqual(own.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  own.say(OK + BUSY + BUSY_EXEC);
  assert.equal(await heard(client), '+OK|');
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'DISCARD']);
  next.say(OK + QUEUED + OK);
  assert.equal(await heard(client), '+QUEUED|*-1|');
  // The next one is guarded by nothing that was lost.
  await client.say('MULTI', 'INCR n', 'EXEC');
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
});

test('also when another script is met while it is queued again, and when it is said step by step', async () => {
  const { proxy, client, own } = await watching();
  await client.say('MULTI', 'INCR n');
  own.say(OK + BUSY);
  await client.say('INCR m', 'EXEC');
  let next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n']);
  next.say(OK + QUEUED);
  assert.equal(await heard(client), '+OK|+QUEUED|');
  assert.deepEqual(next.sentCommands(), ['INCR m', 'DISCARD']);
  next.say(BUSY + OK);
  assert.equal(await heard(client), '');
  next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'INCR m', 'DISCARD']);
  next.say(OK + QUEUED + QUEUED + OK);
  assert.equal(await heard(client), '+QUEUED|*-1|');
});

test('one that chooses a database is said again, and its client is where EXEC has brought it', async () => {
  const { proxy, client, own } = await asked('MULTI');
  own.say(OK);
  await client.say('SELECT 5', 'INCR n', 'EXEC', 'GET a');
  assert.deepEqual(own.sentCommands(), ['SELECT 5', 'INCR n', 'EXEC', 'GET a']);
  own.say(BUSY + BUSY + BUSY_EXEC + BUSY);
  assert.equal(await heard(client), '+OK|');
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'SELECT 5', 'INCR n', 'EXEC', 'GET a']);
  next.say(`${OK}${QUEUED}${QUEUED}*2\r\n${OK}:1\r\n$-1\r\n`);
  assert.equal(await heard(client), '+QUEUED|+QUEUED|*2|+OK|:1|$-1|');
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), []);
  const lane = proxy.own.open();
  assert.deepEqual(lane.sentCommands(), ['CLIENT SETNAME respool', 'SELECT 5']);
});

test('I7: of two transactions in a row only what ran has chosen the database', async () => {
  const { proxy, client, own } = await asked('MULTI');
  own.say(OK);
  await client.say('SELECT 5', 'FOO', 'EXEC', 'MULTI', 'SET a 1');
  own.say(`${QUEUED}-ERR unknown command\r\n${SPOILED_EXEC}${OK}${QUEUED}`);
  await client.say('EXEC');
  own.say(`*1\r\n${OK}`);
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('I5, I7: whoever may or may not be in another database now is hung up on', async () => {
  const { proxy, client, own } = await asked('MULTI');
  own.say(OK);
  await client.say('SELECT 5');
  own.say(QUEUED);
  await client.say('EXEC');
  own.close();
  proxy.clock.endTick();
  assert.equal(await heard(client), '+OK|+QUEUED|');
  assert.ok(client.isClosed);
});

test('a script that is known to run costs no WATCH: what is guarded waits for its end', async () => {
  const { proxy, client, own } = await watching();
  const other = proxy.client();
  await other.say('GET a');
  proxy.lane.sent();
  proxy.lane.say(BUSY);
  await client.say('MULTI', 'INCR n', 'EXEC');
  assert.deepEqual(own.sentCommands(), []);
  endBusy(proxy);
  assert.deepEqual(own.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  own.say(`${OK}${QUEUED}*1\r\n:1\r\n`);
  assert.equal(await heard(client), '+OK|+QUEUED|*1|:1|');
});

test('the next script is met while it is told again: it waits on', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n');
  own.say(OK + QUEUED);
  await client.say('EXEC');
  own.say(BUSY_EXEC);
  let next = begunAnew(proxy);
  next.sent();
  next.say(OK + BUSY + BUSY_EXEC);
  assert.equal(await heard(client), '+OK|+QUEUED|');
  next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  // It ended between what was told again.
  next.say(OK + BUSY + SPOILED_EXEC);
  assert.equal(await heard(client), '');
  next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  next.say(OK + QUEUED + '*1\r\n:1\r\n');
  assert.equal(await heard(client), '*1|:1|');
});

test('a client that has waited for as long as it may is told; the transaction will not run', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n');
  own.say(OK + BUSY);
  stayBusy(proxy, BUSY_WAIT_MS);
  assert.equal(await heard(client), '+OK|-BUSY|');
  await client.say('INCR m', 'EXEC');
  assert.equal(await heard(client), '-UNAVAILABLE|-EXECABORT|');
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('the same with its end: the client is outside of it', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC');
  own.say(OK + BUSY + BUSY_EXEC);
  stayBusy(proxy, BUSY_WAIT_MS);
  assert.equal(await heard(client), '+OK|-BUSY|-EXECABORT|');
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('its connection is lost while refusals are held: it is said again on the next', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC', 'GET a');
  own.say(OK + BUSY + BUSY_EXEC);
  own.close();
  proxy.clock.endTick();
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands().slice(0, 3), ['MULTI', 'INCR n', 'EXEC']);
  next.say(OK + QUEUED + '*1\r\n:1\r\n');
  assert.equal(await heard(client), '+OK|+QUEUED|*1|:1|');
});

test('I5: an EXEC that was lost behind a refusal has run nothing', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC');
  own.say(OK + BUSY);
  own.close();
  proxy.clock.endTick();
  const next = begunAnew(proxy);
  assert.deepEqual(next.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  next.say(OK + QUEUED + '*1\r\n:1\r\n');
  assert.equal(await heard(client), '+OK|+QUEUED|*1|:1|');
});

test('I4, I5: a newer EXEC that was lost may have run: the older one is not said again', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC', 'MULTI', 'INCR m', 'EXEC');
  own.say(OK + BUSY + BUSY_EXEC + OK + QUEUED);
  own.close();
  proxy.clock.endTick();
  const told = '-BUSY|-EXECABORT|-UNKNOWNOUTCOME|-UNKNOWNOUTCOME|-UNKNOWNOUTCOME|';
  assert.equal(await heard(client), `+OK|${told}`);
  endBusy(proxy);
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('an outage that begins while it waits: it is journaled as a whole', async () => {
  const { proxy, client, own } = await asked('MULTI', 'SET a 1', 'EXEC');
  own.say(OK + BUSY + BUSY_EXEC);
  proxy.begin();
  const next = proxy.outage.own.open();
  proxy.clock.endTick();
  next.say(OK);
  assert.ok(next.sentCommands().includes('SET a 1'));
  next.say(QUEUED);
  proxy.clock.endTick();
  next.say(`*1\r\n${OK}`);
  proxy.outage.journal.settle();
  assert.equal(await heard(client), '+OK|+QUEUED|*1|+OK|');
});

test('a client that is gone has nothing said again', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC');
  own.say(OK + BUSY + BUSY_EXEC);
  await client.vanish();
  const before = proxy.transport.streams.length;
  endBusy(proxy);
  assert.equal(proxy.transport.streams.length, before);
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('I7: WATCH behind a transaction that was refused holds', async () => {
  const { proxy, client, own } = await asked('MULTI', 'INCR n', 'EXEC', 'WATCH k');
  own.say(OK + BUSY + BUSY_EXEC + OK);
  assert.equal(await heard(client), '+OK|-BUSY|-EXECABORT|+OK|');
  endBusy(proxy);
  // Nobody else gets its connection, and what it guards runs there.
  const other = proxy.client();
  await other.say('MULTI');
  assert.notEqual(proxy.own, own);
  assert.deepEqual(own.sentCommands(), []);
  await client.say('MULTI', 'GET k', 'EXEC');
  assert.deepEqual(own.sentCommands(), ['MULTI', 'GET k', 'EXEC']);
});

test('one with a long value was not kept: it is not said again, and ends with its EXEC', async () => {
  const { proxy, client, own } = await asked('MULTI');
  const long = Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n${'x'.repeat(100_000)}\r\n`);
  own.say(OK);
  await client.sendBytes(long.subarray(0, 90_000));
  await client.sendBytes(long.subarray(90_000));
  own.say(QUEUED);
  await client.say('INCR n', 'EXEC');
  own.sent();
  own.say(BUSY + BUSY_EXEC);
  assert.equal(await heard(client), '+OK|+QUEUED|-BUSY|-EXECABORT|');
  endBusy(proxy);
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});
