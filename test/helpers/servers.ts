/**
 * The real servers of integration tests: redis-server from PATH, and the sidecar as its users run
 * it (`node dist/main.js`). Each gets free ports and an empty directory of its own; a server that
 * does not start fails the test with what it printed.
 */
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import {
  ManagedProcess,
  removeDirectory,
  temporaryDirectory,
  type Cleanup,
} from './child-process.js';
import { eventually } from './eventually.js';
import { freePorts } from './ports.js';
import { mainFile } from './project.js';
import { connectRaw } from './raw-client.js';

const START_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 3;

/** Files of a server's certificate; see `certificates.ts`. */
export interface RedisTls {
  certFile: string;
  keyFile: string;
  caFile: string;
  /** Whether clients must show a certificate; Redis' own default is yes. */
  authClients?: 'yes' | 'no' | 'optional';
}

export interface RedisOptions {
  /** More arguments for redis-server; later ones win. */
  args?: string[];
  /** The port to use, for "it comes back where it was"; otherwise a free one. */
  port?: number;
  /** Also listen on a unix socket. */
  unixSocket?: boolean;
  /** Also listen with TLS. */
  tls?: RedisTls;
  /** The program, if not redis-server from PATH. */
  program?: string;
}

/** A redis-server of one test, on 127.0.0.1 without persistence. */
export interface RedisServer {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly tlsPort?: number;
  readonly unixPath?: string;
  readonly pid: number;
  output(): string;
  /** SIGTERM by default (SIGKILL is a crash); resolves when the process is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface SidecarOptions {
  /** `--upstream`; without it the sidecar's default, the embedded engine. */
  upstream?: string;
  args?: string[];
  env?: Record<string, string>;
}

/** A sidecar process of one test, ready to serve. */
export interface Sidecar {
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  readonly url: string;
  readonly pid: number;
  /** Its working directory: where its default journal directory is. */
  readonly directory: string;
  output(): string;
  /** GET of a path of the admin server. */
  admin(path: string): Promise<{ status: number; body: string }>;
  /** SIGTERM by default; resolves with the exit code (128 + n after signal n). */
  stop(signal?: NodeJS.Signals): Promise<number>;
}

/** Starts a redis-server and waits until it answers; `t` stops it in the end. */
export async function startRedis(t: Cleanup, options: RedisOptions = {}): Promise<RedisServer> {
  return retryTakenPorts(async () => {
    const [freeOne = 0, tlsPort = 0] = await freePorts(2);
    const port = options.port ?? freeOne;
    const directory = temporaryDirectory(null, 'respool-redis-');
    const unixPath = options.unixSocket === true ? join(directory, 'redis.sock') : undefined;
    const args = redisArguments(port, tlsPort, directory, unixPath, options);
    const server = new ManagedProcess({
      file: options.program ?? 'redis-server',
      args,
      cwd: directory,
    });
    const stop = async (signal?: NodeJS.Signals): Promise<void> => {
      await server.stop(signal, 3_000);
      removeDirectory(directory);
    };
    await whenReady('redis-server', server, () => answersPing(port)).catch(
      async (error: unknown) => {
        await stop('SIGKILL');
        throw error;
      },
    );
    t?.after(() => stop('SIGKILL'));
    return {
      host: '127.0.0.1',
      port,
      url: `redis://127.0.0.1:${port}`,
      ...(options.tls === undefined ? {} : { tlsPort }),
      ...(unixPath === undefined ? {} : { unixPath }),
      pid: server.pid,
      output: () => server.output(),
      stop,
    };
  });
}

/**
 * Starts `dist/main.js` and waits until /readyz is 200. The environment's RESPOOL_* are not passed
 * on. When `t` ends it is stopped, and the test fails if it had ended by itself before.
 */
