/**
 * Clients that are tied to a connection of their own by what they have said there (CLIENT TRACKING, CLIENT ID): what comes
 * unasked goes to them between their replies, and scripts and BUSY are for them what they are for everybody.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUSY, BUSY_EXEC, endBusy, heard } from '../helpers/busy-words.js';
import type { FakeStream } from '../helpers/fake-transport.js';
import { sha1 } from '../helpers/marking-server.js';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const PUSH = '>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n';
const PUSH_HEARD = PUSH.replaceAll('\r\n', '|');
const TRACKING = 'CLIENT TRACKING on';
const MISSING = '-NOSCRIPT No matching script. Please use EVAL.\r\n';
const SOURCE = 'return_1';
const CALL = `EVALSHA ${sha1(SOURCE)} 0`;
const TOLD = `EVAL ${SOURCE} 0`;

interface Stage {
  proxy: TestProxy;
  client: ProxyClient;
  /** The client's own connection. */
  own: FakeStream;
}

/** A client that has said this, in RESP2: nothing here depends on the protocol. */
async function tied(command = TRACKING): Promise<Stage> {
  const proxy = new TestProxy().connected();
  proxy.scripts.registry.learn(Buffer.from(SOURCE));
  const client = proxy.client();
  await client.say(command);
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), [command]);
  own.say(command === 'CLIENT ID' ? ':7\r\n' : OK);
  await client.received();
  return { proxy, client, own };
}

test('it has its connection to itself from then on', async () => {
  const { client, own, proxy } = await tied();
  await client.say('GET a');
  own.say('$1\r\nx\r\n');
  await client.say('GET b');
  assert.deepEqual(own.sentCommands(), ['GET a', 'GET b']);
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('I2: pushes come between the replies, whether any is awaited or not, wherever they are cut', async () => {
  const { client, own } = await tied();
  for (let cut = 1; cut < PUSH.length; cut += 1) {
    own.say(PUSH.slice(0, cut));
    own.say(PUSH.slice(cut));
    assert.equal(await client.received(), PUSH_HEARD);
  }
  await client.say('MULTI', 'GET a', 'EXEC', 'GET b');
  own.say(`${PUSH}${OK}${PUSH}${QUEUED}${PUSH}*1\r\n$-1\r\n${PUSH}`);
  own.say(`$-1\r\n${PUSH}`);
  const replies = ['+OK|', '+QUEUED|', '*1|$-1|', '$-1|'];
  assert.equal(await client.received(), `${PUSH_HEARD}${replies.join(PUSH_HEARD)}${PUSH_HEARD}`);
});

test('what is refused because of a script is said again on the same connection', async () => {
  const { proxy, client, own } = await tied();
  await client.say('SET a 1', 'GET a');
  own.sent();
  own.say(`${PUSH}${BUSY}${PUSH}${BUSY}`);
  assert.equal(await client.received(), `${PUSH_HEARD}${PUSH_HEARD}`);
  endBusy(proxy);
  assert.deepEqual(own.sentCommands(), ['SET a 1', 'GET a']);
  own.say(`${OK}$1\r\n1\r\n`);
  assert.equal(await client.received(), '+OK|$1|1|');
});

test('a transaction too, after what is left of it on the connection', async () => {
  const { proxy, client, own } = await tied();
  await client.say('MULTI', 'INCR n', 'EXEC');
  own.sent();
  own.say(OK + BUSY + BUSY_EXEC);
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['DISCARD']);
  own.say('-ERR DISCARD without MULTI\r\n');
  endBusy(proxy);
  assert.deepEqual(own.sentCommands(), ['MULTI', 'INCR n', 'EXEC']);
  own.say(`${OK}${QUEUED}*1\r\n:1\r\n`);
  assert.equal(await heard(client), '+OK|+QUEUED|*1|:1|');
});

test('one whose end has not been said yet is discarded and told again', async () => {
  const { proxy, client, own } = await tied();
  await client.say('WATCH k');
  own.say(OK);
  await client.say('MULTI', 'INCR n');
  own.sent();
  own.say(OK + BUSY);
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['DISCARD']);
  own.say(OK);
  endBusy(proxy);
  assert.deepEqual(own.sentCommands(), ['MULTI', 'INCR n']);
  own.say(OK + QUEUED);
  await client.say('EXEC');
  assert.deepEqual(own.sentCommands(), ['DISCARD']);
  own.say(OK);
  assert.equal(await heard(client), '+OK|+OK|+QUEUED|*-1|');
  await client.say('GET a');
  assert.deepEqual(own.sentCommands(), ['GET a']);
});

