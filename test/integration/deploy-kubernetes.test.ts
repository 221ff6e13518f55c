/**
 * deploy/kubernetes: the manifests are what Kubernetes' API takes, and the pods that they describe are run here, as
 * processes, with their users, volumes, environment and probes (test/helpers/container says what of that takes root).
 */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { DeploymentSpec } from 'kubernetes-types/apps/v1.js';
import type { PodSpec } from 'kubernetes-types/core/v1.js';
import { VERSION } from '../../src/base/version.js';
import { run } from '../helpers/child-process.js';
import { findTypeProblems } from '../helpers/api-types.js';
import { CONFINED, UNCONFINED_NOTE } from '../helpers/container.js';
import { eventually } from '../helpers/eventually.js';
import { respoolImage } from '../helpers/image.js';
import { kustomize, type Manifest } from '../helpers/kustomize.js';
import { Pod, type Addresses } from '../helpers/pod.js';
import { freePorts } from '../helpers/ports.js';
import { rightsOf, writeErrorIn } from '../helpers/process-rights.js';
import { projectRoot, readProjectFile } from '../helpers/project.js';
import { startRedis, type RedisServer } from '../helpers/servers.js';

const DIRECTORY = join(projectRoot, 'deploy/kubernetes');
const VARIANTS = ['base', 'socket', 'stateful', 'job'] as const;
const WORKLOADS = ['Deployment', 'StatefulSet', 'Job'];

/** The manifests of a variant, and the pod that is in them. */
function readVariant(name: (typeof VARIANTS)[number]): { manifests: Manifest[]; spec: PodSpec } {
  const manifests = kustomize(join(DIRECTORY, name));
  const [workload, ...others] = manifests.filter(({ kind }) => WORKLOADS.includes(kind));
  assert.ok(workload !== undefined && others.length === 0);
  const spec = (workload.spec as DeploymentSpec).template.spec;
  assert.ok(spec);
  return { manifests, spec };
}

test("every manifest is what Kubernetes' API takes: no field too many, none missing, none of another type", () => {
  assert.deepEqual(findTypeProblems(VARIANTS.flatMap((name) => readVariant(name).manifests)), []);
  const [pod] = kustomize(join(DIRECTORY, 'base')).slice(-1);
  assert.ok(pod);
  const wrong = { ...pod, spec: { ...(pod.spec as object), replica: 2 } };
  assert.match(findTypeProblems([wrong]).join('\n'), /"replica"' does not exist/);
});

test('what containers refer to is there: volumes, ports of probes, config maps and secrets', () => {
  for (const name of VARIANTS) {
    const { manifests, spec } = readVariant(name);
    const named = (kind: string): string[] =>
      manifests.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      for (const mount of container.volumeMounts ?? [])
        assert.ok(
          spec.volumes?.some((volume) => volume.name === mount.name),
          mount.name,
        );
      for (const probe of [
        container.startupProbe,
        container.livenessProbe,
        container.readinessProbe,
      ])
        if (probe !== undefined)
          assert.ok(container.ports?.some((port) => port.name === probe.httpGet?.port));
      for (const { configMapRef } of container.envFrom ?? [])
        assert.ok(named('ConfigMap').includes(configMapRef?.name ?? ''));
    }
    for (const { secret } of spec.volumes ?? [])
      if (secret !== undefined) assert.ok(named('Secret').includes(secret.secretName ?? ''));
  }
});

test('the image that manifests and compose.yaml name is of this version', () => {
  const texts = ['kubernetes/sidecar/sidecar.yaml', 'compose/compose.yaml'].map((path) =>
    readProjectFile(`deploy/${path}`),
  );
  const tags = texts.flatMap((text) => [...text.matchAll(/image: respool:(\S+)/g)]);
  assert.equal(tags.length, 3);
  for (const [, tag] of tags) assert.equal(tag, VERSION);
});

test('the sidecar of every pod is a native one, with few rights and a journal that fits its volume', () => {
  for (const name of VARIANTS) {
    const { spec } = readVariant(name);
    const [sidecar] = spec.initContainers ?? [];
    assert.equal(sidecar?.restartPolicy, 'Always', name);
    assert.deepEqual(sidecar.securityContext, {
      runAsUser: respoolImage().user.uid,
      runAsGroup: respoolImage().user.gid,
      runAsNonRoot: true,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    });
    const value = (option: string): string =>
      sidecar.env?.find((one) => one.name === option)?.value ?? assert.fail(option);
    const journal = spec.volumes?.find((volume) => volume.name === 'respool-journal');
    // As much again for dead letters, and some room for what is neither.
    const megabytes = Number.parseInt(value('RESPOOL_JOURNAL_MAX_BYTES'), 10);
    assert.ok(Number.parseInt(String(journal?.emptyDir?.sizeLimit), 10) >= 2.25 * megabytes);
    const drain = Number.parseInt(value('RESPOOL_DRAIN'), 10);
    assert.ok((spec.terminationGracePeriodSeconds ?? 30) > 2 * drain);
  }
});

test('a claim of the StatefulSet takes the place of the journal volume of its pods', () => {
  const { manifests, spec } = readVariant('stateful');
  const set = manifests.find(({ kind }) => kind === 'StatefulSet');
  const { volumeClaimTemplates = [] } = set?.spec as {
    volumeClaimTemplates?: { metadata: { name: string } }[];
  };
  const names = volumeClaimTemplates.map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ['respool-journal']);
  assert.ok(spec.volumes?.some(({ name }) => name === names[0]));
});

