/**
 * Who is measured: redis-server, the proxies people put in front of it, and the sidecar. One worker each, all in front
 * of the same Redis, all on 127.0.0.1, without persistence. A peer that is not installed is left out and named.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ManagedProcess,
  removeDirectory,
  temporaryDirectory,
} from '../test/helpers/child-process.js';
import { eventually } from '../test/helpers/eventually.js';
import { freePorts } from '../test/helpers/ports.js';
import { connectRaw } from '../test/helpers/raw-client.js';

/** Who stands beside or in front of a Redis that is well, in the order of the tables' rows. */
export type PeerName =
  'direct' | 'twemproxy' | 'HAProxy' | 'respool' | 'respool, pass' | 'other build' | 'embedded';

/** The rows of every table: peers, and who answers in an outage (`outage-field.ts`). */
export type TargetName =
  | PeerName
  | 'outage store'
  | 'AOF always'
  | 'journal always'
  | 'AOF everysec'
  | 'journal everysec'
  | 'replay'
  | 'redis-cli --pipe';

/** A running server: where to connect, and whose CPU time and memory to read. */
export interface Target {
  readonly name: TargetName;
  readonly port: number;
  readonly pid: number;
}

/** Everything that takes turns in one scenario. `direct` is the Redis behind all the others. */
export interface Field {
  readonly direct: Target;
  readonly targets: readonly Target[];
  /** Ends all of it; resolves when nothing is left. */
  stop(): Promise<void>;
}

/** Which builds of the sidecar take part. */
export interface Builds {
  /** The sidecar's main.js. */
  readonly mainFile: string;
  /** Another build's main.js, or null. */
  readonly otherMainFile: string | null;
}

/** How one server is started: its command line, once its ports and its directory are known. */
type Recipe = (place: Place) => { file: string; args: string[] };

interface Place {
  port: number;
  /** A second port, for whoever insists on one for statistics. */
  adminPort: number;
  upstreamPort: number;
  directory: string;
}

const START_TIMEOUT_MS = 15_000;
const NOT_FOUND = 127;

const redis: Recipe = ({ port, directory }) => ({
  file: 'redis-server',
  args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
});

const twemproxy: Recipe = ({ port, adminPort, upstreamPort, directory }) => {
  const file = join(directory, 'nutcracker.yml');
  const lines = ['bench:', `  listen: 127.0.0.1:${port}`, '  redis: true', '  preconnect: true'];
  lines.push('  servers:', `   - 127.0.0.1:${upstreamPort}:1`);
  writeFileSync(file, lines.join('\n') + '\n');
  const statistics = ['-a', '127.0.0.1', '-s', String(adminPort)];
  return { file: 'nutcracker', args: ['-c', file, ...statistics] };
};

const haproxy: Recipe = ({ port, upstreamPort, directory }) => {
  const file = join(directory, 'haproxy.cfg');
  const lines = ['global', '  nbthread 1', '  maxconn 4000', 'defaults', '  mode tcp'];
  lines.push('  timeout connect 5s', '  timeout client 300s', '  timeout server 300s');
  lines.push(
    'listen bench',
    `  bind 127.0.0.1:${port}`,
    `  server redis 127.0.0.1:${upstreamPort}`,
  );
  writeFileSync(file, lines.join('\n') + '\n');
  return { file: 'haproxy', args: ['-db', '-f', file] };
};

/** `more` arguments win. */
function sidecar(mainFile: string, ...more: readonly string[]): Recipe {
  return ({ port, adminPort, upstreamPort }) => {
    const args = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${adminPort}`];
    args.push('--upstream', `redis://127.0.0.1:${upstreamPort}`, ...more);
    return { file: process.execPath, args: [mainFile, ...args] };
  };
}

/** Starts Redis and everybody in `names` that is installed; resolves when all of them answer a GET. */
export async function startField(names: readonly PeerName[], builds: Builds): Promise<Field> {
  const started: Server[] = [];
  const stop = async (): Promise<void> => {
    for (const server of started.reverse()) await server.stop();
  };
  try {
    const direct = await Server.start('direct', redis, 0);
    if (direct === null) throw new Error('redis-server is not installed');
    started.push(direct);
    for (const name of names) {
      const recipe = name === 'direct' ? null : recipeOf(name, builds);
      if (recipe === null) continue;
      const server = await Server.start(name, recipe, direct.port);
      if (server === null) process.stderr.write(`${name} is not installed: left out\n`);
      else started.push(server);
    }
    const targets = names.includes('direct') ? [...started] : started.slice(1);
    return { direct, targets, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function recipeOf(name: Exclude<PeerName, 'direct'>, builds: Builds): Recipe | null {
  switch (name) {
    case 'twemproxy':
      return twemproxy;
    case 'HAProxy':
      return haproxy;
    case 'respool':
      return sidecar(builds.mainFile);
    case 'respool, pass':
      return sidecar(builds.mainFile, '--scripts', 'pass');
    case 'other build':
      return builds.otherMainFile === null ? null : sidecar(builds.otherMainFile);
    case 'embedded':
      return sidecar(builds.mainFile, '--upstream', 'embedded:');
  }
}

/** One server's process and its directory. */
class Server implements Target {
  readonly pid: number;

  private constructor(
    readonly name: TargetName,
    readonly port: number,
    readonly process: ManagedProcess,
    readonly directory: string,
  ) {
    this.pid = process.pid;
  }

  /** Null if its program is not on PATH; throws with its output if it does not come up. */
  static async start(name: PeerName, recipe: Recipe, upstreamPort: number): Promise<Server | null> {
    const directory = temporaryDirectory(null, 'respool-bench-');
    const [port = 0, adminPort = 0] = await freePorts(2);
    const { file, args } = recipe({ port, adminPort, upstreamPort, directory });
    // Nothing of the caller's environment configures what is measured.
    const env = { PATH: process.env.PATH };
    const child = new ManagedProcess({ file, args, cwd: directory, env });
    const server = new Server(name, port, child, directory);
    const settled = async (): Promise<boolean> => child.exitCode !== null || answers(port);
    await eventually(`${name} answers`, settled, { withinMs: START_TIMEOUT_MS });
    if (child.exitCode === null) return server;
    await server.stop();
    if (child.exitCode === NOT_FOUND) return null;
    throw new Error(`${name} does not start: ${file} ${args.join(' ')}\n${child.output()}`);
  }

  async stop(): Promise<void> {
    await this.process.stop('SIGTERM', 2_000);
    removeDirectory(this.directory);
  }
}

async function answers(port: number): Promise<boolean> {
  const client = await connectRaw(port);
  try {
    return (await client.ask('GET', 'nobody')) === '$-1\r\n';
  } finally {
    client.reset();
  }
}
