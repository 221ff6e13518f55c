/**
 * No password, key or value leaves the sidecar where people and programs read what it says of itself: canaries go in
 * everywhere, and whatever comes out is searched for them.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCli } from '../../src/cli/run.js';
import { CheckHost } from '../helpers/check-host.js';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { startSidecar, type Sidecar } from '../helpers/servers.js';

/** The sidecar's own, its clients', and what clients say in vain or keep as values. */
const SECRETS = {
  upstream: 'canary-upstream-f00d',
  clients: 'canary-clients-beef',
  wrong: 'canary-wrong-cafe',
  value: 'canary-value-dead',
  oldUpstream: 'canary-mistyped-d00d',
};

function assertNoSecret(text: string, where: string): void {
  for (const [name, secret] of Object.entries(SECRETS))
    for (const form of [secret, Buffer.from(secret).toString('base64'), secret.toUpperCase()])
      assert.ok(!text.includes(form), `${name} in ${where}: ${excerpt(text, form)}`);
}

function excerpt(text: string, form: string): string {
  const at = text.indexOf(form);
  return text.slice(Math.max(0, at - 200), at + 50);
}

/** The first event of the page's stream. */
async function firstEvent({ adminPort }: Sidecar): Promise<string> {
  const request = get({ host: '127.0.0.1', port: adminPort, path: '/events', agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const [chunk] = (await once(response, 'data')) as [Buffer];
  request.destroy();
  return chunk.toString();
}

async function everythingSaid(sidecar: Sidecar, client: RawClient): Promise<string> {
  const pages = ['/status', '/metrics', '/', '/livez', '/readyz', '/nowhere'];
  const bodies = await Promise.all(pages.map(async (path) => (await sidecar.admin(path)).body));
  const replies: string[] = [await firstEvent(sidecar)];
  for (const words of ['RESPOOL STATUS', 'RESPOOL HELP', 'INFO respool', 'RESPOOL DEADLETTERS'])
    replies.push(await client.ask(...words.split(' ')));
  return [...bodies, ...replies].join('\n');
}

for (const format of ['json', 'pretty']) {
  test(`with a ${format} log, nothing secret is in what the sidecar says, in good times and bad`, async (t) => {
    const redis = await OutageRedis.start(t, 'none');
    await redis.ask('ACL', 'SETUSER', 'app', 'on', `>${SECRETS.upstream}`, '~*', '&*', '+@all');
    const directory = temporaryDirectory(t);
    const passwordFile = join(directory, 'password');
    writeFileSync(passwordFile, `${SECRETS.upstream}\n`);
    const args = ['--upstream-password-file', passwordFile, '--hold', '50ms'];
    args.push('--log-level', 'debug', '--log-format', format);
    args.push('--slow-log', '1ms', '--access-log', '1');
    const sidecar = await startSidecar(t, {
      upstream: `redis://app@127.0.0.1:${redis.port}`,
      args,
      env: { RESPOOL_REQUIREPASS: SECRETS.clients },
    });
    const client = await connectRaw(sidecar.port);
    assert.match(await client.ask('AUTH', SECRETS.wrong), /^-WRONGPASS/);
    assert.match(await client.ask('HELLO', 3, 'AUTH', 'default', SECRETS.wrong), /^-WRONGPASS/);
    assert.equal(await client.ask('AUTH', SECRETS.clients), '+OK\r\n');
    assert.match(await client.ask('AUTH', 'app', SECRETS.wrong), /^-WRONGPASS/);
    assert.equal(await client.ask('SET', 'key', SECRETS.value), '+OK\r\n');
    assert.match(await client.ask('CONFIG', 'SET', 'requirepass', SECRETS.wrong), /^\+OK/);
    assert.match(await client.ask('EVAL', `return '${SECRETS.value}'`, 0), /canary/);
    await client.ask('DEBUG', 'SLEEP', '0.02');
    assertNoSecret(await everythingSaid(sidecar, client), 'what it says in good times');
    await redis.kill();
    await eventually('the outage', async () => {
      return (await client.ask('SET', 'key', SECRETS.value)) === '+OK\r\n';
    });
    assert.match(await client.ask('AUTH', 'app', SECRETS.wrong), /^-/);
    process.kill(sidecar.pid, 'SIGHUP');
    assertNoSecret(await everythingSaid(sidecar, client), 'what it says in an outage');
    await sidecar.stop();
    assertNoSecret(sidecar.output(), 'its log');
  });
}

test('nothing secret is in what the configuration is answered with, right or wrong', async (t) => {
  const directory = temporaryDirectory(t);
  const config = join(directory, 'respool.yaml');
  writeFileSync(config, `upstream: redis://app:${SECRETS.upstream}@127.0.0.1:1\n`);
  const cases = [
    ['check', '--config', config],
    ['check', '--json', '--config', config],
    ['check', '--upstream', `redis://app:${SECRETS.oldUpstream}@127.0.0.1:99999`],
    ['check', '--upstream', `rediss:/${SECRETS.oldUpstream}@host`],
    ['check', '--upstream', `redis://a:${SECRETS.oldUpstream}%@h`, '--hold', 'x'],
    ['--requirepass', SECRETS.clients],
    ['--config', config, '--listen', '0.0.0.0:0', '--protected-mode', 'yes', '--drain', 'x'],
    ['status', '--upstream', `redis://:${SECRETS.oldUpstream}@h`, '--admin', '127.0.0.1:1'],
  ];
  for (const args of cases) {
    const host = new CheckHost(args, { RESPOOL_REQUIREPASS: SECRETS.clients });
    assert.notEqual(await runCli(host), 0, args.join(' '));
    const said = host.stdout.text + host.stderr.text;
    assert.notEqual(said, '', args.join(' '));
    assertNoSecret(said, args.join(' '));
  }
});

test('the admin server changes nothing, whatever it is asked, and answers no other name', async (t) => {
  const sidecar = await startSidecar(t);
  const ask = async (method: string, path: string, host?: string): Promise<number> => {
    const headers = host === undefined ? {} : { host };
    const options = { host: '127.0.0.1', port: sidecar.adminPort, agent: false };
    const request = get({ ...options, path, method, headers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.resume();
    return response.statusCode!;
  };
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'])
    for (const path of ['/', '/status', '/metrics', '/events', '/readyz'])
      assert.equal(await ask(method, path), 405, `${method} ${path}`);
  for (const path of ['/', '/status', '/metrics', '/events', '/livez']) {
    assert.equal(await ask('GET', path, `rebound.example:${sidecar.adminPort}`), 421, path);
    assert.equal(await ask('GET', path, `localhost:${sidecar.adminPort}`), 200, path);
  }
});
