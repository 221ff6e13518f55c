/** Commands outside transactions that meet a script which runs too long (SEMANTICS §5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUSY, endBusy, heard, stayBusy } from '../helpers/busy-words.js';
import { BUSY_WAIT_MS, TestProxy, type ProxyClient } from '../helpers/test-proxy.js';

const OK = '+OK\r\n';

async function asked(...commands: string[]): Promise<{ proxy: TestProxy; client: ProxyClient }> {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say(...commands);
  assert.deepEqual(proxy.lane.sentCommands(), commands);
  return { proxy, client };
}

test('what was refused is said again when the script has ended, and nobody notices', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  assert.equal(await client.received(), '');
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
  proxy.lane.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  assert.equal(proxy.observer.busyWaits, 1);
});

test('I4: a pipeline is said again whole, in its order', async () => {
  const commands = ['RPUSH l 1', 'RPUSH l 2', 'GET a'];
  const { proxy, client } = await asked(...commands);
  proxy.lane.say(BUSY + BUSY.slice(0, 7));
  proxy.lane.say(BUSY.slice(7));
  proxy.clock.advance(5);
  assert.deepEqual(proxy.lane.sentCommands(), []);
  proxy.lane.say(BUSY);
  proxy.clock.advance(5);
  assert.deepEqual(proxy.lane.sentCommands(), ['PING']);
  proxy.lane.say('+PONG\r\n');
  proxy.clock.endTick();
  assert.deepEqual(proxy.lane.sentCommands(), commands);
  proxy.lane.say(':1\r\n:2\r\n$-1\r\n');
  assert.equal(await client.received(), ':1|:2|$-1|');
});

test('I4: what was refused before something newer was served has its error, in its place', async () => {
  const { proxy, client } = await asked('RPUSH l 1', 'RPUSH l 2', 'RPUSH l 3', 'RPUSH l 4');
  proxy.lane.say(':1\r\n');
  proxy.lane.say(BUSY + BUSY);
  assert.equal(await heard(client), ':1|');
  proxy.lane.say(':2\r\n');
  assert.equal(await heard(client), '-BUSY|-BUSY|:2|');
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('I4: also when only the beginning of the newer reply has come', async () => {
  const { proxy, client } = await asked('SET a 1', 'GET b', 'GET c');
  proxy.lane.say(BUSY);
  proxy.lane.say('$5\r\nhe');
  assert.equal(await heard(client), '-BUSY|$5|he');
  proxy.lane.say('llo\r\n$-1\r\n');
  assert.equal(await heard(client), 'llo|$-1|');
});

test('what is said while a script runs is not sent, and goes out behind what was refused', async () => {
  const { proxy, client } = await asked('INCR n');
  const other = proxy.client();
  proxy.lane.say(BUSY);
  await client.say('INCR m', 'GET n');
  await other.say('GET a', 'GET b');
  await other.say('GET c');
  assert.deepEqual(proxy.lane.sentCommands(), []);
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a', 'GET b', 'GET c', 'INCR n']);
  proxy.lane.say('$-1\r\n$-1\r\n$-1\r\n:1\r\n');
  assert.equal(await client.received(), ':1|');
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR m', 'GET n']);
});

test('the next script is met by what is said again: it waits on', async () => {
  const { proxy, client } = await asked('INCR n');
  for (let time = 0; time < 3; time += 1) {
    proxy.lane.say(BUSY);
    endBusy(proxy);
    assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
  }
  proxy.lane.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
});

test('a client that has waited for as long as it may is told; what it says then is sent', async () => {
  const { proxy, client } = await asked('INCR n', 'INCR m');
  proxy.lane.say(BUSY + BUSY);
  await client.say('INCR o');
  stayBusy(proxy, BUSY_WAIT_MS - 1);
  assert.equal(await heard(client), '');
  proxy.clock.advance(1);
  assert.equal(await heard(client), '-BUSY|-BUSY|');
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR o']);
  proxy.lane.say(BUSY);
  assert.equal(await heard(client), '-BUSY|');
});

test('patience begins anew with the next episode', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  stayBusy(proxy, BUSY_WAIT_MS);
  assert.equal(await heard(client), '-BUSY|');
  while (!proxy.lane.sent().includes('PING')) proxy.clock.advance(1);
  proxy.lane.say('+PONG\r\n');
  await client.say('INCR n');
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
  proxy.lane.say(BUSY);
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
  proxy.lane.say(':1\r\n');
  assert.equal(await heard(client), ':1|');
});

test('what a server answers while a script runs is sent at once', async () => {
  for (const command of ['AUTH pw', 'HELLO 3', 'SCRIPT KILL', 'FUNCTION KILL', 'SHUTDOWN NOSAVE']) {
    const { proxy } = await asked('INCR n');
    proxy.lane.say(BUSY);
    const client = proxy.client();
    await client.say(command);
    if (proxy.own !== proxy.lane) proxy.own.open();
    proxy.clock.endTick();
    assert.deepEqual(proxy.own.sentCommands(), [command]);
    proxy.own.say(OK);
    assert.equal(await client.received(), '+OK|');
  }
});

test('SCRIPT KILL gets through although its own client has something waiting; it is answered in its place', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  await client.say('GET a', 'SCRIPT KILL', 'GET b');
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['SCRIPT KILL']);
  own.say(OK);
  assert.equal(await client.received(), '');
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
  proxy.lane.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
  proxy.lane.say('$-1\r\n');
  assert.equal(await client.received(), '$-1|+OK|');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET b']);
  assert.deepEqual(own.sentCommands(), []);
});

test('a blocking command waits, too', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  await client.say('BLPOP l 5');
  const own = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(own.sentCommands(), ['BLPOP l 5']);
  own.say(BUSY);
  assert.equal(await client.received(), '');
  endBusy(proxy);
  assert.deepEqual(own.sentCommands(), ['BLPOP l 5']);
  own.say('*2\r\n$1\r\nl\r\n$1\r\n1\r\n');
  assert.equal(await client.received(), '*2|$1|l|$1|1|');
  await client.say('GET a');
  assert.deepEqual(proxy.lane.sentCommands(), ['GET a']);
});

test('I1, I4: a connection that is lost while refusals are held: all of it is said again in order', async () => {
  const { proxy, client } = await asked('SET a 1', 'SET a 2');
  proxy.lane.say(BUSY);
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['PING']);
  next.say('+PONG\r\n');
  for (const command of ['SET a 1', 'SET a 2']) {
    proxy.clock.endTick();
    assert.deepEqual(next.sentCommands(), [command]);
    next.say(OK);
  }
  assert.equal(await client.received(), '+OK|+OK|');
});

test('I4: what was refused is not said again behind what may have run: its error is its answer', async () => {
  const { proxy, client } = await asked('RPUSH l 1', 'RPUSH l 2', 'GET a');
  proxy.lane.say(BUSY);
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.equal(await heard(client), '-BUSY|-UNKNOWNOUTCOME|');
  assert.deepEqual(next.sentCommands(), ['PING']);
  next.say('+PONG\r\n');
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['GET a']);
});

test('a question that is lost with its connection is taken for an answer: what waited is said again', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  proxy.clock.advance(10);
  assert.deepEqual(proxy.lane.sentCommands(), ['PING']);
  proxy.lane.close();
  const next = proxy.remadeLane();
  assert.deepEqual(next.sentCommands(), ['INCR n']);
  next.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
});

test('an outage that begins while a script runs: what waited gets its outage treatment', async () => {
  const { proxy, client } = await asked('GET a', 'SET b 1');
  proxy.lane.say(BUSY + BUSY);
  proxy.begin();
  assert.ok(!proxy.upstream.busy.isBusy);
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET a', 'SET b 1']);
  proxy.outage.lane.say(`$-1\r\n${OK}`);
  proxy.outage.journal.settle();
  assert.equal(await client.received(), '$-1|+OK|');
  await client.say('GET c');
  assert.deepEqual(proxy.outage.lane.sentCommands(), ['GET c']);
});

test('a client that is gone waits for nothing', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  await client.vanish();
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('a client that says no more is answered, and then hung up on', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  await client.endInput();
  assert.ok(!client.isClosed);
  endBusy(proxy);
  proxy.lane.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  assert.ok(client.isClosed);
});

test('a long value behind what was refused is not lost', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  const long = Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n${'x'.repeat(100_000)}\r\n`);
  await client.sendBytes(long.subarray(0, 90_000));
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
  proxy.lane.say(':1\r\n');
  assert.equal(await client.received(), ':1|');
  const own = proxy.own.open();
  await client.sendBytes(long.subarray(90_000));
  assert.equal(own.sent(), long.toString('latin1'));
  own.say(OK);
  assert.equal(await client.received(), '+OK|');
});

test('a long value that meets the script itself was not kept: its error is its answer', async () => {
  const proxy = new TestProxy().connected();
  const client = proxy.client();
  const long = Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n${'x'.repeat(100_000)}\r\n`);
  await client.sendBytes(long.subarray(0, 90_000));
  const own = proxy.own.open();
  proxy.clock.endTick();
  await client.sendBytes(long.subarray(90_000));
  own.say(BUSY);
  assert.equal(await heard(client), '-BUSY|');
});

test('what is on its way when a script is met is not told to wait: its client goes on', async () => {
  const { proxy, client } = await asked('GET a');
  const other = proxy.client();
  await other.say('INCR n');
  proxy.lane.sent();
  proxy.lane.say(`$1\r\n1\r\n${BUSY}`);
  assert.equal(await client.received(), '$1|1|');
  endBusy(proxy);
  assert.deepEqual(proxy.lane.sentCommands(), ['INCR n']);
});

test('I8: a client that has not given the password waits for nothing, and ends nothing', async () => {
  const proxy = new TestProxy({ password: 'secret' }).connected();
  const known = proxy.client();
  await known.say('AUTH secret', 'INCR n');
  proxy.lane.sent();
  proxy.lane.say(BUSY);
  const stranger = proxy.client();
  await stranger.say('GET a', 'SHUTDOWN NOSAVE', 'SCRIPT KILL');
  proxy.clock.endTick();
  assert.equal(await heard(stranger), '-NOAUTH|-NOAUTH|-NOAUTH|');
  assert.equal(proxy.transport.streams.length, 1);
  assert.deepEqual(proxy.lane.sentCommands(), []);
});

test('what the operator does not let pass does not pass ahead of others either', async () => {
  const denied = Buffer.from('-NOPERM not here\r\n');
  const proxy = new TestProxy({
    refusal: (_id, args) => (args[0]!.toString() === 'SHUTDOWN' ? { reply: denied } : null),
  }).connected();
  const client = proxy.client();
  await client.say('INCR n');
  proxy.lane.sent();
  proxy.lane.say(BUSY);
  await client.say('GET a', 'SHUTDOWN NOSAVE');
  proxy.clock.endTick();
  assert.equal(proxy.transport.streams.length, 1);
  endBusy(proxy);
  proxy.lane.say(':1\r\n');
  proxy.clock.endTick();
  proxy.lane.say('$-1\r\n');
  assert.equal(await heard(client), ':1|$-1|-NOPERM|');
});

test('a connection that could not be brought to its database because of a script is given up', async () => {
  const proxy = new TestProxy().connected();
  const first = proxy.client();
  await first.say('BLPOP l 1');
  const own = proxy.own.open();
  proxy.clock.endTick();
  own.sent();
  own.say('*-1\r\n');
  // Another one, in another database, gets it.
  const client = proxy.client();
  await client.say('SELECT 3');
  own.sent();
  own.say(OK);
  await client.received();
  await first.say('BLPOP l 1');
  assert.deepEqual(own.sentCommands(), ['SELECT 0', 'BLPOP l 1']);
  own.say(BUSY + BUSY);
  proxy.clock.endTick();
  assert.equal(own.ending, 'reset');
  endBusy(proxy);
  const next = proxy.own.open();
  proxy.clock.endTick();
  assert.deepEqual(next.sentCommands(), ['BLPOP l 1']);
});

test('I1: what stands in a transaction is no command that must not wait', async () => {
  const { proxy, client } = await asked('INCR n');
  proxy.lane.say(BUSY);
  await client.say('GET a', 'MULTI', 'SHUTDOWN NOSAVE', 'SCRIPT KILL', 'DISCARD');
  assert.equal(proxy.transport.streams.length, 1);
});

test('I8: nor is what a client has sent behind a long command before it has given the password', async () => {
  const proxy = new TestProxy({ password: 'pw' }).connected();
  const known = proxy.client();
  await known.say('AUTH pw', 'INCR n');
  proxy.clock.endTick();
  proxy.lane.sent();
  proxy.lane.say(BUSY);
  const stranger = proxy.client();
  const bulk = Buffer.alloc(16_384, 'x');
  const part = Buffer.concat([Buffer.from('$16384\r\n'), bulk, Buffer.from('\r\n')]);
  const long = Buffer.concat([Buffer.from('*5\r\n$3\r\nDEL\r\n'), part, part, part, part]);
  await stranger.sendBytes(long.subarray(0, 49_400));
  await stranger.sendBytes(long.subarray(49_400));
  await stranger.say('SHUTDOWN NOSAVE');
  assert.equal(proxy.transport.streams.length, 1);
  assert.match(await heard(stranger), /^-NOAUTH\|-NOAUTH\|$/);
});
