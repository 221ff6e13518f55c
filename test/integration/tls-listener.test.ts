/** Clients over TLS: real ones are served, strangers are not, and certificates change while clients stay. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { Redis } from 'ioredis';
import { runCli } from '../../src/cli/run.js';
import { CheckHost } from '../helpers/check-host.js';
import { makeCertificates, type Certificates } from '../helpers/certificates.js';
import { run, temporaryDirectory, type Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { connectRaw, connectRawTls, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { startRedis, startSidecar, type Sidecar } from '../helpers/servers.js';

interface Stage {
  readonly sidecar: Sidecar;
  readonly certificates: Certificates;
  /** Where the sidecar also listens, without TLS. */
  readonly socketPath: string;
}

async function start(t: Cleanup, clients: 'anybody' | 'certified'): Promise<Stage> {
  const directory = temporaryDirectory(t);
  const certificates = await makeCertificates(directory);
  const redis = await startRedis(t);
  const socketPath = join(directory, 'respool.sock');
  const args = ['--listen', `unix:${socketPath}`];
  args.push('--tls-cert', certificates.serverCertFile, '--tls-key', certificates.serverKeyFile);
  if (clients === 'certified') args.push('--tls-ca', certificates.caFile);
  return {
    sidecar: await startSidecar(t, { upstream: redis.url, args }),
    certificates,
    socketPath,
  };
}

/** A client of the port that trusts the authority, with a certificate of it or none. */
function connect(
  { sidecar, certificates }: Stage,
  certificate: 'certified' | 'none',
): Promise<RawClient> {
  return connectRawTls({ port: sidecar.port, ...identity(certificates, certificate) });
}

function identity(files: Certificates, certificate: 'certified' | 'none') {
  const ca = readFileSync(files.caFile);
  if (certificate === 'none') return { ca };
  return { ca, cert: readFileSync(files.clientCertFile), key: readFileSync(files.clientKeyFile) };
}

test('everything that a connection carries goes over TLS, and a unix socket stays plain', async (t) => {
  const stage = await start(t, 'anybody');
  const client = await connect(stage, 'none');
  const large = Buffer.alloc(3 * 1024 * 1024, 'abcdefg');
  assert.equal(String(await client.command('SET', 'large', large)), '+OK\r\n');
  const reply = await client.command('GET', 'large');
  assert.ok(reply.subarray(reply.indexOf('\n') + 1, -2).equals(large));
  const count = 5_000;
  client.write(Buffer.concat(Array.from({ length: count }, (_, n) => encodeCommand('ECHO', n))));
  const echoes = await client.readFrames(count);
  assert.ok(echoes.every((frame, n) => String(frame).endsWith(`\r\n${n}\r\n`)));
  assert.match(await client.ask('SUBSCRIBE', 'channel'), /^\*3\r\n\$9\r\nsubscribe/);
  const plain = await connectRaw({ path: stage.socketPath });
  assert.equal(await plain.ask('PUBLISH', 'channel', 'hello'), ':1\r\n');
  assert.match(String(await client.readFrame()), /hello/);
  await client.close();
  const leaving = await connect(stage, 'none');
  leaving.write('PING\r\nQUIT\r\n');
  assert.equal(String(await leaving.readUntilClose()), '+PONG\r\n+OK\r\n');
  assert.equal(leaving.ending, 'end');
  await readsOnWithoutSending(stage);
  await plainTextEndsItself(stage);
});

/** A client that stops sending gets what it has asked for. */
async function readsOnWithoutSending({ sidecar, certificates }: Stage): Promise<void> {
  const ca = readFileSync(certificates.caFile);
  const socket = connectTls({ port: sidecar.port, host: '127.0.0.1', ca });
  let received = '';
  socket.on('data', (chunk: Buffer) => (received += chunk.toString()));
  socket.end(Buffer.concat(Array.from({ length: 500 }, (_, n) => encodeCommand('ECHO', n))));
  await eventually('the last reply', () => received.endsWith('\r\n499\r\n'));
}

