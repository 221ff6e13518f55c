/**
 * The README's sessions, run as they are printed: each section with a `console` block is one session with a sidecar
 * (`npm start`), shell commands (`$ …`), and one redis-cli that stays open (`127.0.0.1:6380> …`); a block without a prompt
 * is what the sidecar logs meanwhile. What they print is compared with what the README says they print; times and
 * versions may differ, and ports do.
 *
 * `node build/test/integration/readme.test.js --write` writes what they print into the README instead.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { run, temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/ports.js';
import { mainFile, projectRoot, readProjectFile } from '../helpers/project.js';
import { startRedis, startSidecar, type Sidecar } from '../helpers/servers.js';

/** Instead of comparing, the README is made anew. */
const WRITES = process.argv.includes('--write');
const SHELL = '$ ';
const REDIS_CLI = '127.0.0.1:6380> ';
/** Stands for what npm prints before the program runs; the test runs the program itself. */
const NPM_SAYS = '…';
/** The ports that the README uses, and the directory of its Redis. */
const REDIS = 6390;
const LISTEN = 6380;
const ADMIN = 9380;
const REDIS_DIRECTORY = '/tmp/respool-demo';
/** Behind each command of redis-cli: what comes before its echo is the command's reply. */
const END = '-- that was all --';

interface Step {
  readonly kind: 'shell' | 'redis-cli' | 'log';
  readonly command: string;
  /** What is printed before the next step. */
  readonly expected: string;
}

interface Block {
  /** As it stands in the README, without the fences. */
  readonly text: string;
  readonly steps: readonly Step[];
}