test('scripts are healed, and sent together', async () => {
  const { client, own, proxy } = await tied();
  await client.say(CALL);
  assert.deepEqual(own.sentCommands(), [CALL]);
  own.say(MISSING);
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), [TOLD]);
  own.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  await client.say(CALL, CALL);
  assert.deepEqual(own.sentCommands(), ['MULTI', TOLD, CALL, 'EXEC']);
  own.say(`${OK}${PUSH}${QUEUED}${QUEUED}*2\r\n:1\r\n:2\r\n${PUSH}`);
  assert.equal(await client.received(), `${PUSH_HEARD}:1|:2|${PUSH_HEARD}`);
});

test('SCRIPT EXISTS says what the sidecar can keep', async () => {
  const { client, own } = await tied();
  await client.say(`SCRIPT EXISTS ${sha1(SOURCE)} ${sha1('unknown')}`);
  own.say('*2\r\n:0\r\n:0\r\n');
  assert.equal(await client.received(), '*2|:1|:0|');
});

test('I2: a client whose tracking was lost with its connection is hung up on, before it hears anything else', async () => {
  const { client, own, proxy } = await tied();
  await client.say('GET a');
  own.sent();
  own.close();
  proxy.clock.endTick();
  assert.equal(await client.received(), '');
  assert.ok(client.isClosed);
});

test('one that only knows its connection goes on without it', async () => {
  const { client, own, proxy } = await tied('CLIENT ID');
  await client.say('GET a');
  own.sent();
  own.close();
  proxy.clock.endTick();
  await client.say('GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a', 'GET b']);
  proxy.lane.say('$-1\r\n$-1\r\n');
  assert.equal(await client.received(), '$-1|$-1|');
});

/** A client that asks for its id on a connection that has yet to answer what it was told to become. */
async function asking(): Promise<Stage> {
  const proxy = new TestProxy().connected();
  const before = proxy.client();
  await before.say('SELECT 3');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.say(OK);
  await before.received();
  own.sent();
  const client = proxy.client();
  await client.say('CLIENT ID');
  assert.deepEqual(own.sentCommands(), ['SELECT 0', 'PING']);
  return { proxy, client, own };
}

test('it waits until its connection is quiet, however the answers are cut', async () => {
  const { client, own } = await asking();
  own.say(`${OK}+PO`);
  own.say('NG\r\n');
  await client.received();
  assert.deepEqual(own.sentCommands(), ['CLIENT ID']);
  own.say(':7\r\n');
  assert.equal(await client.received(), ':7|');
});

test('where the connection is lost meanwhile it is said on another one', async () => {
  const { proxy, client, own } = await asking();
  own.close();
  await client.received();
  const other = proxy.remade();
  assert.notEqual(other, own);
  assert.deepEqual(other.sentCommands(), ['CLIENT ID']);
  other.say(':8\r\n');
  assert.equal(await client.received(), ':8|');
});

test('what was refused, or switched off, ties nobody', async () => {
  for (const [command, reply] of [
    [TRACKING, '-NOPERM no\r\n'],
    ['CLIENT TRACKING off', OK],
    ['CLIENT NO-EVICT OFF', OK],
  ] as const) {
    const proxy = new TestProxy().connected();
    const client = proxy.client();
    await client.say(command);
    const own = proxy.own.open();
    proxy.clock.endTick();
    own.say(reply);
    await client.say('GET a');
    assert.deepEqual(proxy.lane.sentCommands(), ['GET a'], command);
  }
});

test('a subscriber that is tied loses both with its connection', async () => {
  const { client, own, proxy } = await tied();
  await client.say('SUBSCRIBE c');
  own.say('*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n');
  assert.equal(await client.received(), '*3|$9|subscribe|$1|c|:1|');
  own.close();
  proxy.clock.endTick();
  await client.received();
  assert.ok(client.isClosed);
});

test('RESET unties: the connection is not used again', async () => {
  const { client, own, proxy } = await tied();
  await client.say('RESET', 'GET a');
  assert.equal(own.ending, 'reset');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
});

test('a CLIENT KILL that found nobody explains no loss that comes after it', async () => {
  for (const [answer, areExpected] of [
    [':1\r\n', true],
    [OK, true],
    [':0\r\n', false],
    ['-ERR No such client\r\n', false],
  ] as const) {
    const { proxy, client, own } = await tied();
    await client.say('CLIENT KILL ID 9');
    assert.equal(proxy.upstream.kills.areExpected, true);
    own.say(answer);
    assert.equal(proxy.upstream.kills.areExpected, areExpected, answer);
  }
});