export async function startSidecar(t: Cleanup, options: SidecarOptions = {}): Promise<Sidecar> {
  return retryTakenPorts(async () => {
    const [port = 0, adminPort = 0] = await freePorts(2);
    const directory = temporaryDirectory(null, 'respool-sidecar-');
    const server = new ManagedProcess({
      file: process.execPath,
      args: [mainFile(), ...sidecarArguments(port, adminPort, options)],
      cwd: directory,
      env: { ...withoutOurs(process.env), ...options.env },
    });
    const admin = (path: string) => httpGet(adminPort, path);
    const ready = async () => (await admin('/readyz')).status === 200;
    let asked = false;
    const stop = (signal?: NodeJS.Signals): Promise<number> => {
      asked = true;
      return server.stop(signal);
    };
    const cleanUp = async (): Promise<void> => {
      const crashed = !asked && server.exitCode !== null;
      await server.stopSoon();
      removeDirectory(directory);
      if (crashed) throw new Error(`The sidecar ended by itself.\n${describe(server)}`);
    };
    await whenReady('the sidecar', server, ready).catch(async (error: unknown) => {
      await server.stop('SIGKILL');
      removeDirectory(directory);
      throw error;
    });
    t?.after(cleanUp);
    return {
      host: '127.0.0.1',
      port,
      adminPort,
      url: `redis://127.0.0.1:${port}`,
      pid: server.pid,
      directory,
      output: () => server.output(),
      admin,
      stop,
    };
  });
}

function redisArguments(
  port: number,
  tlsPort: number,
  directory: string,
  unixPath: string | undefined,
  { args = [], tls }: RedisOptions,
): string[] {
  const all = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory];
  all.push('--save', '', '--appendonly', 'no', '--protected-mode', 'no');
  if (unixPath !== undefined) all.push('--unixsocket', unixPath);
  if (tls !== undefined) {
    all.push('--tls-port', String(tlsPort), '--tls-ca-cert-file', tls.caFile);
    all.push('--tls-cert-file', tls.certFile, '--tls-key-file', tls.keyFile);
    all.push('--tls-auth-clients', tls.authClients ?? 'yes');
  }
  return [...all, ...args];
}

function sidecarArguments(
  port: number,
  adminPort: number,
  { upstream, args = [] }: SidecarOptions,
): string[] {
  const all = ['--listen', `127.0.0.1:${port}`, '--admin', `127.0.0.1:${adminPort}`];
  if (upstream !== undefined) all.push('--upstream', upstream);
  return [...all, ...args];
}

function withoutOurs(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('RESPOOL_')));
}

/** A server that wants a password first is up, too; one that is still loading is not. */
async function answersPing(port: number): Promise<boolean> {
  const client = await connectRaw(port);
  try {
    return !(await client.ask('PING')).startsWith('-LOADING');
  } finally {
    client.reset();
  }
}

/** A connection of its own, closed after the reply: `fetch` would keep one open while a server drains. */
async function httpGet(port: number, path: string): Promise<{ status: number; body: string }> {
  const request = get({ host: '127.0.0.1', port, path, agent: false, timeout: 5_000 });
  request.once('timeout', () => request.destroy(new Error(`no answer to GET ${path}`)));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

class PortTakenError extends Error {}

async function whenReady(
  name: string,
  server: ManagedProcess,
  probe: () => Promise<boolean>,
): Promise<void> {
  const up = async (): Promise<boolean> => server.exitCode !== null || (await probe());
  await eventually(`${name} is ready`, up, { withinMs: START_TIMEOUT_MS }).catch(
    (error: unknown) => {
      throw new Error(`${name} does not become ready.\n${describe(server)}`, { cause: error });
    },
  );
  if (server.exitCode === null) return;
  const message = `${name} does not start (npm test installs what is missing).\n${describe(server)}`;
  const taken = /EADDRINUSE|Address already in use/i.test(server.output());
  throw taken ? new PortTakenError(message) : new Error(message);
}

async function retryTakenPorts<T>(start: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === START_ATTEMPTS) throw error;
    }
  }
}

function describe(server: ManagedProcess): string {
  return `${server.child.spawnargs.join(' ')}\nexit code: ${server.exitCode}\n${server.output()}`;
}
