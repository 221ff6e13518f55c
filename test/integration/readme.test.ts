/**
 * The README's sessions, run as they are printed: each section with a `console` block is one session with a sidecar
 * (`npm start`), shell commands (`$ …`), and one redis-cli that stays open (`127.0.0.1:6380> …`). What they print is
 * compared with what the README says they print; times, versions and counts of lanes may differ, and ports do.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { run } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/ports.js';
import { mainFile, readProjectFile } from '../helpers/project.js';
import { startRedis, startSidecar, type Sidecar } from '../helpers/servers.js';

const SHELL = '$ ';
/** Stands for what npm prints before the program runs; the test runs the program itself. */
const NPM_SAYS = '…';
/** The ports that the README uses. */
const REDIS = 6390;
const LISTEN = 6380;
const ADMIN = 9380;

interface Step {
  readonly kind: 'shell' | 'redis-cli';
  readonly command: string;
  /** What is printed before the next step. */
  readonly expected: string;
}

/** Steps of each section that has a console block, by heading. */
function sessions(readme: string): Map<string, Step[]> {
  const found = new Map<string, Step[]>();
  for (const section of readme.split(/^## /m).slice(1)) {
    const blocks = [...section.matchAll(/^```console\n([\s\S]*?)^```$/gm)];
    const steps = blocks.flatMap(([, block = '']) => stepsOf(block));
    if (steps.length > 0) found.set(section.split('\n', 1)[0]!, steps);
  }
  return found;
}

function stepsOf(block: string): Step[] {
  const parts = block.split(/^(\$ |127\.0\.0\.1:6380> )/m).slice(1);
  return Array.from({ length: parts.length / 2 }, (_, index) => {
    const [command = '', ...lines] = parts[index * 2 + 1]!.trimEnd().split('\n');
    const kind = parts[index * 2] === SHELL ? 'shell' : 'redis-cli';
    return { kind, command: command.replace(/ +# .*$/, ''), expected: lines.join('\n') };
  });
}

/** Everything that is another one in each run. */
function masked(text: string): string {
  return text
    .replace(/\d\d:\d\d:\d\d\.\d{3}/g, '<time>')
    .replace(/\(\d+\.\d\ds\)/g, '<seconds>')
    .replace(/up \d+s/g, 'up <seconds>')
    .replace(/milliseconds=\d+/g, 'milliseconds=<n>')
    .replace(/\d+ lanes?/g, '<lanes>')
    .replace(/v?\d+\.\d+\.\d+(?=[ ,])/g, '<version>')
    .trim();
}

/** One section's servers and its redis-cli, with the README's ports mapped to free ones. */
class Session {
  #sidecar: Sidecar | null = null;
  #cli: ChildProcessWithoutNullStreams | null = null;
  #printed = '';
  /** Shared connections that the sidecar had while Redis was well. */
  #lanes = 0;

  constructor(
    private readonly t: TestContext,
    private readonly redisPort: number,
  ) {}

  async play({ kind, command, expected }: Step): Promise<void> {
    const here = this.#toFreePorts(command);
    if (kind === 'redis-cli') return this.#ask(here, expected);
    if (here.startsWith('npm start')) return this.#start(here, expected);
    if (here.startsWith('redis-server ')) return this.#startRedis();
    if (here === `redis-cli -p ${this.#sidecar?.port}`) return this.#openCli();
    this.#lanes ||= await this.#connectedLanes();
    const shell = here.replace('dist/main.js', mainFile());
    const { stdout, stderr } = await run('bash', ['-c', shell], {
      env: { ...process.env, RESPOOL_ADMIN: `127.0.0.1:${this.#sidecar?.adminPort}` },
    });
    this.#compare(command, stdout + stderr, expected);
  }

  async #start(command: string, expected: string): Promise<void> {
    const args = command.replace(/^npm start( -- )?/, '').split(' ');
    this.#sidecar = await startSidecar(this.t, {
      args: args.filter((word) => word !== ''),
      env: { RESPOOL_LOG_FORMAT: 'pretty' },
    });
    const sidecar = this.#sidecar;
    const missing = (): string[] => {
      const logged = this.#seen(sidecar.output()).split('\n');
      return masked(expected)
        .split('\n')
        .filter((line) => line !== NPM_SAYS && !logged.includes(line));
    };
    await eventually('it has logged it all', () => missing().length === 0).catch(() => undefined);
    assert.deepEqual(missing(), [], `README.md says so of: ${command}\n${sidecar.output()}`);
  }

  /** A daemon would outlive a test that is killed, so here it is a child. Waits until the sidecar has noticed it. */
  async #startRedis(): Promise<void> {
    await startRedis(this.t, { port: this.redisPort });
    const isBack = async (): Promise<boolean> => (await this.#connectedLanes()) === this.#lanes;
    if (this.#sidecar !== null) await eventually('the sidecar has its lanes again', isBack);
  }

  async #connectedLanes(): Promise<number> {
    const { body } = (await this.#sidecar?.admin('/status')) ?? { body: '{"upstream":{}}' };
    const { upstream } = JSON.parse(body) as { upstream: { connected: boolean; lanes: number } };
    return upstream.connected ? upstream.lanes : 0;
  }

  #openCli(): void {
    const args = ['-oL', 'redis-cli', '-p', String(this.#sidecar?.port), '--no-raw'];
    // Without a terminal redis-cli would keep what it prints until it has 4 kB of it.
    const cli = spawn('stdbuf', args, { stdio: 'pipe' });
    this.t.after(() => void cli.kill('SIGKILL'));
    for (const stream of [cli.stdout, cli.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.#printed += chunk.toString()));
    }
    this.#cli = cli;
  }

  async #ask(command: string, expected: string): Promise<void> {
    this.#printed = '';
    this.#cli?.stdin.write(`${command}\n`);
    await this.#settles(command, () => this.#printed, expected);
  }

  /** Waits until what is printed is what the README says; shows the difference when it does not become so. */
  async #settles(command: string, output: () => string, expected: string): Promise<void> {
    const same = (): boolean => this.#seen(output()) === masked(expected);
    await eventually(command, same).catch(() => this.#compare(command, output(), expected));
  }

  #compare(command: string, printed: string, expected: string): void {
    assert.equal(this.#seen(printed), masked(expected), `README.md says so of: ${command}`);
  }

  #seen(printed: string): string {
    return masked(
      this.#ports().reduce((text, [theirs, ours]) => swap(text, ours, theirs), printed),
    );
  }

  #toFreePorts(command: string): string {
    return this.#ports().reduce((text, [theirs, ours]) => swap(text, theirs, ours), command);
  }

  #ports(): (readonly [number, number])[] {
    const { port = LISTEN, adminPort = ADMIN } = this.#sidecar ?? {};
    return [
      [REDIS, this.redisPort],
      [LISTEN, port],
      [ADMIN, adminPort],
    ];
  }
}

function swap(text: string, from: number, to: number): string {
  return text.replace(new RegExp(`(?<=[: ])${from}\\b`, 'g'), String(to));
}

for (const [section, steps] of sessions(readProjectFile('README.md'))) {
  test(`the session of README.md, "${section}", goes as it is printed there`, async (t) => {
    const session = new Session(t, await freePort());
    for (const step of steps) await session.play(step);
  });
}
