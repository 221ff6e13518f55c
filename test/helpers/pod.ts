/**
 * A pod without a kubelet: volumes, then the init containers that stay (sidecars), each until its startup probe succeeds,
 * then the application; in the end first the application is stopped, then the sidecars. Everything comes from the
 * manifest, but for the addresses, which are replaced: this machine's ports are shared with other tests.
 */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import type { Container, EnvVar, PodSpec, Probe, Volume } from 'kubernetes-types/core/v1.js';
import { temporaryDirectory, type Cleanup, type ManagedProcess } from './child-process.js';
import { CONFINED, startContainer, type Mount } from './container.js';
import { eventually } from './eventually.js';
import { respoolImage } from './image.js';
import type { Manifest } from './kustomize.js';

/** What stands in for addresses of the manifest: `redis:6379` → `127.0.0.1:40123`. */
export type Addresses = Readonly<Record<string, string>>;

export interface PodRequest {
  /** All of the kustomization: the pod's config maps and secrets are among them. */
  readonly manifests: readonly Manifest[];
  readonly spec: PodSpec;
  readonly addresses: Addresses;
}

export class Pod {
  readonly #volumes = new Map<string, string>();
  readonly #running = new Map<string, ManagedProcess>();

  private constructor(
    private readonly t: Cleanup,
    private readonly request: PodRequest,
  ) {}

  /** Makes the volumes and starts the sidecars, each when the one before it has started. */
  static async start(t: Cleanup, request: PodRequest): Promise<Pod> {
    const pod = new Pod(t, request);
    pod.makeVolumes();
    for (const container of request.spec.initContainers ?? []) {
      assert.equal(container.restartPolicy, 'Always', `${container.name} is a sidecar`);
      await pod.startSidecar(container);
    }
    return pod;
  }

  /** Starts the application's containers. */
  startApplication(): ManagedProcess[] {
    return this.request.spec.containers.map((container) => this.run(container));
  }

