/** Lines of the log that an operator needs, and that must not come a second time each second. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

test('port 0 is told as the port that was taken', async (t) => {
  const args = ['--listen', '127.0.0.1:0'];
  const sidecar = await startSidecar(t, { args, upstream: 'unix:///nowhere' });
  const ready = /"listen":"[^"]* 127\.0\.0\.1:(\d+)"/;
  await eventually('it is said', () => ready.test(sidecar.output()));
  const client = await connectRaw(Number(ready.exec(sidecar.output())![1]));
  assert.equal(await client.ask('PING'), '+PONG\r\n');
});

test('a replay that is refused again and again is told once', async (t) => {
  const redis = await startRedis(t);
  const admin = await connectRaw(redis.port);
  await admin.ask('ACL', 'SETUSER', 'app', 'on', '>pw', '~app:*', '+@all');
  const upstream = `redis://app:pw@127.0.0.1:${redis.port}`;
  const sidecar = await startSidecar(t, { upstream, args: ['--breaker-recovery', '250ms'] });
  const client = await connectRaw(sidecar.port);
  await client.ask('RESPOOL', 'BREAKER', 'OPEN');
  assert.equal(await client.ask('SET', 'app:key', 'kept'), '+OK\r\n');
  await client.ask('RESPOOL', 'BREAKER', 'AUTO');

  const refusedOften = /^respool_breaker_transitions_total\{to="closed"\} ([4-9]|\d\d)$/m;
  await eventually('replay has been refused several times', async () =>
    refusedOften.test((await sidecar.admin('/metrics')).body),
  );
  const told = sidecar.output().match(/"outage: .*refuses the replay cursor.*NOPERM/g);
  assert.equal(told?.length, 1, sidecar.output());

  await admin.ask('ACL', 'SETUSER', 'app', '~*');
  await eventually('all well', async () =>
    (await sidecar.admin('/status')).body.includes('"condition": "healthy"'),
  );
  assert.match(sidecar.output(), /"healthy again"/);
  assert.equal(await admin.ask('GET', 'app:key'), '$4\r\nkept\r\n');
});