test('a pod serves before Redis is there, answers its probes through an outage, and drains in time', async (t) => {
  if (!CONFINED) t.diagnostic(UNCONFINED_NOTE);
  const stage = await startStage(t, 'base');
  const { pod, ports, cli } = stage;
  const [sidecar] = stage.spec.initContainers ?? [];
  assert.ok(sidecar);
  assertConfined(pod.process('respool').pid);

  // The application's own command line, while nothing listens where Redis will be.
  pod.startApplication();
  await eventually('the application writes', async () => (await cli('GET', 'app:seen')) !== '\n');
  assert.equal(await pod.probe(sidecar, sidecar.readinessProbe), 200);
  assert.equal(await pod.probe(sidecar, sidecar.livenessProbe), 200);
  const isJournal = (file: string): boolean => file.endsWith('.journal');
  assert.ok(readdirSync(pod.volume('respool-journal')).some(isJournal));

  const redis = await startUpstream(t, ports.redis);
  await eventually(
    'what was written has reached Redis',
    async () =>
      (
        await run('redis-cli', ['-p', `${redis.port}`, '-a', PASSWORD, 'GET', 'app:seen'])
      ).stdout.trim(),
    { withinMs: 20_000, everyMs: 100 },
  );
  assert.equal(await pod.probe(sidecar, sidecar.readinessProbe), 200);
  assert.equal(pod.process('respool').exitCode, null);

  const { exitCodes, seconds } = await pod.terminate();
  assert.deepEqual(exitCodes, [0], pod.process('respool').output());
  assert.ok(seconds < (stage.spec.terminationGracePeriodSeconds ?? 30));
  assert.equal(await pod.probe(sidecar, sidecar.livenessProbe), null);
});

test('with the unix socket the application connects over the shared volume, and nobody else can', async (t) => {
  if (!CONFINED) t.diagnostic(UNCONFINED_NOTE);
  const { pod, ports } = await startStage(t, 'socket');
  const redis = await startUpstream(t, ports.redis);
  pod.startApplication();
  await eventually(
    'the application writes',
    async () =>
      (
        await run('redis-cli', ['-p', `${redis.port}`, '-a', PASSWORD, 'GET', 'app:seen'])
      ).stdout.trim(),
    { withinMs: 20_000, everyMs: 100 },
  );
  const socket = statSync(join(pod.volume('respool-socket'), 'redis.sock'));
  assert.equal(socket.mode & 0o777, 0o700);
  const refused = await run('redis-cli', ['-p', `${ports.listen}`, 'PING']);
  assert.match(refused.stderr, /Connection refused/);
  assert.deepEqual((await pod.terminate()).exitCodes, [0]);
});

test("a Job's pod ends when its application ends; without Redis the application fails, so that it is tried again", async (t) => {
  if (!CONFINED) t.diagnostic(UNCONFINED_NOTE);
  const { pod, ports } = await startStage(t, 'job');
  const [early] = pod.startApplication();
  assert.notEqual(await early?.exited(), 0, 'nothing is buffered that nobody would replay');
  assert.match(early?.output() ?? '', /UNAVAILABLE/);

  const redis = await startUpstream(t, ports.redis);
  await eventually(
    'the application succeeds',
    async () => (await pod.startApplication()[0]?.exited()) === 0,
    { withinMs: 20_000, everyMs: 500 },
  );
  const count = await run('redis-cli', ['-p', `${redis.port}`, '-a', PASSWORD, 'HLEN', 'job:done']);
  assert.equal(count.stdout, '100\n');
  const { exitCodes } = await pod.terminate();
  assert.deepEqual(exitCodes, [0], pod.process('respool').output());
});

const PASSWORD = 'replace-me';

interface Stage {
  readonly pod: Pod;
  readonly spec: PodSpec;
  readonly ports: { readonly redis: number; readonly listen: number };
  /** One command to the sidecar with redis-cli: what it prints. */
  readonly cli: (...words: string[]) => Promise<string>;
}

async function startStage(t: TestContext, name: (typeof VARIANTS)[number]): Promise<Stage> {
  const { manifests, spec } = readVariant(name);
  const [redis = 0, listen = 0, admin = 0] = await freePorts(3);
  const addresses: Addresses = {
    'redis:6379': `127.0.0.1:${redis}`,
    '127.0.0.1:6380': `127.0.0.1:${listen}`,
    '0.0.0.0:9380': `0.0.0.0:${admin}`,
  };
  const pod = await Pod.start(t, { manifests, spec, addresses });
  const cli = async (...words: string[]): Promise<string> =>
    (await run('redis-cli', ['-p', `${listen}`, '-a', 'replace-me-too', ...words])).stdout;
  return { pod, spec, ports: { redis, listen }, cli };
}

function startUpstream(t: TestContext, port: number): Promise<RedisServer> {
  return startRedis(t, { port, args: ['--requirepass', PASSWORD] });
}

/** The process is what the security context says. */
function assertConfined(pid: number): void {
  if (!CONFINED) return;
  const { uid, gid } = respoolImage().user;
  assert.deepEqual(rightsOf(pid), {
    uid,
    gid,
    groups: [1000],
    mayGainPrivileges: false,
    capabilities: [0n, 0n, 0n],
  });
  for (const path of [
    '/written',
    '/app/dist/written',
    '/run/secrets/respool/written',
    '/usr/written',
  ])
    assert.equal(writeErrorIn(pid, path), 'EROFS', path);
  assert.equal(writeErrorIn(pid, '/var/lib/respool/written'), null);
}
