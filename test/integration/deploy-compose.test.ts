/**
 * deploy/compose without Docker: each service's command line runs as a process, with the environment, user, secrets and
 * volumes that compose.yaml gives it; then the one command that makes an outage makes one.
 */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parse } from 'yaml';
import { ManagedProcess, run, temporaryDirectory } from '../helpers/child-process.js';
import { CONFINED, startContainer, UNCONFINED_NOTE, type Mount } from '../helpers/container.js';
import { eventually } from '../helpers/eventually.js';
import { respoolImage } from '../helpers/image.js';
import { freePorts } from '../helpers/ports.js';
import { rightsOf, writeErrorIn } from '../helpers/process-rights.js';
import { projectRoot, readProjectFile } from '../helpers/project.js';

const DIRECTORY = join(projectRoot, 'deploy/compose');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly secrets?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly stop_grace_period?: string;
  readonly network_mode?: string;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const compose = parse(readProjectFile('deploy/compose/compose.yaml')) as ComposeFile;

function service(name: string): Service {
  return compose.services[name] ?? assert.fail(`there is a service ${name}`);
}

test('every file that compose.yaml mounts exists, and no port is open to other machines', () => {
  for (const [name, { image, volumes = [], ports = [], secrets = [] }] of Object.entries(
    compose.services,
  )) {
    assert.match(image, /:v?\d+\.\d+/, `${name}: the image's version is said`);
    for (const volume of volumes) {
      const [source = ''] = volume.split(':');
      const isThere = source.startsWith('.')
        ? existsSync(resolve(DIRECTORY, source))
        : source in compose.volumes;
      assert.ok(isThere, `${name}: ${volume}`);
    }
    for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
    for (const secret of secrets)
      assert.ok(existsSync(resolve(DIRECTORY, compose.secrets[secret]?.file ?? '')), secret);
  }
});

test('Prometheus scrapes the sidecar where it listens, and Grafana asks Prometheus', () => {
  const { RESPOOL_ADMIN: admin = '' } = service('respool').environment ?? {};
  const target = `respool:${admin.split(':').at(-1)}`;
  assert.ok(readProjectFile('deploy/prometheus/prometheus.yml').includes(`[${target}]`));
  const source = readProjectFile('deploy/grafana/provisioning/datasources/prometheus.yaml');
  assert.match(source, /url: http:\/\/prometheus:9090/);
  const provider = readProjectFile('deploy/grafana/provisioning/dashboards/respool.yaml');
  const folder = /path: (\S+)/.exec(provider)?.[1] ?? assert.fail('a folder of dashboards');
  assert.ok(service('grafana').volumes?.some((volume) => volume.includes(`:${folder}/`)));
});

test('the demo runs: the application goes on through the outage that outage.sh makes', async (t) => {
  if (!CONFINED) t.diagnostic(UNCONFINED_NOTE);
  const stage = await startStage(t);
  const { respool, redis, app } = stage;

  // In the order of the file: the sidecar does not wait for Redis, the application for the sidecar's health.
  const sidecar = respool();
  const healthy = async (): Promise<boolean> =>
    sidecar.exitCode !== null || (await stage.isHealthy());
  await eventually('the health check passes', healthy, { withinMs: 20_000, everyMs: 100 });
  assert.equal(sidecar.exitCode, null, sidecar.output());
  assertConfined(sidecar);
  const application = app();
  await says(application, /write ok .*count UNAVAILABLE|count UNAVAILABLE .*write ok/);
  let server = redis();
  await says(application, /count ok .*write ok/);
  await until(stage, 'healthy');

  const calls: string[] = [];
  const outage = runOutage(t, ['1', 'kill'], async (call) => {
    calls.push(call);
    if (call === 'compose kill redis') await server.stop('SIGKILL');
    if (call === 'compose start redis') server = redis();
  });
  await says(application, /count UNAVAILABLE/);
  assert.equal((await outage).code, 0);
  assert.deepEqual(calls, ['compose kill redis', 'compose start redis']);
  await until(stage, 'healthy');
  await says(application, /count ok .*write ok/);
  // A line of the log that was under way when Redis was killed may or may not be there: it says so.
  const output = application.output();
  assert.doesNotMatch(output, /(write|read) (?!ok)|log (?!ok|UNKNOWNOUTCOME)/, output);

  assert.equal(await application.stop('SIGTERM'), 0, application.output());
  const graceMs = Number.parseInt(service('respool').stop_grace_period ?? '10', 10) * 1000;
  const startedAt = performance.now();
  assert.equal(await sidecar.stop('SIGTERM', graceMs), 0, sidecar.output());
  assert.ok(performance.now() - startedAt < graceMs);
});