/** Console blocks of each section that has some, by heading. */
function sessions(readme: string): Map<string, Block[]> {
  const found = new Map<string, Block[]>();
  for (const section of readme.split(/^## /m).slice(1)) {
    const blocks = [...section.matchAll(/^```console\n([\s\S]*?)^```$/gm)];
    if (blocks.length === 0) continue;
    const heading = section.split('\n', 1)[0]!;
    found.set(
      heading,
      blocks.map(([, text = '']) => ({ text, steps: stepsOf(text) })),
    );
  }
  return found;
}

function stepsOf(block: string): Step[] {
  const [logged = '', ...parts] = block.split(/^(\$ |127\.0\.0\.1:6380> )/m);
  if (parts.length === 0) return [{ kind: 'log', command: '', expected: logged.trimEnd() }];
  return Array.from({ length: parts.length / 2 }, (_, index) => {
    const [command = '', ...lines] = parts[index * 2 + 1]!.trimEnd().split('\n');
    const kind = parts[index * 2] === SHELL ? 'shell' : 'redis-cli';
    return { kind, command, expected: lines.join('\n') };
  });
}

/** The block again, with what its steps have printed. */
function blockOf(steps: readonly Step[], printed: readonly string[]): string {
  const lines = steps.flatMap(({ kind, command }, index) => {
    const output = printed[index] === '' ? [] : [printed[index]!];
    if (kind === 'log') return output;
    return [(kind === 'shell' ? SHELL : REDIS_CLI) + command, ...output];
  });
  return lines.map((line) => `${line}\n`).join('');
}

/** Everything that is another one in each run. */
function masked(text: string): string {
  return text
    .replace(/\d\d:\d\d:\d\d\.\d{3}/g, '<time>')
    .replace(/\n\(\d+\.\d\ds\)/g, '')
    .replace(/half-open(, .*) a probe is out/, 'open$1 next probe in 0.0s')
    .replace(/\b(milliseconds|outageMs|perSecond|seconds)=[\d.]+/g, '$1=<n>')
    .replace(/\b\d+(\.\d+)? ?s\b/g, '<seconds>')
    .replace(/v?\d+\.\d+\.\d+(?=[ ,])/g, '<version>')
    .trim();
}

/** One section's servers and its redis-cli, with the README's ports mapped to free ones. */
class Session {
  private sidecar: Sidecar | null = null;
  private cli: ChildProcessWithoutNullStreams | null = null;
  private printed = '';
  private readonly redisDirectory: string;

  constructor(
    private readonly t: TestContext,
    private readonly redisPort: number,
  ) {
    this.redisDirectory = temporaryDirectory(t, 'respool-demo-');
  }

  /** What the step has printed. */
  async play({ kind, command, expected }: Step): Promise<string> {
    const here = this.toOurs(command.replace(/ +# .*$/, ''));
    if (kind === 'log') return this.logged(expected);
    if (kind === 'redis-cli') return this.ask(here);
    if (here.startsWith('npm start')) return this.start(here, expected);
    if (here.startsWith('redis-server ')) return this.startRedis(here);
    if (here === `redis-cli -p ${this.sidecar?.port}`) return this.openCli();
    // To a pipe redis-cli prints replies bare, to a terminal as the README shows them.
    const shell = here
      .replace('dist/main.js', mainFile())
      .replace(/^redis-cli /, 'redis-cli --no-raw ');
    const { stdout, stderr } = await run('bash', ['-c', shell], {
      env: { ...process.env, RESPOOL_ADMIN: `127.0.0.1:${this.sidecar?.adminPort}` },
    });
    return this.toTheirs(stdout + stderr);
  }

  private async start(command: string, expected: string): Promise<string> {
    const args = command.replace(/^npm start( -- )?/, '').split(' ');
    this.sidecar = await startSidecar(this.t, {
      args: args.filter((word) => word !== ''),
      env: { RESPOOL_LOG_FORMAT: 'pretty' },
    });
    return this.logged(expected);
  }

  /** Of what the sidecar has logged the lines that say what `expected` says. */
  private async logged(expected: string): Promise<string> {
    const linesOfLog = (): string[] => this.toTheirs(this.sidecar?.output() ?? '').split('\n');
    const lineFor = (wanted: string): string | undefined =>
      wanted === NPM_SAYS ? wanted : linesOfLog().find((line) => masked(line) === masked(wanted));
    const wanted = expected.split('\n');
    const isThere = (): boolean => wanted.every((line) => lineFor(line) !== undefined);
    await eventually('it has logged all this', isThere).catch(() => undefined);
    const found = wanted.flatMap((line) => lineFor(line) ?? []);
    const whole = `The README lets the sidecar log this; it logs\n${linesOfLog().join('\n')}`;
    assert.deepEqual(found.map(masked), wanted.map(masked), whole);
    return found.join('\n');
  }

  /** A daemon would outlive a test that is killed, so here it is a child. Waits until the sidecar has noticed it. */
  private async startRedis(command: string): Promise<string> {
    const args = command.replace(/^redis-server --port \d+ /, '').replace(/ --daemonize yes$/, '');
    await startRedis(this.t, { port: this.redisPort, args: args.split(' ') });
    const isHealthy = async (): Promise<boolean> =>
      (await this.sidecar?.admin('/status'))?.body.includes('"condition": "healthy"') ?? true;
    await eventually('the sidecar is healthy', isHealthy, { withinMs: 15_000 });
    return '';
  }

  private openCli(): string {
    const args = ['-oL', 'redis-cli', '-p', String(this.sidecar?.port), '--no-raw'];
    // Without a terminal redis-cli would keep what it prints until it has 4 kB of it.
    const cli = spawn('stdbuf', args, { stdio: 'pipe' });
    this.t.after(() => void cli.kill('SIGKILL'));
    for (const stream of [cli.stdout, cli.stderr]) {
      stream.on('data', (chunk: Buffer) => (this.printed += chunk.toString()));
    }
    this.cli = cli;
    return '';
  }

  private async ask(command: string): Promise<string> {
    this.printed = '';
    this.cli?.stdin.write(`${command}\nECHO "${END}"\n`);
    await eventually(`redis-cli answers ${command}`, () => this.printed.includes(END));
    return this.toTheirs(this.printed.slice(0, this.printed.indexOf(`"${END}"`)));
  }

  private toTheirs(text: string): string {
    const swapped = this.ports().reduce((all, [theirs, ours]) => swap(all, ours, theirs), text);
    return swapped.replaceAll(this.redisDirectory, REDIS_DIRECTORY).trimEnd();
  }

  private toOurs(command: string): string {
    const swapped = this.ports().reduce((all, [theirs, ours]) => swap(all, theirs, ours), command);
    return swapped.replaceAll(REDIS_DIRECTORY, this.redisDirectory);
  }

  private ports(): (readonly [number, number])[] {
    const { port = LISTEN, adminPort = ADMIN } = this.sidecar ?? {};
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

for (const [section, blocks] of sessions(readProjectFile('README.md'))) {
  test(`the session of README.md, "${section}", goes as it is printed there`, async (t) => {
    const session = new Session(t, await freePort());
    for (const { text, steps } of blocks) {
      const printed: string[] = [];
      for (const step of steps) {
        const output = await session.play(step);
        if (!WRITES) assert.equal(masked(output), masked(step.expected), `after: ${step.command}`);
        printed.push(output);
      }
      if (WRITES) rewrite(text, blockOf(steps, printed));
    }
  });
}

function rewrite(block: string, made: string): void {
  const readme = readProjectFile('README.md');
  writeFileSync(
    join(projectRoot, 'README.md'),
    readme.replace(block, () => made),
  );
}
