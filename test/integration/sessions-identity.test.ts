/** I8 and the keys of a lane: each user's commands run with that user's rights, in that client's database. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connectMany } from '../helpers/many-clients.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { RedisView } from '../helpers/redis-view.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

test('I8: a client gets exactly the rights of the user it authenticated as', async (t) => {
  const { port, view } = await start(t);
  await view.ask(
    'ACL',
    'SETUSER',
    'reader',
    'on',
    '>secret',
    '~*',
    '+@read',
    '+@connection',
    '+@transaction',
  );
  await view.ask('ACL', 'SETUSER', 'prefixed', 'on', '>secret', '~mine:*', '+@all');
  const [anybody, reader, prefixed] = await connectMany(t, port, 3);
  assert.ok(anybody && reader && prefixed);
  assert.equal(await reader.ask('AUTH', 'reader', 'secret'), '+OK\r\n');
  assert.match(await prefixed.ask('HELLO', 3, 'AUTH', 'prefixed', 'secret'), /^%7/);
  for (let round = 0; round < 20; round += 1) {
    const answers: string[] = await Promise.all([
      anybody.ask('SET', 'key', round),
      reader.ask('SET', 'key', 'forbidden'),
      prefixed.ask('SET', 'key', 'forbidden'),
    ]);
    assert.equal(answers[0], '+OK\r\n');
    assert.match(String(answers[1]), /^-NOPERM /);
    assert.match(String(answers[2]), /^-NOPERM /);
    assert.equal(await reader.ask('GET', 'key'), `$${String(round).length}\r\n${round}\r\n`);
    assert.equal(await prefixed.ask('SET', 'mine:key', round), '+OK\r\n');
  }
  reader.write('MULTI\r\nSET key forbidden\r\nEXEC\r\n');
  const transaction = String(Buffer.concat(await reader.readFrames(3)));
  assert.match(transaction, /^\+OK\r\n-NOPERM [^\r]+\r\n-EXECABORT /);
  assert.equal(await anybody.ask('GET', 'key'), '$2\r\n19\r\n');
});

test('I8: a failed AUTH changes nothing, a later one changes the user, and a pipeline does not run ahead of it', async (t) => {
  const { port, redisPort, view } = await start(t);
  await view.ask('ACL', 'SETUSER', 'limited', 'on', '>secret', '~mine:*', '+@all');
  const answers: string[] = [];
  for (const server of [redisPort, port]) {
    const client = await connectRaw(server);
    client.write(
      Buffer.concat([
        encodeCommand('SET', 'a', '1'),
        encodeCommand('AUTH', 'limited', 'wrong'),
        encodeCommand('SET', 'a', '2'),
        encodeCommand('AUTH', 'limited', 'secret'),
        encodeCommand('SET', 'a', '3'),
        encodeCommand('SET', 'mine:a', '4'),
        encodeCommand('ACL', 'WHOAMI'),
        encodeCommand('AUTH', 'nobody', 'x'),
        encodeCommand('SET', 'a', '5'),
        encodeCommand('RESET'),
        encodeCommand('ACL', 'WHOAMI'),
        encodeCommand('SET', 'a', '6'),
      ]),
    );
    answers.push(String(Buffer.concat(await client.readFrames(12))));
    await client.close();
    assert.equal(await view.ask('GET', 'a'), '$1\r\n6\r\n');
    await view.ask('FLUSHALL');
  }
  assert.equal(answers[1], answers[0]);
});

test('I8: a user that is deleted or locked out loses its rights; others notice nothing', async (t) => {
  const { port, view } = await start(t);
  await view.ask('ACL', 'SETUSER', 'leaver', 'on', '>secret', '~*', '+@all');
  const [leaver, other] = await connectMany(t, port, 2);
  assert.ok(leaver && other);
  assert.equal(await leaver.ask('AUTH', 'leaver', 'secret'), '+OK\r\n');
  assert.equal(await leaver.ask('SET', 'k', 'v'), '+OK\r\n');
  assert.equal(await other.ask('SET', 'k', 'v'), '+OK\r\n');
  await view.ask('ACL', 'DELUSER', 'leaver');
  for (let round = 0; round < 3; round += 1) {
    // Redis hangs up on a deleted user; an error that says so is as good.
    const answer = await leaver.ask('GET', 'k').catch(() => 'closed');
    assert.match(answer, /^(-[A-Z]+ |closed)/);
    assert.equal(await other.ask('GET', 'k'), '$1\r\nv\r\n');
  }
});

test('databases, users and protocols of interleaved clients do not mix', async (t) => {
  const { port, view } = await start(t);
  const users = ['u0', 'u1', 'u2'];
  for (const user of users) await view.ask('ACL', 'SETUSER', user, 'on', '>secret', '~*', '+@all');
  const clients = await connectMany(t, port, 60);
  const settings = clients.map((_, n) => ({
    db: n % 5,
    user: users[n % 3] ?? '',
    resp: 2 + (n % 2),
  }));
  await Promise.all(
    clients.map(async (client, n) => {
      const { db = 0, user = '', resp = 2 } = settings[n] ?? {};
      assert.match(await client.ask('HELLO', resp, 'AUTH', user, 'secret'), /^[%*]/);
      assert.equal(await client.ask('SELECT', db), '+OK\r\n');
    }),
  );
  for (let round = 0; round < 10; round += 1) {
    clients.forEach((client, n) => {
      client.write(`SET own:${n} ${n}\r\nGET own:${n}\r\nGET none\r\nACL WHOAMI\r\nINCR count\r\n`);
    });
    await Promise.all(
      clients.map(async (client, n) => {
        const { user = '', resp } = settings[n] ?? {};
        const frames = (await client.readFrames(5)).slice(0, 4);
        const none = resp === 3 ? '_\r\n' : '$-1\r\n';
        const number = `$${String(n).length}\r\n${n}\r\n`;
        const whoAmI = `$${user.length}\r\n${user}\r\n`;
        assert.equal(String(Buffer.concat(frames)), `+OK\r\n${number}${none}${whoAmI}`);
      }),
    );
  }
  for (let db = 0; db < 5; db += 1) {
    await view.ask('SELECT', db);
    assert.equal(await view.ask('DBSIZE'), ':13\r\n');
    assert.equal(await view.ask('GET', 'count'), '$3\r\n120\r\n');
  }
});

test('credentials of the upstream URL are used for clients that bring none', async (t) => {
  const redis = await startRedis(t, { args: ['--requirepass', 'upstream-secret'] });
  const url = `redis://:upstream-secret@127.0.0.1:${redis.port}/3`;
  const sidecar = await startSidecar(t, { upstream: url });
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('SET', 'k', 'v'), '+OK\r\n');
  assert.equal(await client.ask('ACL', 'WHOAMI'), '$7\r\ndefault\r\n');
  const direct = await connectRaw(redis.port);
  await direct.ask('AUTH', 'upstream-secret');
  await direct.ask('SELECT', '3');
  assert.equal(await direct.ask('GET', 'k'), '$1\r\nv\r\n');
  assert.ok(!sidecar.output().includes('upstream-secret'), 'the log masks the password');
  assert.ok(!(await sidecar.admin('/status')).body.includes('upstream-secret'));
});

async function start(
  t: TestContext,
): Promise<{ port: number; redisPort: number; view: RedisView }> {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  return { port: sidecar.port, redisPort: redis.port, view: await RedisView.of(t, redis.port) };
}