/** Plain text sent to the port ends its own connection and no other. */
async function plainTextEndsItself(stage: Stage): Promise<void> {
  const client = await connect(stage, 'none');
  for (const text of ['PING\r\n', '*1\r\n$4\r\nPING\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
    const stranger = await connectRaw(stage.sidecar.port);
    stranger.write(text);
    assert.doesNotMatch(String(await stranger.readUntilClose()), /PONG|\+/);
  }
  assert.equal(await client.ask('PING'), '+PONG\r\n');
  await eventually('it is in the log', () => /TLS handshake failed/.test(stage.sidecar.output()));
}

test('a client that does not read over TLS is disconnected at its limit, and others are served', async (t) => {
  const directory = temporaryDirectory(t);
  const { serverCertFile, serverKeyFile, caFile } = await makeCertificates(directory);
  const redis = await startRedis(t);
  const args = ['--tls-cert', serverCertFile, '--tls-key', serverKeyFile];
  args.push('--client-output-limit', '1mb');
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const ca = readFileSync(caFile);
  const greedy = await connectRawTls({ port: sidecar.port, ca });
  await greedy.command('SET', 'large', Buffer.alloc(500_000));
  greedy.pause();
  for (let n = 0; n < 100; n += 1) greedy.send('GET', 'large');
  const modest = await connectRawTls({ port: sidecar.port, ca });
  await eventually('it is disconnected', async () => {
    assert.equal(await modest.ask('PING'), '+PONG\r\n');
    const { body } = await sidecar.admin('/metrics');
    return /^respool_downstream_closed_for_output_total 1$/m.test(body);
  });
});

test('with tls-ca only clients with a certificate are let in: redis-cli and ioredis', async (t) => {
  const stage = await start(t, 'certified');
  const { sidecar, certificates } = stage;
  const { caFile, clientCertFile, clientKeyFile } = certificates;
  const cli = ['-p', String(sidecar.port), '--tls', '--cacert', caFile];
  const own = ['--cert', clientCertFile, '--key', clientKeyFile];
  const served = await run('redis-cli', [...cli, ...own, 'SET', 'k', 'v']);
  assert.equal(served.stdout, 'OK\n', served.stderr);
  const refused = await run('redis-cli', [...cli, 'GET', 'k']);
  assert.notEqual(refused.code, 0, refused.stdout);

  const options = { port: sidecar.port, host: '127.0.0.1', retryStrategy: () => null };
  const client = new Redis({ ...options, tls: identity(certificates, 'certified') });
  t.after(() => client.disconnect());
  assert.equal(await client.get('k'), 'v');
  assert.deepEqual(await client.multi().incr('n').incr('n').exec(), [
    [null, 1],
    [null, 2],
  ]);
  const ping = (raw: RawClient): Promise<string> => raw.ask('PING');
  // With TLS 1.3 a client learns only after its own part of the handshake that it was refused.
  assert.match(await connect(stage, 'none').then(ping).catch(String), /^Error/);
  const others = await makeCertificates(temporaryDirectory(t));
  const foreign = { ...identity(others, 'certified'), ...identity(certificates, 'none') };
  const asked = connectRawTls({ port: sidecar.port, ...foreign }).then(ping);
  assert.match(await asked.catch(String), /^Error/);
  await eventually('all who were refused are counted, and gone', async () => {
    const { body } = await sidecar.admin('/metrics');
    assert.match(body, /^respool_downstream_handshakes_failed_total 3$/m);
    assert.match(body, /^respool_downstream_connections 1$/m);
    return true;
  });
});

test('SIGHUP shows new clients the new certificate, and a broken one changes nothing', async (t) => {
  const stage = await start(t, 'anybody');
  const { sidecar, certificates } = stage;
  const early = await connect(stage, 'none');
  const next = await makeCertificates(temporaryDirectory(t));
  copyFileSync(next.serverCertFile, certificates.serverCertFile);
  process.kill(sidecar.pid, 'SIGHUP');
  await eventually('the halves do not fit together', () =>
    /certificates stay as they were.*not that of the certificate/.test(sidecar.output()),
  );
  await connect(stage, 'none');
  copyFileSync(next.serverKeyFile, certificates.serverKeyFile);
  process.kill(sidecar.pid, 'SIGHUP');
  await eventually('they do now', () => /certificates read again/.test(sidecar.output()));
  await assert.rejects(connect(stage, 'none'), /signature|self|unable to verify|certificate/i);
  const late = await connectRawTls({ port: sidecar.port, ca: readFileSync(next.caFile) });
  assert.equal(await late.ask('PING'), '+PONG\r\n');
  assert.equal(await early.ask('PING'), '+PONG\r\n');
});

test('certificates that cannot be used are a problem with the configuration', async (t) => {
  const directory = temporaryDirectory(t);
  const { serverCertFile, clientKeyFile, serverKeyFile } = await makeCertificates(directory);
  const check = async (key: string): Promise<string> => {
    const host = new CheckHost(['check', '--tls-cert', serverCertFile, '--tls-key', key]);
    assert.equal(await runCli(host), 2);
    return host.stderr.text;
  };
  assert.match(
    await check(clientKeyFile),
    /tls-cert, tls-key: the key is not that of the certificate/,
  );
  const encrypted = join(directory, 'encrypted.key');
  const made = await run('openssl', [
    ...['ec', '-aes256', '-passout', 'pass:secret', '-in', serverKeyFile, '-out', encrypted],
  ]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(await check(encrypted), /the key is encrypted; allowed: a key without/);
  writeFileSync(encrypted, '-----BEGIN nonsense');
  assert.match(await check(encrypted), /tls-cert, tls-key: cannot be used: /);
});
