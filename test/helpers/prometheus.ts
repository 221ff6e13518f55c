/**
 * A real Prometheus with the configuration of deploy/prometheus in which every duration is shorter by the same factor:
 * what takes an hour of an operator's night takes seconds of a test, and it is the same files that are tested.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ManagedProcess, temporaryDirectory, type Cleanup } from './child-process.js';
import { eventually } from './eventually.js';
import { httpStatus } from './pod.js';
import { freePort } from './ports.js';
import { projectRoot } from './project.js';

/** One series of an answer: its labels, and its values in the order of time. */
export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly number[];
}

/** An alert that has begun or is firing, as Prometheus would hand it on. */
export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

interface Answer {
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values: readonly (readonly [number, string])[];
    }[];
  };
}

const FILES = ['prometheus.yml', 'rules.yml', 'alerts.yml'];
/** Milliseconds of Prometheus' units, as far as the files use them. */
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** How often is asked at least; an answer that takes longer counts as none, and a busy machine needs some time. */
const SHORTEST_INTERVAL_MS = 500;

/**
 * How far back is looked at least for something that has happened: over more than a scrape or two, which a busy machine may
 * delay, and over the start of a sidecar.
 */
const SHORTEST_MEMORY_MS = { changes: 20_000, increase: 4_000 } as const;
type Memory = keyof typeof SHORTEST_MEMORY_MS;

/** `5m` with 300 is `1000ms`, unless that is less than `atLeastMs`. */
export function shorten(duration: string, factor: number, atLeastMs = 1): string {
  const [, count, unit = ''] = /^(\d+)([smh])$/.exec(duration) ?? [];
  const shortMs = (Number(count) * (UNITS[unit] ?? NaN)) / factor;
  return `${Math.max(atLeastMs, Math.round(shortMs))}ms`;
}

/** Shortens all durations of a file: intervals, `for`, ranges, and the bounds that something in seconds is compared with. */
function shortenAll(text: string, factor: number): string {
  return text
    .replace(/_interval: (\d+[smh])$/gm, (_, time: string) => {
      return `_interval: ${shorten(time, factor, SHORTEST_INTERVAL_MS)}`;
    })
    .replace(/for: (\d+[smh])$/gm, (_, time: string) => `for: ${shorten(time, factor)}`)
    .replace(/(changes|increase)(\([^[]*)\[(\d+[smh])\]/g, (_, of: Memory, what, time: string) => {
      return `${of}${what}[${shorten(time, factor, SHORTEST_MEMORY_MS[of])}]`;
    })
    .replace(/\[(\d+[smh])\]/g, (_, time: string) => `[${shorten(time, factor)}]`)
    .replace(/(seconds(?:_to_full)?) ([<>]) (\d+)$/gm, (_, name, sign, bound: string) => {
      return `${name} ${sign} ${Number(bound) / factor}`;
    });
}

export class Prometheus {
  /** Names of alerts that `firing` has seen. */
  readonly fired = new Set<string>();
  readonly #startedAtMs = Date.now();

  private constructor(private readonly port: number) {}

  /** Starts one that scrapes `127.0.0.1:target` as the job `respool`. */
  static async start(t: Cleanup, target: number, factor: number): Promise<Prometheus> {
    const directory = temporaryDirectory(t, 'respool-prometheus-');
    for (const name of FILES) {
      const text = readFileSync(join(projectRoot, 'deploy/prometheus', name), 'utf8');
      const here = text.replace('respool:9380', `127.0.0.1:${target}`);
      writeFileSync(join(directory, name), shortenAll(here, factor));
    }
    const port = await freePort();
    const args = ['--config.file=prometheus.yml', '--storage.tsdb.path=data', '--log.level=warn'];
    args.push(`--web.listen-address=127.0.0.1:${port}`);
    const server = new ManagedProcess({ file: 'prometheus', args, cwd: directory });
    t?.after(async () => {
      await server.stop('SIGKILL');
    });
    const ready = async (): Promise<boolean> =>
      server.exitCode !== null || (await httpStatus(port, '/-/ready')) === 200;
    await eventually('Prometheus is ready', ready, { withinMs: 20_000 });
    if (server.exitCode !== null) throw new Error(`Prometheus does not start\n${server.output()}`);
    return new Prometheus(port);
  }

  /** What an expression was at any time since the start, ten times a second. */
  async history(expression: string): Promise<Series[]> {
    const parameters = new URLSearchParams({
      query: expression,
      start: String(this.#startedAtMs / 1000),
      end: String(Date.now() / 1000),
      step: '0.1',
    });
    const answer = await this.get<Answer>(`query_range?${parameters.toString()}`);
    return answer.data.result.map(({ metric, values }) => ({
      labels: metric,
      values: values.map(([, value]) => Number(value)),
    }));
  }

  /** The alerts of this moment. */
  async alerts(): Promise<readonly Alert[]> {
    const answer = await this.get<{ data: { alerts: Alert[] } }>('alerts');
    return answer.data.alerts;
  }

  /** Resolves with the alert when one of this name is firing. */
  async firing(name: string, withinMs = 120_000): Promise<Alert> {
    const isIt = ({ labels, state }: Alert): boolean =>
      labels.alertname === name && state === 'firing';
    const find = async (): Promise<Alert | undefined> => (await this.alerts()).find(isIt);
    const alert = await eventually(`${name} is firing`, find, { withinMs, everyMs: 50 });
    this.fired.add(name);
    return alert;
  }

  /** Resolves when no alert is firing or about to. */
  async quiet(): Promise<void> {
    const isQuiet = async (): Promise<boolean> => {
      const names = (await this.alerts()).map(({ labels }) => labels.alertname);
      assert.deepEqual(names, []);
      return true;
    };
    await eventually('all is quiet', isQuiet, { withinMs: 60_000, everyMs: 50 });
  }

  private async get<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}`);
    const body = await response.text();
    if (!response.ok) throw new Error(`${decodeURIComponent(path)}: ${body}`);
    return JSON.parse(body) as T;
  }
}
