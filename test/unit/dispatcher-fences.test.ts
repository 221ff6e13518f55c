/** What a lost connection may still do is stopped before anything that was lost with it is said again (FAULTS.md 1, 2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const KILL_FIRST = 'CLIENT KILL ID 1 ADDR lane:1';

/** A client whose lane is lost with `commands` on it. */
async function lost(...commands: string[]): Promise<{ proxy: TestProxy; client: ProxyClient }> {
  const proxy = new TestProxy({ isFenced: true }).connected();
  const client = proxy.client();
  await client.say(...commands);
  assert.deepEqual(proxy.lane.sentCommands(), commands);
  proxy.lane.close();
  return { proxy, client };
}

test('I5: nothing is said again before the lost connection has been killed', async () => {
  const { proxy, client } = await lost('GET a', 'SET b 1');
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), [KILL_FIRST]);
  next.say(':1\r\n');
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['GET a']);
  next.say('$-1\r\n');
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['SET b 1'], 'what may have run stands apart');
  next.say(OK);
  assert.equal(await client.received(), '$-1|+OK|');
});

test('one that is not there any more is as good as killed', async () => {
  const { proxy } = await lost('SET b 1');
  const next = proxy.remadeLane();
  next.sent();
  next.say(':0\r\n');
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['SET b 1']);
});

test('I5: where it cannot be killed, what may have written is reported and reads are said again', async () => {
  const { proxy, client } = await lost('GET a', 'SET b 1');
  const next = proxy.remadeLane();
  next.sent();
  next.say("-NOPERM this user has no permissions to run the 'client|kill' command\r\n");
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['GET a']);
  next.say('$-1\r\n');
  assert.match(await client.received(), /^\$-1\|-UNKNOWNOUTCOME [^|]*\|$/);
});

test('T: who cannot wait for the fence any longer is told that the outcome is unknown', async () => {
  const { proxy, client } = await lost('SET b 1');
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), [KILL_FIRST]);
  proxy.clock.advance(proxy.outage.holdMs);
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/);
});

test('a loss is judged by its own fence, not by an earlier one', async () => {
  const { proxy, client } = await lost('GET a');
  const second = proxy.remadeLane();
  second.sent();
  second.say(':1\r\n');
  proxy.clock.endTick();
  second.say('$-1\r\n');
  // The time that the first loss would have waited for is over while the second one waits.
  proxy.clock.advance(proxy.outage.holdMs - 150);
  await client.say('SET b 1');
  second.sent();
  second.close();
  const third = proxy.remadeLane();
  assert.deepEqual(third.sentCommands(), ['CLIENT KILL ID 2 ADDR lane:2']);
  proxy.clock.advance(100);
  third.say(':1\r\n');
  proxy.clock.endTick();
  assert.deepEqual(third.sentCommands(), ['SET b 1']);
  third.say(OK);
  assert.equal(await client.received(), '$-1|+OK|');
});

test('an outage need not wait: what is journaled is replayed behind the fences', async () => {
  const { proxy, client } = await lost('SET b 1', 'INCR n');
  proxy.begin();
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET b 1']);
  proxy.outage.lane.say(OK);
  proxy.outage.journal.settle();
  assert.match(await client.received(), /^\+OK\|-UNKNOWNOUTCOME [^|]*\|$/);
  assert.deepEqual(
    proxy.upstream.fences.pending.map(({ addr }) => addr),
    ['lane:1'],
  );
});

test('what never left needs no fence', async () => {
  const proxy = new TestProxy({ isFenced: true }).connected();
  const client = proxy.client();
  proxy.clock.endTick = () => undefined;
  await client.say('INCR n');
  proxy.lane.close();
  Reflect.deleteProperty(proxy.clock, 'endTick');
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['INCR n']);
});
