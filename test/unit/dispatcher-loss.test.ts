/** What becomes of transactions and settings when the connection under them is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('nothing of a transaction runs by itself when its connection is lost between the commands', async () => {
  const { proxy, client } = await started('MULTI');
  proxy.own.say(OK);
  proxy.own.close();
  await client.say('SET k v', 'EXEC', 'GET k');
  assert.match(await client.received(), /^\+OK\|-UNAVAILABLE [^|]*\|-EXECABORT [^|]*\|$/);
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

test('what follows a MULTI whose reply was lost does not run by itself', async () => {
  const { proxy, client } = await started('MULTI');
  proxy.own.close();
  await client.say('SET k v', 'EXEC', 'GET k');
  assert.match(
    await client.received(),
    /^-UNKNOWNOUTCOME [^|]*\|-UNAVAILABLE [^|]*\|-EXECABORT [^|]*\|$/,
  );
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('what follows a MULTI that never left does not run by itself', async () => {
  const { proxy, client } = await started('MULTI', 'EXEC');
  proxy.own.say(`${OK}*0\r\n`);
  assert.equal(await client.received(), '+OK|*0|');
  // On the idle connection the next MULTI is gathered, and lost before the tick ends.
  const stream = proxy.own;
  proxy.clock.endTick = () => undefined;
  await client.say('MULTI');
  stream.close();
  Reflect.deleteProperty(proxy.clock, 'endTick');
  await client.say('SET k v', 'EXEC', 'GET k');
  assert.match(
    await client.received(),
    /^-UNAVAILABLE [^|]*\|-UNAVAILABLE [^|]*\|-EXECABORT [^|]*\|$/,
  );
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('an EXEC whose reply was lost ends the transaction: the client goes on', async () => {
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

test('a whole transaction that was lost in one go ends as well', async () => {
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
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI', 'SET k v', 'DISCARD']);
  proxy.own.say(`${OK}${QUEUED}${OK}`);
  assert.equal(await client.received(), '+OK|+OK|+QUEUED|*-1|');
  await client.say('GET k');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
});

test('a setting whose reply was lost ends the client: its next command might run in the wrong place', async () => {
  for (const setting of ['SELECT 5', 'AUTH ann pw', 'HELLO 3']) {
    const { proxy, client } = await started(setting);
    proxy.own.close();
    await client.say('SET k v');
    assert.deepEqual(proxy.lane.sentCommands(), [], setting);
    assert.ok(client.isClosed, setting);
  }
});

test('a name whose reply was lost is only an error', async () => {
  const { proxy, client } = await started('CLIENT SETNAME me');
  proxy.own.close();
  await client.say('GET k');
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET k']);
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
