/** The upstream goes away and comes back: clients keep their sockets, their state, and get true answers meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectMany } from '../helpers/many-clients.js';
import { connectRaw } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

test('clients keep their sockets and their state over a restart of the upstream', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: ['--hold', '200ms'] });
  const clients = await connectMany(t, sidecar.port, 20);
  for (const [n, client] of clients.entries()) {
    assert.equal(await client.ask('SELECT', n % 4), '+OK\r\n');
    if (n % 2 === 0) await client.ask('CLIENT', 'SETNAME', `named-${n}`);
    if (n % 3 === 0) assert.match(await client.ask('HELLO', 3), /^%7/);
    assert.equal(await client.ask('SET', `key-${n}`, 'before'), '+OK\r\n');
  }
  for (let round = 0; round < 2; round += 1) {
    await redis.stop('SIGKILL');
    for (const answer of await Promise.all(clients.map((client) => client.ask('GET', 'key')))) {
      assert.match(answer, /^(\$-1|_)\r\n$/, 'what an empty Redis says');
    }
    const again = await startRedis(t, { port: redis.port });
    t.after(() => again.stop('SIGKILL'));
    await eventually('it is there again', async () =>
      (await sidecar.admin('/status')).body.includes('"condition": "healthy"'),
    );
    for (const [n, client] of clients.entries()) {
      const [none, name] = n % 3 === 0 ? ['_\r\n', '_\r\n'] : ['$-1\r\n', '$-1\r\n'];
      assert.equal(await client.ask('GET', `key-${n}`), none);
      assert.equal(await client.ask('SET', `key-${n}`, 'after'), '+OK\r\n');
      const expected = n % 2 === 0 ? `$${`named-${n}`.length}\r\nnamed-${n}\r\n` : name;
      assert.equal(await client.ask('CLIENT', 'GETNAME'), expected);
      assert.equal(client.ending, null);
    }
    const view = await RedisView.of(t, again.port);
    for (let db = 0; db < 4; db += 1) {
      await view.ask('SELECT', db);
      assert.equal(await view.ask('DBSIZE'), ':5\r\n');
    }
    await again.stop('SIGKILL');
  }
});

test('a command that meets a short gap waits for the upstream and notices nothing', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: ['--hold', '5s'] });
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('SET', 'k', 'v'), '+OK\r\n');
  await redis.stop('SIGKILL');
  // What is sent before the sidecar has seen the loss may have run, and it would say so.
  await eventually('the sidecar has seen it', async () =>
    (await sidecar.admin('/status')).body.includes('"connected": false'),
  );
  client.send('GET', 'k');
  client.send('SET', 'k', 'w');
  client.write('MULTI\r\nINCR n\r\nEXEC\r\n');
  await startRedis(t, { port: redis.port });
  const replies = String(Buffer.concat(await client.readFrames(5)));
  assert.equal(replies, '$-1\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n');
});

test('a transaction whose connection is lost is never half applied, and a lost WATCH fails its EXEC', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: ['--hold', '5s'] });
  const view = await RedisView.of(t, redis.port);
  const [queueing, watching] = [await connectRaw(sidecar.port), await connectRaw(sidecar.port)];
  await queueing.ask('MULTI');
  assert.equal(await queueing.ask('SET', 'a', '1'), '+QUEUED\r\n');
  assert.equal(await watching.ask('WATCH', 'w'), '+OK\r\n');
  await view.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await view.untilConnections('killed', 0, ({ multi }) => multi === '1');

  const queued = await queueing.ask('SET', 'b', '1');
  const executed = await queueing.ask('EXEC');
  if (executed.startsWith('*')) {
    // Held and run whole on a new connection: allowed, for it had not been executed (SEMANTICS.md §1).
    assert.equal(queued, '+QUEUED\r\n');
    assert.equal(await view.ask('EXISTS', 'a', 'b'), ':2\r\n');
  } else {
    assert.match(executed, /^-(EXECABORT|UNAVAILABLE|UNKNOWNOUTCOME) /);
    assert.equal(await view.ask('EXISTS', 'a', 'b'), ':0\r\n');
  }
  await watching.ask('MULTI');
  await watching.ask('SET', 'w', 'lost update');
  assert.match(await watching.ask('EXEC'), /^(\*-1|-\w+ [^\r]+)\r\n$/);
  assert.equal(await view.ask('EXISTS', 'w'), ':0\r\n');
  for (const client of [queueing, watching]) {
    client.write('MULTI\r\nINCR n\r\nEXEC\r\n');
    const replies = String(Buffer.concat(await client.readFrames(3)));
    assert.match(replies, /^\+OK\r\n\+QUEUED\r\n\*1\r\n:\d\r\n$/);
  }
});

test('a blocked pop waits on over a restart and gets what comes then', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const before = await RedisView.of(t, redis.port);
  const client = await connectRaw(sidecar.port);
  client.send('BLPOP', 'queue', 30);
  await before.untilConnections('blocked', 1, ({ flags }) => flags?.includes('b') === true);
  await redis.stop('SIGKILL');
  const again = await startRedis(t, { port: redis.port });
  const view = await RedisView.of(t, again.port);
  await view.untilConnections('blocked', 1, ({ flags }) => flags?.includes('b') === true);
  await view.ask('RPUSH', 'queue', 'arrived');
  assert.equal(String(await client.readFrame()), '*2\r\n$5\r\nqueue\r\n$7\r\narrived\r\n');
});

test('connections that are killed again and again are made again, a few at a time', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const view = await RedisView.of(t, redis.port);
  const clients = await connectMany(t, sidecar.port, 50);
  for (let round = 0; round < 10; round += 1) {
    await view.ask('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const answers = await Promise.all(clients.map((client) => client.ask('SET', 'k', round)));
    // Saying it twice is harmless, so whoever lost a reply gets it after all.
    for (const answer of answers) assert.equal(answer, '+OK\r\n');
  }
  const made = Number(await view.info('stats', 'total_connections_received'));
  assert.ok(made <= 100, `${made} connections were made over ten kills`);
});
