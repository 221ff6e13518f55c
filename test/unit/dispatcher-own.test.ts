/** What the sidecar answers about itself, and to whom. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestProxy } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';

test('RESPOOL is answered here, behind what was asked before', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('GET a', 'RESPOOL JOURNAL LEN', 'GET b');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
  proxy.lane.say('$-1\r\n');
  assert.match(await client.received(), /^\$-1\|:\d+\|$/);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('so it is in an outage, and INFO is what the sidecar says of itself', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('RESPOOL JOURNAL LEN', 'INFO', 'INFO respool', 'INFO everything');
  const received = await client.received();
  assert.match(received, /^:\d+\|/);
  assert.equal(received.split('# Respool').length, 4);
  assert.deepEqual(proxy.outage.lane.sentCommands(), []);
});

test('the section stands behind what the upstream says of itself', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('INFO', 'GET a');
  assert.deepEqual(proxy.lane.sentCommands(), ['INFO', 'GET a']);
  proxy.lane.say('$10\r\n# Server\r\n\r\n$1\r\n1\r\n');
  assert.match(await client.received(), /^\$\d+\|# Server\|\|# Respool\|.*\|\|\$1\|1\|$/);
});

test('nothing of it is told before the password', async () => {
  for (const command of ['INFO respool', 'RESPOOL STATUS', 'RESPOOL BREAKER OPEN', 'INFO']) {
    for (const isAway of [false, true]) {
      const proxy = new TestProxy({ password: 'secret' }).connected();
      if (isAway) proxy.begin();
      const client = proxy.client();
      await client.say(command);
      assert.match(await client.received(), /^-NOAUTH [^|]*\|$/, command);
    }
  }
});

test('I1: nor does it overtake what a subscriber has asked before', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('SUBSCRIBE c', 'PING', 'INFO respool');
  proxy.own.open();
  proxy.clock.endTick();
  assert.equal(await client.received(), '');
});

test('inside a transaction it is not answered out of turn', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('MULTI', 'INFO respool', 'EXEC');
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.own.sentCommands(), ['MULTI', 'INFO respool', 'EXEC']);
  proxy.own.say(`${OK}+QUEUED\r\n*1\r\n$0\r\n\r\n`);
  assert.equal(await client.received(), '+OK|+QUEUED|*1|$0||');
});
