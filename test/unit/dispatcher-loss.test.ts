/** What becomes of transactions and settings when the connection under them is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCommand } from '../helpers/raw-client.js';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';

/** A client whose own connection has just been opened for `commands`, and has been sent them. */
async function started(...commands: string[]): Promise<{ proxy: TestProxy; client: ProxyClient }> {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say(...commands);
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), commands);
  return { proxy, client };
}

test('a transaction whose EXEC was not sent is told again, and its client sees nothing of it', async () => {
  const { proxy, client } = await started('MULTI', 'SET a 1');
  proxy.own.say(`${OK}${QUEUED}`);
  proxy.own.close();
  await client.say('SET b 2', 'EXEC', 'GET k');
  const next = proxy.remade();
  assert.deepEqual(next.sentCommands(), ['MULTI', 'SET a 1', 'SET b 2', 'EXEC', 'GET k']);
  next.say(`${OK}${QUEUED}${QUEUED}*2\r\n${OK}${OK}$-1\r\n`);
  assert.equal(await client.received(), '+OK|+QUEUED|+QUEUED|*2|+OK|+OK|$-1|');
  assert.equal(proxy.upstream.pool.idleCount, 1);
});

test('it is told again however often its connection is lost, and what was not answered is said again', async () => {
  const { proxy, client } = await started('MULTI', 'SET a 1');
  proxy.own.say(`${OK}${QUEUED}`);
  await client.say('SET b 2');
  assert.deepEqual(proxy.own.sentCommands(), ['SET b 2']);
  proxy.own.close();
  proxy.clock.endTick();
  const second = proxy.remade();
  assert.deepEqual(second.sentCommands(), ['MULTI', 'SET a 1', 'SET b 2']);
  second.close();
  const third = proxy.remade();
  assert.deepEqual(third.sentCommands(), ['MULTI', 'SET a 1', 'SET b 2']);
  third.say(`${OK}${QUEUED}${QUEUED}`);
  await client.say('EXEC');
  assert.deepEqual(third.sentCommands(), ['EXEC']);
  third.say(`*2\r\n${OK}${OK}`);
  assert.equal(await client.received(), '+OK|+QUEUED|+QUEUED|*2|+OK|+OK|');
});

