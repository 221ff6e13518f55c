/**
 * The sidecar of outage tests (`node dist/main.js`, as its users run it), killed, frozen and started
 * again on its journal, and asked from outside: /status, /metrics.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryDirectory, type Cleanup } from './child-process.js';
import { machineNow } from './machine-time.js';
import { freePorts } from './ports.js';
import { mainFile } from './project.js';
import { Restartable } from './restartable.js';

/** `GET /status`, the part that outage tests look at (CONTRACT.md). */
export interface OutageStatus {
  readonly condition: 'healthy' | 'holding' | 'outage' | 'replaying' | 'draining';
  readonly breaker: {
    readonly state: 'closed' | 'open' | 'half-open';
    readonly consecutiveFailures: number;
  };
  readonly journal: {
    readonly records: number;
    readonly bytes: number;
    readonly deadLetters: number;
  };
  readonly replay: {
    readonly active: boolean;
    readonly replayed: number;
    readonly remaining: number;
  };
}

const POLL_MS = 5;
/** Short times, so that tests are short. Promise T is made of them. */
export const TIMES = { upstreamTimeoutMs: 500, holdMs: 300, recoveryMs: 500 } as const;
export const ANSWER_WITHIN_MS = TIMES.upstreamTimeoutMs + TIMES.holdMs + 250;
/** Instead, where the upstream is never away: no machine is so busy that it looks like that. */
export const PATIENT: readonly string[] = ['--upstream-timeout', '30s', '--hold', '30s'];

export interface SidecarOptions {
  readonly args?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Arguments of prlimit(1): what the process may use. */
  readonly limits?: readonly string[];
  readonly journalDirectory?: string;
  readonly port?: number;
}

/** A sidecar (`node dist/main.js`) that is killed and comes back to its journal. */
export class OutageSidecar extends Restartable {
  private constructor(
    readonly port: number,
    readonly adminPort: number,
    readonly journalDirectory: string,
    directory: string,
    upstream: () => number,
    { args: more = [], env = {}, limits = [] }: SidecarOptions,
  ) {
    const fixed = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${adminPort}`];
    fixed.push('--journal-dir', journalDirectory);
    fixed.push('--upstream-timeout', `${TIMES.upstreamTimeoutMs}ms`, '--hold', `${TIMES.holdMs}ms`);
    fixed.push('--breaker-recovery', `${TIMES.recoveryMs}ms`);
    const program = (): string[] => [
      ...(limits.length > 0 ? [...limits, process.execPath] : []),
      ...[mainFile(), ...fixed, '--upstream', `redis://127.0.0.1:${upstream()}`, ...more],
    ];
    // prlimit becomes the program itself: the process that is killed and frozen is the sidecar.
    const file = limits.length > 0 ? 'prlimit' : process.execPath;
    super('the sidecar', file, directory, program, () => ({ ...withoutOurs(process.env), ...env }));
  }

  /** Starts one in front of the server at `upstream`; `t` kills it, and fails if it had ended by itself. */
  static async start(
    t: Cleanup,
    upstream: number | (() => number),
    options: SidecarOptions = {},
  ): Promise<OutageSidecar> {
    const [free = 0, adminPort = 0] = await freePorts(2);
    const directory = temporaryDirectory(t, 'respool-outage-sidecar-');
    const sidecar = new OutageSidecar(
      options.port ?? free,
      adminPort,
      options.journalDirectory ?? join(directory, 'journal'),
      directory,
      typeof upstream === 'number' ? () => upstream : upstream,
      options,
    );
    t?.after(() => sidecar.kill());
    await sidecar.start();
    return sidecar;
  }

  /** Starts it (again) and waits until it serves, degraded or not. */
  async start(): Promise<void> {
    this.launch();
    await this.whenReady(async () => (await this.admin('/readyz')).status === 200);
  }

  /** Starts it without waiting. */
  begin(): void {
    this.launch();
  }

  async status(): Promise<OutageStatus> {
    return JSON.parse((await this.admin('/status')).body) as OutageStatus;
  }

  /** Sums of all metrics by name, without the prefix `respool_`; labels are added up. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const line of (await this.admin('/metrics')).body.split('\n')) {
      const [, name, value] = /^respool_(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
      if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value));
    }
    return sums;
  }

  /**
   * Resolves with the status when it satisfies `condition`, within so many milliseconds of machine time; what cannot be
   * asked does not. Rejects at once when the sidecar has ended by itself.
   */
  async until(
    what: string,
    condition: (status: OutageStatus) => boolean,
    withinMs = 30_000,
  ): Promise<OutageStatus> {
    const deadline = machineNow() + withinMs;
    for (;;) {
      this.assertAlive();
      const status = await this.status().catch(() => null);
      if (status !== null && condition(status)) return status;
      const report = `${JSON.stringify(status)}\n${this.output().slice(-4_000)}`;
      assert.ok(machineNow() < deadline, `not within ${withinMs} ms: ${what}\n${report}`);
      await pause(POLL_MS);
    }
  }

  /** Healthy, and nothing left in the journal. */
  async untilDrained(withinMs = 60_000): Promise<void> {
    await this.until(
      'the journal is drained',
      ({ condition, journal }) => condition === 'healthy' && journal.records === 0,
      withinMs,
    );
  }

  /** Resolves in the middle of a replay: some records are in since this was called, some are not. */
  async untilReplayIsUnderWay(): Promise<void> {
    const before = (await this.status()).replay.replayed;
    await this.until(
      'the replay is under way',
      ({ replay }) => replay.replayed > before && replay.remaining > 0,
    );
  }

  untilOutage(withinMs?: number): Promise<OutageStatus> {
    return this.until('there is an outage', ({ condition }) => condition === 'outage', withinMs);
  }

  private async admin(path: string): Promise<{ status: number; body: string }> {
    const request = get({
      host: '127.0.0.1',
      port: this.adminPort,
      path,
      agent: false,
      timeout: 5_000,
    });
    request.once('timeout', () => request.destroy(new Error(`no answer to GET ${path}`)));
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  }
}

function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('RESPOOL_')));
}
