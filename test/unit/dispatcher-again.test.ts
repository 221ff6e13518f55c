/** Commands without a transaction whose connection is lost, or whose upstream cannot serve: said again, in their order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEVER_SERVED, TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';

async function asked(...commands: string[]): Promise<{ proxy: TestProxy; client: ProxyClient }> {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say(...commands);
  assert.deepEqual(proxy.lane.sentCommands(), commands);
  return { proxy, client };
}

test('reads and repeatable writes whose replies were lost are said again, and nobody notices', async () => {
  const { proxy, client } = await asked('GET a', 'SET b 1', 'HSET h f v', 'DEL c');
  proxy.lane.say('$1\r\n1\r\n');
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['SET b 1', 'HSET h f v', 'DEL c']);
  next.say(`${OK}:1\r\n:0\r\n`);
  assert.equal(await client.received(), '$1|1|+OK|:1|:0|');
});

test('I1, I5: what is not said again has its answer in its place', async () => {
  const { proxy, client } = await asked('GET a', 'INCR n', 'SET b 1');
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['GET a']);
  assert.equal(await client.received(), '');
  next.say('$1\r\n1\r\n');
  assert.match(await client.received(), /^\$1\|1\|-UNKNOWNOUTCOME [^|]*\|$/);
  assert.deepEqual(next.sentCommands(), ['SET b 1']);
  next.say(OK);
  assert.equal(await client.received(), '+OK|');
});

test('I1: what was sent and what had only been gathered come back in their order', async () => {
  const { proxy, client } = await asked('GET a', 'GET b');
  // Gathered in the tick in which the connection is lost.
  proxy.clock.endTick = () => undefined;
  await client.say('INCR n', 'GET c');
  proxy.lane.close();
  Reflect.deleteProperty(proxy.clock, 'endTick');
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['GET a', 'GET b', 'INCR n', 'GET c']);
  next.say('$1\r\n1\r\n$1\r\n2\r\n:1\r\n$1\r\n3\r\n');
  assert.equal(await client.received(), '$1|1|$1|2|:1|$1|3|');
});

test('I4: nothing newer is said before what was lost', async () => {
  const { proxy, client } = await asked('SET a 1');
  proxy.lane.close();
  await client.say('SET a 2', 'MULTI', 'SET a 3', 'EXEC');
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['SET a 1']);
  next.say(OK);
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['SET a 2']);
  next.say(OK);
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['MULTI', 'SET a 3', 'EXEC']);
  assert.equal(await client.received(), '+OK|+OK|');
});

test('where ambiguity is to be reported, only reads are said again', async () => {
  const { proxy, client } = await asked('GET a', 'SET b 1');
  proxy.outage.ambiguity = 'report';
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['GET a']);
  next.say('$-1\r\n');
  assert.match(await client.received(), /^\$-1\|-UNKNOWNOUTCOME [^|]*\|$/);
});

test('I8: the writes of another user are not said again, for nobody can fence its connection', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('AUTH ann pw');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK);
  await client.say('SET b 1');
  const lane = proxy.own.open();
  lane.say(OK);
  proxy.clock.endTick();
  assert.equal(await client.received(), '+OK|');
  lane.close();
  proxy.clock.endTick();
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/);
});

test('a client that says no more is hung up on when what was lost has been answered', async () => {
  const { proxy, client } = await asked('GET a', 'INCR n');
  await client.endInput();
  proxy.lane.close();
  const next = proxy.remadeLane();
  next.say('$-1\r\n');
  assert.match(await client.received(), /^\$-1\|-UNKNOWNOUTCOME [^|]*\|$/);
  assert.ok(client.isClosed);
});

test('a client that has gone says nothing again', async () => {
  const { proxy, client } = await asked('GET a', 'SET b 1');
  proxy.lane.close();
  await client.vanish();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), []);
});

test('what was sent in pieces is not kept, and has its answer in its place', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  const long = Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n${'x'.repeat(100_000)}\r\n`);
  await client.sendBytes(long.subarray(0, 90_000));
  const own = proxy.own.open();
  proxy.clock.endTick();
  await client.sendBytes(long.subarray(90_000));
  await client.say('GET b');
  own.close();
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
});

test('a server that cannot serve is asked again after a moment, and nobody notices', async () => {
  const { proxy, client } = await asked('GET a', 'INCR n');
  proxy.lane.say(LOADING);
  proxy.lane.say(LOADING);
  assert.equal(await client.received(), '');
  assert.deepEqual(proxy.lane.sentCommands(), []);
  proxy.clock.advance(50);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a', 'INCR n']);
  proxy.lane.say('$1\r\n1\r\n:1\r\n');
  assert.equal(await client.received(), '$1|1|:1|');
  assert.deepEqual(proxy.outage.unserved, ['LOADING, 0 ms', 'LOADING, 0 ms']);
});

test('I4: a server that has served something newer is not asked again for what is older', async () => {
  const { proxy, client } = await asked('SET a 1', 'SET a 2', 'GET a');
  proxy.lane.say(LOADING);
  proxy.lane.say(`${OK}$1\r\n2\r\n`);
  assert.match(await client.received(), /^-LOADING [^|]*\|\+OK\|\$1\|2\|$/);
  proxy.clock.advance(100);
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('the time that a server could not serve is told, until it serves', async () => {
  const { proxy, client } = await asked('GET a');
  for (let time = 0; time < 3; time += 1) {
    proxy.lane.say(LOADING);
    proxy.clock.advance(50);
    assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
  }
  proxy.lane.say('$-1\r\n');
  await client.say('GET b');
  proxy.lane.say(LOADING);
  const [first, second, third, afresh] = proxy.outage.unserved;
  assert.deepEqual([first, second, third], ['LOADING, 0 ms', 'LOADING, 50 ms', 'LOADING, 100 ms']);
  assert.equal(afresh, 'LOADING, 0 ms');
});

test('what a server never could serve is its answer', async () => {
  const { proxy, client } = await asked('SET a 1', 'GET a');
  proxy.outage.serves = NEVER_SERVED;
  proxy.lane.say("-READONLY You can't write against a read only replica.\r\n$-1\r\n");
  assert.match(await client.received(), /^-READONLY [^|]*\|\$-1\|$/);
});

test('I1: what could not be served and what was lost behind it come back in their order', async () => {
  const { proxy, client } = await asked('SET a 1', 'SET a 2');
  proxy.lane.say(LOADING);
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['SET a 1']);
  next.say(OK);
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['SET a 2']);
  next.say(OK);
  assert.equal(await client.received(), '+OK|+OK|');
});

test('I1: also when it is that answer which begins the outage', async () => {
  const { proxy, client } = await asked('GET a', 'GET b', 'GET c');
  proxy.outage.serves = () => {
    proxy.begin();
    return true;
  };
  proxy.lane.say(LOADING);
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a', 'GET b', 'GET c']);
  proxy.outage.lane.say('$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n');
  assert.equal(await client.received(), '$1|a|$1|b|$1|c|');
});

test("I5: a script's own words are not the server's", async () => {
  for (const command of ['EVAL s 0', 'EVALSHA s 0', 'FCALL f 0']) {
    const { proxy, client } = await asked(command);
    proxy.lane.say('-TRYAGAIN somebody else holds the lock\r\n');
    assert.match(await client.received(), /^-TRYAGAIN [^|]*\|$/, command);
    proxy.clock.advance(100);
    assert.deepEqual(proxy.lane.sentCommands(), [], command);
  }
});

test('a second loss is judged by itself', async () => {
  const { proxy, client } = await asked('GET a');
  proxy.lane.close();
  const second = proxy.remadeLane();
  second.say('$-1\r\n');
  proxy.clock.advance(proxy.outage.holdMs - 120);
  await client.say('SET b 1');
  second.close();
  const third = proxy.remadeLane();
  assert.deepEqual(third.sentCommands(), ['SET b 1']);
  third.say(OK);
  assert.equal(await client.received(), '$-1|+OK|');
});

test('I5: a blocked pop is not sent again when something was sent behind it, or ambiguity is to be reported', async () => {
  for (const [ambiguity, commands] of [
    ['repeat', ['BLPOP q 5', 'GET a']],
    ['report', ['BLPOP q 5']],
  ] as const) {
    const proxy = new TestProxy().connected();
    proxy.outage.ambiguity = ambiguity;
    const client = proxy.client();
    await client.say(...commands);
    proxy.own.open();
    proxy.clock.endTick();
    assert.deepEqual(proxy.own.sentCommands(), commands);
    proxy.own.close();
    assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|$/, ambiguity);
  }
});

test('E: of what may have run nobody says that it did not, when there is no room to say it again', async () => {
  const { proxy, client } = await asked('SET a 1', 'HSET h f v');
  proxy.lane.close();
  proxy.outage.journal.refusesBecause = 'journal is full';
  proxy.begin();
  proxy.clock.endTick();
  assert.match(await client.received(), /^-UNKNOWNOUTCOME [^|]*\|-UNKNOWNOUTCOME [^|]*\|$/);
  await client.say('SET a 2');
  assert.equal(await client.received(), '-UNAVAILABLE journal is full; nothing was run|');
});