test('outage.sh brings Redis back when it is interrupted, and says how it is used', async (t) => {
  const calls: string[] = [];
  const wrong = await runOutage(t, ['1', 'explode'], () => Promise.resolve());
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /usage: /);
  const script = runOutage(
    t,
    ['3600', 'freeze'],
    (call) => {
      calls.push(call);
      return Promise.resolve();
    },
    () => calls.includes('compose pause redis'),
  );
  assert.equal((await script).code, 130);
  assert.deepEqual(calls, ['compose pause redis', 'compose unpause redis']);
});

interface Stage {
  readonly adminPort: number;
  readonly respool: () => ManagedProcess;
  readonly redis: () => ManagedProcess;
  readonly app: () => ManagedProcess;
  readonly isHealthy: () => Promise<boolean>;
}

/** Named volumes as directories, and starters for the services. */
async function startStage(t: TestContext): Promise<Stage> {
  const [redisPort = 0, port = 0, adminPort = 0] = await freePorts(3);
  const directory = temporaryDirectory(t, 'respool-compose-');
  chmodSync(directory, 0o755);
  const { uid, gid } = respoolImage().user;
  const replace = (text: string): string =>
    text
      .replaceAll('$$', '$')
      .replaceAll('redis:6379', `127.0.0.1:${redisPort}`)
      .replaceAll('127.0.0.1:6380', `127.0.0.1:${port}`)
      .replaceAll('0.0.0.0:9380', `0.0.0.0:${adminPort}`)
      .replaceAll('redis-server ', `redis-server --port ${redisPort} --bind 127.0.0.1 `);
  const mountsOf = (name: string): Mount[] => [
    ...(service(name).volumes ?? []).map((volume): Mount => {
      const [source = '', target = '', mode] = volume.split(':');
      if (source.startsWith('.'))
        return { source: resolve(DIRECTORY, source), target, readOnly: mode === 'ro' };
      return { source: namedVolume(directory, source, { uid, gid }), target, readOnly: false };
    }),
    ...(service(name).secrets ?? []).map((secret): Mount => {
      const source = resolve(DIRECTORY, compose.secrets[secret]?.file ?? '');
      return { source, target: `/run/secrets/${secret}`, readOnly: true };
    }),
  ];
  const start = (name: string): ManagedProcess => {
    const { entrypoint, command = [], environment = {}, read_only } = service(name);
    const image = service(name).image.startsWith('respool:') ? respoolImage() : null;
    const listen = name === 'respool' ? { RESPOOL_LISTEN: `127.0.0.1:${port}` } : {};
    const env = { ...image?.env, ...environment, ...listen };
    return startContainer(t, {
      command: [...(entrypoint ?? image?.entrypoint ?? []), ...command].map(replace),
      env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, replace(value)])),
      user: { uid, gid, groups: [], ...image?.user },
      mounts: mountsOf(name),
      workingDirectory: name === 'redis' ? '/data' : '/app',
      readOnlyRoot: read_only === true,
    });
  };
  const [, ...healthcheck] = respoolImage().healthcheck;
  const env = { RESPOOL_ADMIN: `0.0.0.0:${adminPort}` };
  return {
    adminPort,
    respool: () => start('respool'),
    redis: () => start('redis'),
    app: () => start('app'),
    isHealthy: async () => (await run(process.execPath, healthcheck, { env })).code === 0,
  };
}

