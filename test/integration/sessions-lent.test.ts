/**
 * What a client must not notice of a connection that was lent to it: that it had to be brought to the client's state
 * first, who may do that, and what is left of somebody who has gone. Found by Redis' own test suite.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const TRANSACTION = Buffer.concat(['MULTI', 'PING', 'EXEC'].map((name) => encodeCommand(name)));

test('SYNC on a connection that was in another database is not told of pending output', async (t) => {
  const { port, view } = await start(t);
  await inDatabaseNine(await connectRaw(port));
  const replica = await connectRaw(port);
  replica.write('SYNC\r\n');
  await view.untilConnections('replicas', 1, ({ flags }) => flags?.includes('S') === true);
  replica.reset();
});

test('CLIENT INFO shows nothing of what was said before it', async (t) => {
  const { port } = await start(t);
  await inDatabaseNine(await connectRaw(port));
  const info = await (await connectRaw(port)).ask('CLIENT', 'INFO');
  // As long as CLIENT INFO, and no reply that has yet to leave.
  assert.match(info, / qbuf=26 .* obl=0 /);
});

test('who may not SELECT stays where it was before it became somebody', async (t) => {
  const { port, view } = await start(t);
  await view.ask('ACL', 'SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-select');
  const [limited, other] = [await connectRaw(port), await connectRaw(port)];
  for (const client of [limited, other]) {
    if (client === limited) assert.equal(await client.ask('SELECT', 9), '+OK\r\n');
    assert.equal(await client.ask('AUTH', 'limited', 'secret'), '+OK\r\n');
  }
  // Each leaves a connection in its database behind, which the other one must not get.
  for (const client of [other, limited, other, limited]) {
    client.write(TRANSACTION);
    assert.equal(String(await client.readFrame()), '+OK\r\n');
    assert.equal(String(await client.readFrame()), '+QUEUED\r\n');
    assert.equal(String(await client.readFrame()), '*1\r\n+PONG\r\n');
    assert.match(await client.ask('INCR', client === limited ? 'nine' : 'zero'), /^:/);
  }
  assert.equal(await view.ask('GET', 'nine'), '$-1\r\n');
  await view.ask('SELECT', 9);
  assert.equal(await view.ask('GET', 'nine'), '$1\r\n2\r\n');
  assert.equal(await view.ask('ACL', 'LOG'), '*0\r\n');
});

test('what stands behind a command that takes any connection runs in its own database', async (t) => {
  const { port, view } = await start(t);
  await inDatabaseNine(await connectRaw(port));
  const client = await connectRaw(port);
  const urgent = [encodeCommand('FUNCTION', 'STATS'), encodeCommand('CLIENT', 'UNPAUSE')];
  client.write(
    Buffer.concat(urgent.flatMap((command) => [command, encodeCommand('INCR', 'zero')])),
  );
  await client.readFrames(4);
  assert.equal(await view.ask('GET', 'zero'), '$1\r\n2\r\n');
});

test('a name does not take the last connections', async (t) => {
  const { port, view } = await start(t, ['--max-pinned', '4']);
  const named: RawClient[] = [];
  for (let n = 0; n < 6; n += 1) {
    const client = await connectRaw(port);
    assert.equal(await client.ask('CLIENT', 'SETNAME', `named-${n}`), '+OK\r\n');
    named.push(client);
  }
  const other = await connectRaw(port);
  other.write(TRANSACTION);
  assert.equal(String((await other.readFrames(3)).at(-1)), '*1\r\n+PONG\r\n');
  for (const [n, client] of named.entries())
    assert.equal(await client.ask('CLIENT', 'GETNAME'), `$7\r\nnamed-${n}\r\n`);
  assert.match(await view.ask('CLIENT', 'LIST'), /name=named-0 /);
});

test('nobody is listed by the name of a client that has left', async (t) => {
  const { port, view } = await start(t);
  const [leaver, resetter] = [await connectRaw(port), await connectRaw(port)];
  assert.equal(await leaver.ask('CLIENT', 'SETNAME', 'leaver'), '+OK\r\n');
  assert.equal(await resetter.ask('CLIENT', 'SETNAME', 'resetter'), '+OK\r\n');
  await leaver.close();
  await resetter.ask('RESET');
  await view.untilConnections('named', 0, ({ name }) => /leaver|resetter/.test(name ?? ''));
});

test('a client that quits has left, also upstream, though its socket is still open', async (t) => {
  const { port, view } = await start(t);
  const tracker = await connectRaw({ port, host: '127.0.0.1', allowHalfOpen: true });
  await tracker.ask('HELLO', 3);
  assert.equal(await tracker.ask('CLIENT', 'TRACKING', 'ON'), '+OK\r\n');
  assert.equal(await view.info('clients', 'tracking_clients'), '1');
  assert.equal(await tracker.ask('QUIT'), '+OK\r\n');
  await eventually(
    'nobody tracks',
    async () => (await view.info('clients', 'tracking_clients')) === '0',
    { withinMs: 4_000 },
  );
  tracker.reset();
});

async function start(
  t: TestContext,
  args: string[] = [],
): Promise<{ port: number; view: RedisView }> {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  return { port: sidecar.port, view: await RedisView.of(t, redis.port) };
}

/** Leaves an idle connection there. */
async function inDatabaseNine(client: RawClient): Promise<void> {
  assert.equal(await client.ask('SELECT', 9), '+OK\r\n');
  client.write(TRANSACTION);
  await client.readFrames(3);
}
