/** The helpers that start servers and speak raw bytes, against a real redis-server. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { makeCertificates } from '../helpers/certificates.js';
import { run, temporaryDirectory } from '../helpers/child-process.js';
import { connectRaw, connectRawTls, encodeCommand } from '../helpers/raw-client.js';
import { startRedis } from '../helpers/servers.js';

test('a raw client reads exactly the frames that Redis sends', async (t) => {
  const redis = await startRedis(t, { unixSocket: true });
  assert.ok(redis.unixPath);
  for (const target of [redis.port, { path: redis.unixPath }]) {
    const client = await connectRaw(target);
    assert.equal(await client.ask('PING'), '+PONG\r\n');
    assert.match(await client.ask('HELLO', '3'), /^%7\r\n/);
    client.write(Buffer.concat([encodeCommand('GET', 'none'), encodeCommand('ECHO', 'é')]));
    const [none, echo] = await client.readFrames(2);
    assert.equal(none?.toString('latin1'), '_\r\n');
    assert.equal(echo?.toString(), '$2\r\né\r\n');
    await client.expectSilence(20);
    client.write('QUIT\r\n');
    assert.equal((await client.readUntilClose()).toString(), '+OK\r\n');
    assert.equal(client.ending, 'end');
    await client.close();
  }
});

test('a redis-server that is told a wrong option fails with its own words', async () => {
  await assert.rejects(startRedis(null, { args: ['--no-such-option', '1'] }), /no-such-option/);
});

test('a redis-server comes back on the port where it was', async (t) => {
  const first = await startRedis(t);
  await first.stop();
  await assert.rejects(connectRaw(first.port), /ECONNREFUSED/);
  const second = await startRedis(t, { port: first.port });
  assert.equal(second.port, first.port);
  assert.notEqual(second.pid, first.pid);
});

test('redis-server speaks TLS with the certificates of a test', async (t) => {
  const certificates = await makeCertificates(temporaryDirectory(t));
  const { caFile, serverCertFile, serverKeyFile } = certificates;
  const tls = { caFile, certFile: serverCertFile, keyFile: serverKeyFile };
  const redis = await startRedis(t, { tls: { ...tls, authClients: 'no' } });
  const client = await connectRawTls({ port: redis.tlsPort, ca: readFileSync(caFile) });
  assert.equal(await client.ask('PING'), '+PONG\r\n');
  await client.close();
});

test('a program gets its input and hands back its output and exit code', async (t) => {
  const redis = await startRedis(t);
  const input = encodeCommand('SET', 'k', 'v');
  const { code, stdout } = await run('redis-cli', ['-p', String(redis.port), '--pipe'], { input });
  assert.equal(code, 0);
  assert.match(stdout, /errors: 0, replies: 1/);
});
