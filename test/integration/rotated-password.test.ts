/** The password of the sidecar's own user is changed: that is an outage like any other, and ends like one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

test('while the upstream takes no password of ours, writes are journaled', async (t) => {
  const redis = await startRedis(t);
  const admin = await connectRaw(redis.port);
  const user = (...rules: string[]) => admin.ask('ACL', 'SETUSER', 'sidecar', ...rules);
  await user('on', '>old', '~*', '+@all');
  const upstream = `redis://sidecar:old@127.0.0.1:${redis.port}`;
  const sidecar = await startSidecar(t, { upstream, args: ['--breaker-recovery', '250ms'] });
  const condition = async (): Promise<string> => {
    const { body } = await sidecar.admin('/status');
    return (JSON.parse(body) as { condition: string }).condition;
  };
  const client = await connectRaw(sidecar.port);
  assert.equal(await client.ask('SET', 'key', 'before'), '+OK\r\n');

  await user('resetpass', '>new');
  await admin.ask('CLIENT', 'KILL', 'USER', 'sidecar');
  await eventually('an outage', async () => (await condition()) === 'outage');
  assert.equal(await client.ask('SET', 'key', 'meanwhile'), '+OK\r\n');
  assert.match(await client.ask('INCR', 'counter'), /^-UNAVAILABLE .*WRONGPASS/);

  await user('>old');
  await eventually('all well', async () => (await condition()) === 'healthy');
  assert.equal(await admin.ask('GET', 'key'), '$9\r\nmeanwhile\r\n');
});
