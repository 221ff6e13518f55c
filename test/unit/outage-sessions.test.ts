/** Who clients are, what they wait for and what they subscribe to while the upstream is away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestProxy, type ProxyClient, type TestProxyOptions } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';
const UNAVAILABLE = /^-UNAVAILABLE [^|]*\|$/;

/** The upstream knows `ann`; her password was accepted before it left. */
async function annWasHere(options?: TestProxyOptions): Promise<TestProxy> {
  const proxy = new TestProxy(options).connected();
  const client = proxy.client();
  await client.say('AUTH ann pw');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.sent();
  proxy.own.say(OK);
  assert.equal(await client.received(), '+OK|');
  return proxy;
}

test('credentials that the upstream has accepted are accepted, and no others', async () => {
  const proxy = (await annWasHere()).begin();
  for (const [command, answer] of [
    ['AUTH ann pw', /^\+OK\|$/],
    ['AUTH ann wrong', UNAVAILABLE],
    ['AUTH bob pw', UNAVAILABLE],
    ['AUTH pw', UNAVAILABLE],
    ['HELLO 3 AUTH ann wrong', UNAVAILABLE],
  ] as const) {
    const client = proxy.client();
    await client.say(command);
    assert.match(await client.received(), answer, command);
  }
});

test('HELLO with credentials is said to the store without them', async () => {
  const proxy = (await annWasHere()).begin();
  const ann = proxy.client();
  await ann.say('HELLO 3 AUTH ann pw SETNAME me');
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.own.sentCommands(), ['HELLO 3 SETNAME me']);
  proxy.outage.own.say('%1\r\n$5\r\nproto\r\n:3\r\n');
  assert.equal(await ann.received(), '%1|$5|proto|:3|');
});

test('I8: the writes of another user are not journaled, nor does it read what others have written', async () => {
  const proxy = (await annWasHere()).begin();
  const ann = proxy.client();
  await ann.say('AUTH ann pw', 'SET k v', 'GET k');
  assert.match(await ann.received(), /^\+OK\|(-UNAVAILABLE [^|]*\|){2}$/);
  assert.deepEqual(proxy.outage.lane.sentCommands(), []);
  await ann.say('PING');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['PING']);
});

test('I8: nor is what another user had queued before the outage', async () => {
  const proxy = new TestProxy().connected();
  const ann = proxy.client();
  await ann.say('AUTH ann pw');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK);
  await ann.say('MULTI', 'SET k v');
  assert.deepEqual(proxy.own.sentCommands(), ['AUTH ann pw', 'MULTI', 'SET k v']);
  proxy.own.say(`${OK}+QUEUED\r\n`);
  assert.equal(await ann.received(), '+OK|+OK|+QUEUED|');
  proxy.begin();
  await ann.say('EXEC');
  if (proxy.outage.own !== proxy.outage.lane) {
    proxy.outage.own.open();
    proxy.clock.endTick();
    proxy.outage.own.say(`${OK}+QUEUED\r\n*1\r\n${OK}`);
  }
  assert.match(await ann.received(), UNAVAILABLE);
  assert.deepEqual(proxy.outage.journal.contents, []);
});

test('a user of the same rights is served as anybody', async () => {
  const proxy = await annWasHere();
  proxy.outage.sameRights.add(proxy.identities.identityOf({ user: 'ann', password: 'pw' }));
  proxy.begin();
  const ann = proxy.client();
  await ann.say('AUTH ann pw', 'SET k v');
  assert.equal(await ann.received(), '+OK|');
  proxy.outage.lane.say(OK);
  assert.deepEqual(proxy.outage.journal.contents, ['0: SET k v']);
});

test("the sidecar's own password opens its gate in an outage as ever, however often it is given", async () => {
  const proxy = new TestProxy({ password: 'secret' }).connected().begin();
  const client = proxy.client();
  await client.say('GET k', 'AUTH wrong', 'AUTH secret', 'AUTH secret', 'AUTH default secret');
  assert.match(await client.received(), /^-NOAUTH [^|]*\|-WRONGPASS [^|]*\|\+OK\|\+OK\|\+OK\|$/);
  await client.say('GET k');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET k']);
});

test('behind the gate another user is believed what the upstream has believed', async () => {
  const proxy = new TestProxy({ password: 'secret' }).connected();
  const before = proxy.client();
  await before.say('AUTH ann pw');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK);
  assert.equal(await before.received(), '+OK|');
  proxy.begin();
  const ann = proxy.client();
  await ann.say('AUTH bob pw', 'AUTH ann pw', 'GET k');
  assert.match(await ann.received(), /^-UNAVAILABLE [^|]*\|\+OK\|-UNAVAILABLE [^|]*\|$/);
});

test('a client in a database that the store does not have is refused', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('SELECT 20');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.own.say(OK);
  assert.equal(await client.received(), '+OK|');
  proxy.begin();
  await client.say('GET k', 'SET k v', 'BLPOP q 1');
  proxy.clock.advance(1000);
  assert.match(await client.received(), /^(-UNAVAILABLE [^|]*\|){3}$/);
  assert.deepEqual(proxy.outage.journal.contents, []);
  await client.say('QUIT');
  assert.equal(await client.received(), '+OK|');
});