  /** Sends SIGTERM to the application, then to the sidecars; resolves with the sidecars' exit codes and the seconds. */
  async terminate(): Promise<{ exitCodes: number[]; seconds: number }> {
    const startedAt = performance.now();
    const graceMs = (this.request.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    const stop = async (container: Container): Promise<number> =>
      (await this.#running.get(container.name)?.stop('SIGTERM', graceMs)) ?? -1;
    await Promise.all(this.request.spec.containers.map(stop));
    const exitCodes: number[] = [];
    // In the opposite order of their start.
    for (const sidecar of [...(this.request.spec.initContainers ?? [])].reverse())
      exitCodes.push(await stop(sidecar));
    return { exitCodes, seconds: (performance.now() - startedAt) / 1000 };
  }

  process(name: string): ManagedProcess {
    const process = this.#running.get(name);
    assert.ok(process, `${name} has been started`);
    return process;
  }

  /** Where a volume is on this machine. */
  volume(name: string): string {
    return this.#volumes.get(name) ?? assert.fail(`there is no volume ${name}`);
  }

  /** What the kubelet would get from a container's probe: a status, or null when nobody answers. */
  async probe(container: Container, probe: Probe | undefined): Promise<number | null> {
    const { path, port } = probe?.httpGet ?? assert.fail(`${container.name} has an HTTP probe`);
    const number =
      container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port);
    const address = this.request.addresses[`0.0.0.0:${number}`];
    assert.ok(address, `the kubelet reaches port ${port}`);
    const timeoutMs = (probe?.timeoutSeconds ?? 1) * 1000;
    return httpStatus(Number(address.split(':').at(-1)), path ?? '/', timeoutMs);
  }

  private async startSidecar(container: Container): Promise<void> {
    const process = this.run(container);
    const { startupProbe } = container;
    const patienceSeconds =
      (startupProbe?.periodSeconds ?? 10) * (startupProbe?.failureThreshold ?? 3);
    await eventually(
      `${container.name} has started`,
      async () => process.exitCode !== null || (await this.probe(container, startupProbe)) === 200,
      { withinMs: patienceSeconds * 1000, everyMs: 50 },
    );
    assert.equal(process.exitCode, null, process.output());
  }

  private run(container: Container): ManagedProcess {
    const { spec } = this.request;
    const own = { ...spec.securityContext, ...container.securityContext };
    const isRespool = container.image?.startsWith('respool:') === true;
    const image = isRespool
      ? respoolImage()
      : { entrypoint: [], env: {}, user: { uid: 0, gid: 0 } };
    const command = [...(container.command ?? image.entrypoint), ...(container.args ?? [])];
    const env = { ...image.env, ...this.environmentOf(container) };
    const process = startContainer(this.t, {
      command: command.map((word) => this.replace(word)),
      env: mapValues(env, (value) => this.replace(value)),
      user: {
        uid: own.runAsUser ?? image.user.uid,
        gid: own.runAsGroup ?? image.user.gid,
        groups: own.fsGroup === undefined ? [] : [own.fsGroup],
      },
      mounts: (container.volumeMounts ?? []).map(({ name, mountPath, readOnly }): Mount => ({
        source: this.volume(name),
        target: mountPath,
        readOnly: readOnly === true,
      })),
      readOnlyRoot: own.readOnlyRootFilesystem === true,
    });
    this.#running.set(container.name, process);
    return process;
  }

  private environmentOf({ envFrom = [], env = [] }: Container): Record<string, string> {
    const values: Record<string, string> = {};
    for (const { configMapRef } of envFrom)
      Object.assign(values, this.dataOf('ConfigMap', configMapRef?.name));
    for (const one of env) values[one.name] = this.valueOf(one);
    return values;
  }

  private valueOf({ value, valueFrom }: EnvVar): string {
    if (value !== undefined) return value;
    const { name, key } = valueFrom?.secretKeyRef ?? assert.fail('a value, or one of a secret');
    return this.dataOf('Secret', name)[key] ?? assert.fail(`${name} has ${key}`);
  }

  private dataOf(kind: string, name: string | undefined): Readonly<Record<string, string>> {
    const found = this.request.manifests.find(
      (one) => one.kind === kind && one.metadata.name === name,
    );
    assert.ok(found, `there is a ${kind} ${name}`);
    return (found.data ?? found.stringData ?? {}) as Record<string, string>;
  }

  private makeVolumes(): void {
    const directory = temporaryDirectory(this.t, 'respool-pod-');
    // mkdtemp makes it private; the containers' users must be able to walk in.
    chmodSync(directory, 0o755);
    for (const volume of this.request.spec.volumes ?? [])
      this.#volumes.set(volume.name, this.makeVolume(directory, volume));
  }

  /** As the kubelet makes them: of group `fsGroup`, a secret's files readable for it, everything else writable. */
  private makeVolume(directory: string, { name, secret, emptyDir }: Volume): string {
    const path = join(directory, name);
    const group = this.request.spec.securityContext?.fsGroup ?? 0;
    mkdirSync(path);
    if (CONFINED) chownSync(path, 0, group);
    if (secret === undefined) {
      assert.ok(emptyDir, `${name} is a secret or an empty directory`);
      chmodSync(path, CONFINED ? 0o2770 : 0o700);
      return path;
    }
    for (const [key, value] of Object.entries(this.dataOf('Secret', secret.secretName))) {
      writeFileSync(join(path, key), value, { mode: secret.defaultMode ?? 0o644 });
      if (CONFINED) chownSync(join(path, key), 0, group);
    }
    return path;
  }

  private replace(text: string): string {
    return Object.entries(this.request.addresses).reduce(
      (replaced, [from, to]) => replaced.replaceAll(from, to),
      text,
    );
  }
}

/** The status of one GET; null when nobody answers in time. */
export function httpStatus(port: number, path: string, timeoutMs = 1_000): Promise<number | null> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: timeoutMs });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? null);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(null));
  });
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
