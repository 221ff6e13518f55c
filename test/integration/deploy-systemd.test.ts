/**
 * deploy/systemd: systemd itself checks the unit and rates its sandbox; the command runs as the unit says, as far as a
 * process can without systemd (test/helpers/container): environment, credential, state directory, read-only system, no
 * capabilities. What stays unchecked is the unit's filter of system calls, namespaces and address families.
 */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, temporaryDirectory } from '../helpers/child-process.js';
import { CONFINED, startContainer, UNCONFINED_NOTE } from '../helpers/container.js';
import { eventually } from '../helpers/eventually.js';
import { httpStatus } from '../helpers/pod.js';
import { freePorts } from '../helpers/ports.js';
import { rightsOf, writeErrorIn } from '../helpers/process-rights.js';
import { readProjectFile } from '../helpers/project.js';
import { startRedis } from '../helpers/servers.js';

const UNIT = readProjectFile('deploy/systemd/respool.service');
/** Users that DynamicUser= takes are from 61184 to 65519. */
const DYNAMIC_USER = 61_184;

/** All values of a setting. */
function valuesOf(setting: string): string[] {
  return [...UNIT.matchAll(new RegExp(`^${setting}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

test('systemd finds nothing wrong with the unit, and its sandbox tight', async (t) => {
  if (process.platform !== 'linux') {
    t.diagnostic('not Linux: the unit is NOT checked here');
    return;
  }
  const path = join(temporaryDirectory(t), 'respool.service');
  // The program that it starts has to exist for systemd to be content; here it is elsewhere.
  writeFileSync(path, UNIT.replace('ExecStart=/usr/bin/node', `ExecStart=${process.execPath}`));
  const verified = await run('systemd-analyze', ['verify', path]);
  assert.deepEqual([verified.code, verified.stdout + verified.stderr], [0, '']);
  // 20 stands for 2.0 of 10, where 10 is no sandbox at all.
  const rated = await run('systemd-analyze', ['security', '--offline=yes', '--threshold=20', path]);
  assert.equal(rated.code, 0, rated.stdout.trim().split('\n').at(-1));
});

test('the unit stops later than the sidecar drains, and reads the rules again with the signal for that', () => {
  assert.deepEqual(valuesOf('TimeoutStopSec'), ['15s']);
  assert.deepEqual(valuesOf('ExecReload'), ['/bin/kill -HUP $MAINPID']);
  assert.deepEqual(valuesOf('EnvironmentFile'), ['/etc/respool/respool.env']);
});

test('the service runs as the unit says: it logs in with its credential, journals and drains', async (t) => {
  if (!CONFINED) t.diagnostic(UNCONFINED_NOTE);
  const [port = 0, admin = 0] = await freePorts(2);
  const redis = await startRedis(t, { args: ['--requirepass', 'of-the-credential'] });
  const directory = temporaryDirectory(t, 'respool-unit-');
  chmodSync(directory, 0o755);
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const credential = join(directory, 'credential');
  writeFileSync(credential, 'of-the-credential\n', { mode: 0o400 });
  if (CONFINED) for (const path of [state, credential]) chownSync(path, DYNAMIC_USER, DYNAMIC_USER);

  const [name = '', ...others] = valuesOf('LoadCredential').map((value) => value.split(':')[0]);
  assert.deepEqual(others, []);
  const specifiers = (text: string): string =>
    text.replaceAll('%S', '/var/lib').replaceAll('%d', '/run/credentials/respool.service');
  // As the environment file would say it.
  const file = [`RESPOOL_UPSTREAM=${redis.url}`, `RESPOOL_LISTEN=127.0.0.1:${port}`];
  file.push(`RESPOOL_ADMIN=127.0.0.1:${admin}`);
  const pairs = [...file, ...valuesOf('Environment').map(specifiers)];
  const command = (valuesOf('ExecStart')[0] ?? '').split(' ');
  const service = startContainer(t, {
    command: command.map((word) =>
      word.replace('/usr/bin/node', 'node').replace('/opt/respool', '/app'),
    ),
    env: Object.fromEntries(
      pairs.map((pair): [string, string] => {
        const [key = '', ...value] = pair.split('=');
        return [key, value.join('=')];
      }),
    ),
    user: { uid: DYNAMIC_USER, gid: DYNAMIC_USER, groups: [] },
    mounts: [
      { source: state, target: `/var/lib/${valuesOf('StateDirectory')[0]}`, readOnly: false },
      { source: credential, target: `/run/credentials/respool.service/${name}`, readOnly: true },
    ],
    readOnlyRoot: true,
  });
  const ready = async (): Promise<boolean> =>
    service.exitCode !== null || (await httpStatus(admin, '/readyz')) === 200;
  await eventually('the service is ready', ready, { withinMs: 20_000 });
  assert.equal(service.exitCode, null, service.output());
  if (CONFINED) {
    const { uid, capabilities, mayGainPrivileges } = rightsOf(service.pid);
    assert.deepEqual([uid, capabilities, mayGainPrivileges], [DYNAMIC_USER, [0n, 0n, 0n], false]);
    assert.equal(writeErrorIn(service.pid, '/usr/written'), 'EROFS');
  }

  const cli = (...words: string[]) => run('redis-cli', ['-p', `${port}`, ...words]);
  assert.equal((await cli('SET', 'greeting', 'hello')).stdout, 'OK\n');
  await redis.stop('SIGKILL');
  await eventually('a write is journaled', async () => {
    assert.equal((await cli('SET', 'greeting', 'hello again')).stdout, 'OK\n');
    return true;
  });
  assert.ok(readdirSync(state).some((file) => file.endsWith('.journal')));
  assert.equal(await service.stop('SIGTERM'), 0, service.output());
});
