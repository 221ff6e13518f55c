/** The same conversation over every transport to the upstream, and clear words when TLS does not come about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeCertificates, type Certificates } from '../helpers/certificates.js';
import { run, temporaryDirectory, type Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { mainFile } from '../helpers/project.js';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import { startRedis, startSidecar, type RedisServer } from '../helpers/servers.js';

test('the upstream over a unix socket', async (t) => {
  const redis = await startRedis(t, { unixSocket: true });
  const sidecar = await startSidecar(t, { upstream: `unix://${redis.unixPath}` });
  await talks(sidecar.port);
  const again = await connectRaw(sidecar.port);
  assert.match(await again.ask('CLIENT', 'INFO'), /laddr=\S*redis\.sock:0/);
});

test('the upstream over TLS, with a certificate on both sides', async (t) => {
  const { redis, certificates } = await startTls(t);
  const sidecar = await startSidecar(t, {
    upstream: `rediss://127.0.0.1:${redis.tlsPort}`,
    args: tlsArguments(certificates),
  });
  await talks(sidecar.port);
});

test('the upstream over TLS by name', async (t) => {
  const { redis, certificates } = await startTls(t);
  const sidecar = await startSidecar(t, {
    upstream: `rediss://localhost:${redis.tlsPort}`,
    args: tlsArguments(certificates),
  });
  await talks(sidecar.port);
});

test('an upstream whose authority is not trusted is refused with a clear error', async (t) => {
  const { redis } = await startTls(t);
  const strangers = await makeCertificates(temporaryDirectory(t));
  const upstream = `rediss://127.0.0.1:${redis.tlsPort}`;
  const sidecar = await startSidecar(t, {
    upstream,
    args: ['--hold', '50ms', ...tlsArguments(strangers)],
  });
  const client = await connectRaw(sidecar.port);
  const answer = await eventually('the reason is known', async () => {
    const text = await client.ask('INCR', 'n');
    return /certificate/i.test(text) && text;
  });
  assert.match(answer, /^-UNAVAILABLE [^\r\n]*certificate[^\r\n]*\r\n$/i);
  assert.equal(await (await connectRaw(redis.port)).ask('DBSIZE'), ':0\r\n');

  const check = await run(process.execPath, [
    mainFile(),
    'check',
    '--upstream',
    upstream,
    ...tlsArguments(strangers),
  ]);
  assert.equal(check.code, 1);
  assert.match(check.stdout + check.stderr, /certificate/i);
});

test('an upstream that wants a client certificate is not reached without one, and that is said', async (t) => {
  const { redis, certificates } = await startTls(t);
  const upstream = `rediss://127.0.0.1:${redis.tlsPort}`;
  const sidecar = await startSidecar(t, {
    upstream,
    args: ['--hold', '50ms', '--upstream-tls-ca', certificates.caFile],
  });
  const client = await connectRaw(sidecar.port);
  const answer = await eventually('the reason is known', async () => {
    const text = await client.ask('INCR', 'n');
    return /certificate/i.test(text) && text;
  });
  assert.match(answer, /^-UNAVAILABLE /);
});

/** Small and large values, a pipeline, a transaction, a push: all that a transport carries. */
async function talks(port: number): Promise<void> {
  const client = await connectRaw(port);
  const large = Buffer.alloc(3 * 1024 * 1024, 'abcdefg');
  assert.equal(String(await client.command('SET', 'large', large)), '+OK\r\n');
  const reply = await client.command('GET', 'large');
  assert.ok(reply.subarray(reply.indexOf('\n') + 1, -2).equals(large));
  const count = 2_000;
  client.write(Buffer.concat(Array.from({ length: count }, (_, n) => encodeCommand('ECHO', n))));
  const echoes = await client.readFrames(count);
  assert.ok(echoes.every((frame, n) => String(frame).endsWith(`\r\n${n}\r\n`)));
  client.write('MULTI\r\nINCR n\r\nEXEC\r\n');
  assert.equal(String(Buffer.concat(await client.readFrames(3))), '+OK\r\n+QUEUED\r\n*1\r\n:1\r\n');
  assert.match(await client.ask('SUBSCRIBE', 'channel'), /^\*3\r\n\$9\r\nsubscribe/);
  const other = await connectRaw(port);
  assert.equal(await other.ask('PUBLISH', 'channel', 'hello'), ':1\r\n');
  assert.match(String(await client.readFrame()), /hello/);
  await client.close();
  await other.close();
}

async function startTls(t: Cleanup): Promise<{ redis: RedisServer; certificates: Certificates }> {
  const certificates = await makeCertificates(temporaryDirectory(t));
  const { caFile, serverCertFile, serverKeyFile } = certificates;
  const tls = { caFile, certFile: serverCertFile, keyFile: serverKeyFile };
  return { redis: await startRedis(t, { tls: { ...tls, authClients: 'yes' } }), certificates };
}

function tlsArguments({ caFile, clientCertFile, clientKeyFile }: Certificates): string[] {
  return [
    ['--upstream-tls-ca', caFile],
    ['--upstream-tls-cert', clientCertFile],
    ['--upstream-tls-key', clientKeyFile],
  ].flat();
}