test('QUIT and RESET are what they are', async () => {
  const proxy = new TestProxy().connected().begin();
  const [a, b] = [proxy.client(), proxy.client()];
  await a.say('SET k v', 'QUIT');
  proxy.outage.lane.say(OK);
  assert.equal(await a.received(), '');
  proxy.outage.journal.settle();
  assert.equal(await a.received(), '+OK|+OK|');
  assert.ok(a.isClosed);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['SET k v']);
  await b.say('MULTI', 'RESET', 'GET k');
  proxy.outage.own.open();
  proxy.clock.endTick();
  proxy.outage.own.say(OK);
  assert.equal(await b.received(), '+OK|+RESET|');
  assert.equal(proxy.outage.own.ending, 'reset');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET k']);
});

// ── waiting ────────────────────────────────────────────────────────────────────────────────────────

test('a blocking pop is held, and answered nil when its own time is over', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('GET a', 'BLPOP q 3', 'GET b');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a']);
  proxy.outage.lane.say('$-1\r\n');
  assert.equal(await client.received(), '$-1|');
  proxy.clock.advance(2999);
  assert.equal(await client.received(), '');
  proxy.clock.advance(1);
  assert.equal(await client.received(), '*-1|');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET b']);
});

test('I4: a pop that is held is sent when the upstream has everything, with the time that is left', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('BLPOP q 10');
  proxy.clock.advance(4000);
  proxy.returned();
  proxy.clock.advance(1000);
  const pops = (): string[] =>
    proxy.transport.streams.flatMap((stream) =>
      stream.sentCommands().filter((command) => command.startsWith('BLPOP')),
    );
  assert.deepEqual(pops(), [], 'not while records wait');
  proxy.end();
  proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(pops(), ['BLPOP q 5.000']);
  proxy.own.say('*2\r\n$1\r\nq\r\n$1\r\nv\r\n');
  assert.equal(await client.received(), '*2|$1|q|$1|v|');
});

test('a pop that waited upstream when it left waits on', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('BRPOP q 2');
  proxy.own.open();
  proxy.clock.endTick();
  proxy.begin();
  proxy.clock.advance(1999);
  assert.equal(await client.received(), '');
  proxy.clock.advance(1);
  assert.equal(await client.received(), '*-1|');
});

test('a reader of a group gets nil at once, or when its time is over', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('XREADGROUP GROUP g c STREAMS s >');
  assert.equal(await client.received(), '*-1|');
  await client.say('XREADGROUP GROUP g c BLOCK 500 STREAMS s >');
  assert.equal(await client.received(), '');
  proxy.clock.advance(500);
  assert.equal(await client.received(), '*-1|');
  await client.say('XREADGROUP GROUP g c BLOCK 500 STREAMS s 0');
  assert.match(await client.received(), UNAVAILABLE);
});

test('a client that leaves takes what it waits for with it', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = proxy.client();
  await client.say('BLPOP q 0');
  await client.vanish();
  proxy.returned().end();
  proxy.clock.advance(100);
  assert.equal(proxy.upstream.pool.lentCount, 0);
  assert.equal(proxy.upstream.pool.waitingCount, 0);
});

// ── subscriptions ──────────────────────────────────────────────────────────────────────────────────

const CONFIRMED = '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n';

async function subscribed(proxy: TestProxy): Promise<ProxyClient> {
  const client = proxy.client();
  await client.say('SUBSCRIBE c');
  const stream = proxy.outage.mode === 'through' ? proxy.own : proxy.outage.own;
  stream.open();
  proxy.clock.endTick();
  assert.deepEqual(stream.sentCommands(), ['SUBSCRIBE c']);
  stream.say(CONFIRMED);
  assert.match(await client.received(), /subscribe\|\$1\|c\|:1\|$/);
  return client;
}

test('a subscription outlives the outage, and the client sees nothing of it', async () => {
  const proxy = new TestProxy().connected();
  const client = await subscribed(proxy);
  proxy.begin();
  proxy.outage.own.open();
  proxy.clock.endTick();
  assert.deepEqual(proxy.outage.own.sentCommands(), ['subscribe c']);
  proxy.outage.own.say(CONFIRMED);
  proxy.returned().end();
  const again = proxy.remade();
  assert.deepEqual(again.sentCommands(), ['subscribe c']);
  again.say(`${CONFIRMED}*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n`);
  assert.equal(await client.received(), '*3|$7|message|$1|c|$1|m|');
  assert.ok(!client.isClosed);
});

test('one that is made in an outage is carried to the upstream', async () => {
  const proxy = new TestProxy().connected().begin();
  const client = await subscribed(proxy);
  proxy.returned().end();
  const again = proxy.remade();
  assert.deepEqual(again.sentCommands(), ['subscribe c']);
  assert.ok(!client.isClosed);
});

test('I1: what a subscriber may not do is refused behind what it has asked before', async () => {
  for (const command of [
    'SET k v',
    'BLPOP q 1',
    'AUTH ann pw',
    'SELECT 3',
    'MULTI',
    'PUBLISH d m',
    'INFO',
  ]) {
    const proxy = new TestProxy().connected().begin();
    const client = await subscribed(proxy);
    await client.say('PING', command);
    assert.equal(await client.received(), '', `${command} overtakes`);
    assert.deepEqual(proxy.outage.own.sentCommands()[0], 'PING');
    assert.deepEqual(proxy.outage.lane.sentCommands(), []);
    assert.deepEqual(proxy.outage.journal.contents, []);
  }
});

test('what would tie a client to its connection for good is refused', async () => {
  for (const command of ['CLIENT TRACKING ON', 'CLIENT REPLY OFF', 'PSYNC ? -1', 'WAIT 1 100']) {
    const proxy = new TestProxy().connected().begin();
    const client = proxy.client();
    await client.say(command);
    assert.match(await client.received(), UNAVAILABLE, command);
  }
});
