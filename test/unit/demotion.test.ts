/** REPLICAOF said by a client: what is expected of the upstream then, and for how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Demotion } from '../../src/upstream/demotion.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { TestProxy } from '../helpers/test-proxy.js';

const READONLY = "READONLY You can't write against a read only replica.";
const OF_A_REPLICA = [
  READONLY,
  "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  'LOADING Redis is loading the dataset in memory',
];
const OF_ANYTHING = ['MISCONF x', 'NOREPLICAS x', 'CLUSTERDOWN x', 'READONLYISH x', 'ERR READONLY'];
const OK = '+OK\r\n';

/** Whoever waits for a connection of its own gets it, and says what it has to say. */
function opened(proxy: TestProxy): void {
  proxy.own.open();
  proxy.clock.endTick();
  assert.match(proxy.own.sentCommands().join(), /,REPLICAOF a 6379$/);
}

test('what a replica says is expected from the order on, and nothing else is', () => {
  const demotion = new Demotion(new FakeClock());
  for (const error of OF_A_REPLICA) assert.ok(!demotion.explains(error), error);
  demotion.order();
  for (const error of OF_A_REPLICA) assert.ok(demotion.explains(error), error);
  for (const error of OF_ANYTHING) assert.ok(!demotion.explains(error), error);
});

test('its answer may overtake, or be overtaken by, what other connections say', () => {
  const clock = new FakeClock();
  const demotion = new Demotion(clock);
  demotion.expect();
  assert.deepEqual([demotion.isOrdered, demotion.explains(READONLY)], [false, true]);
  clock.advance(1000);
  assert.ok(!demotion.explains(READONLY), 'it was refused');
  demotion.order();
  demotion.expect();
  clock.advance(1000);
  demotion.takeBack();
  assert.deepEqual([demotion.isOrdered, demotion.explains(READONLY)], [false, true]);
  clock.advance(1000);
  assert.ok(!demotion.explains(READONLY), 'it was taken back');
  demotion.takeBack();
  assert.ok(!demotion.explains(READONLY), 'there was nothing to take back');
});

test('a client orders it and takes it back once the upstream has said yes', async () => {
  const proxy = new TestProxy().connected();
  const { demotion } = proxy.upstream;
  const client = proxy.client();
  const said = async (command: string, reply: string): Promise<boolean> => {
    await client.say(command);
    proxy.lane.say(reply);
    return demotion.isOrdered;
  };
  assert.equal(await said('REPLICAOF a 6379', '-NOPERM\r\n'), false);
  assert.equal(await said('REPLICAOF a', '-ERR wrong number of arguments\r\n'), false);
  assert.equal(await said('REPLICAOF NO ONE', OK), false);
  assert.equal(await said('REPLICAOF a 6379', '+OK Already connected\r\n'), true);
  assert.equal(await said('replicaof no one', '-NOPERM\r\n'), true);
  assert.equal(await said('replicaof no one', OK), false);
  assert.equal(await said('SLAVEOF no 1', OK), true);
  assert.equal(await said('slaveof NO ONE', OK), false);
});

test('inside MULTI it is only queued', async () => {
  const proxy = new TestProxy().connected();
  await proxy.client().say('MULTI', 'REPLICAOF a 6379');
  opened(proxy);
  proxy.own.say(`${OK}+QUEUED\r\n`);
  assert.ok(!proxy.upstream.demotion.isOrdered);
});

test('a client whose replies nobody looks at is believed', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('SUBSCRIBE c', 'REPLICAOF a 6379');
  opened(proxy);
  assert.ok(proxy.upstream.demotion.isOrdered);
  await client.say('REPLICAOF NO ONE');
  assert.ok(!proxy.upstream.demotion.isOrdered);
});

test('it is forgotten when the upstream goes away', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('REPLICAOF a 6379');
  proxy.lane.say(OK);
  assert.ok(proxy.upstream.demotion.isOrdered);
  proxy.lane.close();
  assert.ok(!proxy.upstream.demotion.isOrdered);
  assert.ok(!proxy.upstream.demotion.explains(READONLY));
});