test('a transaction that is too long to be kept is broken: nothing of it runs by itself', async () => {
  const { proxy, client } = await started('MULTI');
  proxy.own.say(OK);
  const long = encodeCommand('SET', 'a', 'x'.repeat(100_000));
  await client.sendBytes(long.subarray(0, 90_000));
  await client.sendBytes(long.subarray(90_000));
  proxy.own.say(QUEUED);
  proxy.own.close();
  await client.say('SET k v', 'EXEC', 'GET k');
  assert.match(await client.received(), /^\+OK\|\+QUEUED\|-UNAVAILABLE [^|]*\|-EXECABORT [^|]*\|$/);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('DISCARD ends a transaction that was lost', async () => {
  const { proxy, client } = await started('MULTI');
  proxy.own.say(OK);
  proxy.own.close();
  await client.say('DISCARD', 'GET k');
  assert.equal(await client.received(), '+OK|+OK|');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('a MULTI whose reply was lost is said again, and what follows it does not run by itself', async () => {
  const { proxy, client } = await started('MULTI', 'SET a 1');
  proxy.own.close();
  await client.say('SET k v', 'EXEC', 'GET k');
  const next = proxy.remade();
  assert.deepEqual(next.sentCommands(), ['MULTI', 'SET a 1']);
  next.say(`${OK}${QUEUED}`);
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['SET k v', 'EXEC', 'GET k']);
  next.say(`${QUEUED}*2\r\n${OK}${OK}$1\r\nv\r\n`);
  assert.equal(await client.received(), '+OK|+QUEUED|+QUEUED|*2|+OK|+OK|$1|v|');
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('so is a MULTI that never left', async () => {
  const { proxy, client } = await started('MULTI', 'EXEC');
  proxy.own.say(`${OK}*0\r\n`);
  assert.equal(await client.received(), '+OK|*0|');
  // On the idle connection the next MULTI is gathered, and lost before the tick ends.
  const stream = proxy.own;
  proxy.clock.endTick = () => undefined;
  await client.say('MULTI');
  stream.close();
  Reflect.deleteProperty(proxy.clock, 'endTick');
  await client.say('SET k v', 'EXEC');
  const next = proxy.remade();
  assert.deepEqual(next.sentCommands(), ['MULTI']);
  next.say(OK);
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['SET k v', 'EXEC']);
  next.say(`${QUEUED}*1\r\n${OK}`);
  assert.equal(await client.received(), '+OK|+QUEUED|*1|+OK|');
});

test('I5: an EXEC whose reply was lost is not said again, and ends the transaction', async () => {
  const { proxy, client } = await started('MULTI', 'SET k v');
  proxy.own.say(`${OK}${QUEUED}`);
  await client.say('EXEC');
  proxy.own.close();
  assert.match(await client.received(), /^\+OK\|\+QUEUED\|-UNKNOWNOUTCOME [^|]*\|$/);
  await client.say('GET k');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
  proxy.lane.say('$1\r\nv\r\n');
  assert.equal(await client.received(), '$1|v|');
});

test('I5: nothing of a whole transaction that was lost in one go is said again', async () => {
  const { proxy, client } = await started('MULTI', 'SET k v', 'EXEC');
  proxy.own.close();
  assert.match(await client.received(), /^(-UNKNOWNOUTCOME [^|]*\|){3}$/);
  await client.say('GET k');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('a lost WATCH makes the next EXEC fail as if a key had changed', async () => {
  const { proxy, client } = await started('WATCH k');
  proxy.own.say(OK);
  proxy.own.close();
  await client.say('MULTI', 'SET k v', 'EXEC');
  const next = proxy.remade();
  assert.deepEqual(next.sentCommands(), ['MULTI', 'SET k v', 'DISCARD']);
  next.say(`${OK}${QUEUED}${OK}`);
  assert.equal(await client.received(), '+OK|+OK|+QUEUED|*-1|');
  await client.say('GET k');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('I1: and also when that transaction is lost in its turn', async () => {
  const { proxy, client } = await started('WATCH k');
  proxy.own.say(OK);
  proxy.own.close();
  await client.say('MULTI', 'SET k v', 'EXEC', 'GET k');
  const next = proxy.remade();
  assert.deepEqual(next.sentCommands(), ['MULTI', 'SET k v', 'DISCARD', 'GET k']);
  next.close();
  assert.equal(await client.received(), '+OK|');
  const last = proxy.remade();
  assert.deepEqual(last.sentCommands(), ['MULTI', 'SET k v', 'DISCARD', 'GET k']);
  last.say(`${OK}${QUEUED}${OK}$-1\r\n`);
  assert.equal(await client.received(), '+OK|+QUEUED|*-1|$-1|');
});

test('a setting whose reply was lost is said again before anything behind it', async () => {
  for (const setting of ['SELECT 5', 'AUTH ann pw', 'HELLO 3', 'CLIENT SETNAME me']) {
    const { proxy, client } = await started(setting);
    proxy.own.close();
    await client.say('SET k v');
    const next = proxy.remade();
    assert.deepEqual(next.sentCommands(), [setting]);
    assert.deepEqual(proxy.lane.sentCommands(), [], setting);
    next.say(OK);
    assert.equal(await client.received(), '+OK|', setting);
    assert.ok(!client.isClosed, setting);
  }
});

test('I7: a connection granted to a client that was hung up on meanwhile goes nowhere else', async () => {
  const { proxy, client } = await started('SELECT 5');
  proxy.own.say(OK);
  await client.say('WATCH k');
  const waiting = proxy.client();
  await waiting.say('SELECT 7');
  const opening = proxy.own;
  waiting.hangUp();
  opening.open();
  proxy.clock.endTick();
  assert.equal(opening.ending, 'reset');
});

test('I8: a pause that the upstream refuses explains no silence', async () => {
  const proxy = new TestProxy({ password: 'secret' }).connected();
  const stranger = proxy.client();
  await stranger.say('CLIENT PAUSE 1000000');
  assert.match(await stranger.received(), /^-NOAUTH /);
  assert.ok(!proxy.upstream.silence.isExplained);
  const client = proxy.client();
  await client.say('AUTH secret', 'CLIENT PAUSE 1000000');
  assert.ok(!proxy.upstream.silence.isExplained);
  proxy.lane.say('-NOPERM\r\n');
  assert.ok(!proxy.upstream.silence.isExplained);
  await client.say('CLIENT PAUSE 1000000');
  proxy.lane.say(OK);
  assert.ok(proxy.upstream.silence.isExplained);
});