function namedVolume(directory: string, name: string, owner: { uid: number; gid: number }): string {
  const path = join(directory, name);
  if (existsSync(path)) return path;
  return makeDirectory(path, owner);
}

function makeDirectory(path: string, { uid, gid }: { uid: number; gid: number }): string {
  mkdirSync(path);
  if (CONFINED) chownSync(path, uid, gid);
  return path;
}

/** Runs outage.sh with a `docker` that only says what it was asked to do; `interruptWhen` sends it SIGTERM. */
async function runOutage(
  t: TestContext,
  args: readonly string[],
  perform: (call: string) => Promise<void>,
  interruptWhen: () => boolean = () => false,
): Promise<{ code: number; stderr: string }> {
  const directory = temporaryDirectory(t, 'respool-docker-');
  const log = join(directory, 'calls');
  writeFileSync(log, '');
  writeFileSync(join(directory, 'docker'), `#!/bin/sh\necho "$*" >> ${log}\n`, { mode: 0o755 });
  const script = join(DIRECTORY, 'outage.sh');
  assert.ok((statSync(script).mode & 0o111) !== 0, 'outage.sh can be executed');
  const child = new ManagedProcess({
    file: script,
    args,
    cwd: '/',
    env: { PATH: `${directory}:${process.env.PATH}` },
  });
  t.after(async () => {
    await child.stopSoon();
  });
  let performed = 0;
  let isInterrupted = false;
  const follow = async (): Promise<boolean> => {
    const calls = readFileSync(log, 'utf8').split('\n').slice(0, -1);
    for (const call of calls.slice(performed)) {
      performed += 1;
      await perform(call);
    }
    return child.exitCode !== null;
  };
  await eventually(
    'outage.sh ends',
    async () => {
      if (!isInterrupted && interruptWhen()) isInterrupted = child.child.kill('SIGTERM');
      return follow();
    },
    { withinMs: 20_000 },
  );
  await follow();
  return { code: child.exitCode ?? -1, stderr: child.output() };
}

/** Resolves when a line that the process writes from now on matches. */
async function says(process: ManagedProcess, line: RegExp): Promise<void> {
  const before = process.output().length;
  await eventually(
    `it says ${line}`,
    () => {
      assert.equal(process.exitCode, null, process.output());
      return process
        .output()
        .slice(before)
        .split('\n')
        .some((one) => line.test(one));
    },
    { withinMs: 20_000, everyMs: 50 },
  ).catch((error: unknown) => {
    throw new Error(process.output(), { cause: error });
  });
}

async function until({ adminPort }: Stage, condition: string): Promise<void> {
  await eventually(
    `the condition is ${condition}`,
    async () => {
      const response = await fetch(`http://127.0.0.1:${adminPort}/status`);
      return ((await response.json()) as { condition: string }).condition === condition;
    },
    { withinMs: 20_000, everyMs: 50 },
  );
}

function assertConfined(sidecar: ManagedProcess): void {
  const { read_only, cap_drop, security_opt } = service('respool');
  assert.deepEqual([read_only, cap_drop], [true, ['ALL']]);
  assert.deepEqual(security_opt, ['no-new-privileges:true']);
  if (!CONFINED) return;
  const { uid, gid } = respoolImage().user;
  const rights = rightsOf(sidecar.pid);
  assert.deepEqual([rights.uid, rights.gid, rights.mayGainPrivileges], [uid, gid, false]);
  assert.deepEqual(rights.capabilities, [0n, 0n, 0n]);
  assert.equal(writeErrorIn(sidecar.pid, '/app/dist/written'), 'EROFS');
  assert.equal(writeErrorIn(sidecar.pid, '/var/lib/respool/written'), null);
}
