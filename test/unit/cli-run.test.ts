import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CliHost, Output, Startable } from '../../src/cli/host.js';
import { runCli } from '../../src/cli/run.js';
import { formatStatus } from '../../src/cli/status-text.js';
import { NEVER_AWAY } from '../../src/proxy/status.js';
import { STATUS_HEALTHY, STATUS_IN_OUTAGE } from '../helpers/sample-status.js';
import { systemClock } from '../../src/base/clock.js';
import { GENEROUS, upstreamFacts } from '../helpers/sample-upstream.js';
import type { OutageRules } from '../../src/command/rules.js';
import { VERSION } from '../../src/base/version.js';
import type { Config } from '../../src/config/config.js';
import type { Surroundings } from '../../src/sidecar/surroundings.js';
import { OPTION_NAMES, mayBeGivenIn, optionOf } from '../../src/config/options.js';

/** Collects what a command prints. */
class Page implements Output {
  text = '';
  readonly isTTY = false;
  write(text: string): void {
    this.text += text;
  }
}

/** A process around the command line: what it prints, the signals it gets, and the sidecar it would run. */
class Process implements CliHost {
  readonly stdout = new Page();
  readonly stderr = new Page();
  readonly clock = systemClock;
  readonly sleep = (): Promise<void> => Promise.resolve();
  config: Config | null = null;
  signal: (signal: string) => void = () => {};
  reload: () => void = () => {};
  readonly files = new Map<string, string>();

  constructor(
    readonly argv: readonly string[],
    readonly env: Readonly<Record<string, string>> = {},
    readonly sidecar: Startable = runningFor({}),
    readonly dialUpstream: CliHost['dialUpstream'] = () => Promise.resolve(upstreamFacts()),
  ) {}

  readonly lookAround = (): Promise<Surroundings> => Promise.resolve(GENEROUS);

  readonly readFile = (path: string): string => {
    const text = this.files.get(path);
    if (text === undefined) throw new Error('ENOENT');
    return text;
  };
  readonly readDirectory = (): never => {
    throw new Error('ENOENT');
  };
  readonly enterAsOwner = (directory: string): string => directory;
  readonly onReloadSignal = (handler: () => void): void => {
    this.reload = handler;
  };
  readonly onStopSignal = (handler: (signal: string) => void): void => {
    this.signal = handler;
  };
  readonly createSidecar = (config: Config): Startable => {
    this.config = config;
    return this.sidecar;
  };
}

/** A sidecar that starts and drains when it is told how, and otherwise never does. */
function runningFor(parts: Partial<Startable>): Startable {
  const reloads = { useRules: () => {}, useCertificates: () => {}, reloadScripts: never };
  return { start: never, drain: never, ...reloads, ...parts };
}

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Lets everything happen that needs no more input. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('the version is that of the package', async () => {
  const program = new Process(['--version']);
  assert.equal(await runCli(program), 0);
  assert.equal(program.stdout.text, `${VERSION}\n`);
});

test('help shows every flag', async () => {
  const program = new Process(['--help']);
  assert.equal(await runCli(program), 0);
  for (const name of OPTION_NAMES.filter((each) => mayBeGivenIn(each, 'flag'))) {
    const flag = optionOf(name).default === 'yes' ? `--no-${name}` : `--${name} <`;
    assert.ok(program.stdout.text.includes(`  ${flag}`), flag);
  }
});

test('no password can be given as a flag', async () => {
  for (const flag of ['--requirepass', '--upstream-password']) {
    const program = new Process([flag, 'x']);
    assert.equal(await runCli(program), 2);
    assert.match(program.stderr.text, new RegExp(`${flag}: there is no such flag`));
  }
});

test('everything that is wrong is reported at once, with exit code 2', async () => {
  const argv = ['check', '--hold', 'x', '--hodl=1s', '--listen', 'y', '--listen', 'z'];
  const program = new Process(argv, { RESPOOL_DRAIN: 'q' });
  assert.equal(await runCli(program), 2);
  const lines = program.stderr.text.trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.split(' is not allowed')[0]),
    [
      'respool: 5 problems with the configuration',
      '  --hodl: there is no such flag; did you mean --hold?',
      '  listen: "y" from --listen',
      '  listen: "z" from --listen',
      '  hold: "x" from --hold',
      '  drain: "q" from RESPOOL_DRAIN',
    ],
  );
});

test('a word that is no command, and a flag without its value, are mistakes', async () => {
  const word = new Process(['chekc']);
  assert.equal(await runCli(word), 2);
  assert.match(word.stderr.text, /"chekc" is not expected here; did you mean check\?/);
  const flag = new Process(['--hold']);
  assert.equal(await runCli(flag), 2);
  assert.match(flag.stderr.text, /^respool: option '--hold <duration>' argument missing/);
});

test('flags are read before and after the command, which is serve unless said', async () => {
  for (const argv of [
    ['--hold', '7s', '--no-protected-mode'],
    ['serve', '--hold', '7s'],
    ['--hold=7s', 'serve'],
  ]) {
    const program = new Process(argv);
    void runCli(program);
    await settle();
    assert.equal(program.config?.holdMs, 7000, program.stderr.text);
  }
});

test('check prints each option with its source, no secret, and what the upstream says', async () => {
  const argv = ['check', '--upstream', 'redis://u:secret@h', '--hold', '7s'];
  const program = new Process(argv, { RESPOOL_REQUIREPASS: 'secret', RESPOOL_NEAR_CACHE: '1mb' });
  assert.equal(await runCli(program), 0);
  const { text } = program.stdout;
  assert.match(text, /^hold +7s +--hold$/m);
  assert.match(text, /^requirepass +\*\*\* +RESPOOL_REQUIREPASS$/m);
  assert.match(text, /^drain +10s +default$/m);
  assert.match(text, /^near-cache +1mb +RESPOOL_NEAR_CACHE \(no effect yet\)$/m);
  assert.match(text, /^warning: this version does not act on these options yet: near-cache$/m);
  assert.match(text, /^upstream redis:\/\/u:\*\*\*@h:6379 answers: Redis 7\.0\.15$/m);
  assert.match(text, /^1 warning$/m);
  assert.doesNotMatch(text, /secret/);
});

test('check exits 1 when the upstream cannot be reached', async () => {
  const refuse = (): Promise<never> => Promise.reject(new Error('connect ECONNREFUSED'));
  const program = new Process(['check'], {}, undefined, refuse);
  assert.equal(await runCli(program), 1);
  assert.match(program.stdout.text, /^upstream embedded: does not answer$/m);
  assert.match(
    program.stdout.text,
    /^error: The upstream cannot be used: connect ECONNREFUSED\.\n {2}→ Start it/m,
  );
  assert.match(program.stdout.text, /^1 error$/m);
});

test('check --json says the same to programs', async () => {
  const argv = ['check', '--json', '--upstream', 'redis://u:secret@h', '--log-level', 'warn'];
  const program = new Process(argv);
  assert.equal(await runCli(program), 0);
  assert.doesNotMatch(program.stdout.text, /secret/);
  const report = JSON.parse(program.stdout.text) as Record<string, unknown>;
  assert.equal(report['upstream'], 'Redis 7.0.15');
  assert.deepEqual(report['findings'], []);
  const options = report['options'] as Record<string, unknown>[];
  assert.deepEqual(
    options.find(({ option }) => option === 'log-level'),
    { option: 'log-level', value: 'warn', source: 'flag', where: '--log-level' },
  );
});

test('a sidecar that cannot start is one line and exit code 1', async () => {
  const start = (): Promise<void> => Promise.reject(new Error('127.0.0.1:6380 is in use'));
  const program = new Process([], {}, runningFor({ start }));
  assert.equal(await runCli(program), 1);
  assert.equal(program.stderr.text, 'respool: 127.0.0.1:6380 is in use\n');
});

test('the first signal drains and exits 0', async () => {
  let drained = 0;
  let finish = (): void => {};
  const sidecar = runningFor({
    start: () => Promise.resolve(),
    drain: () => new Promise((resolve) => ((drained += 1), (finish = resolve))),
  });
  const program = new Process(['--log-level', 'error'], {}, sidecar);
  const exit = runCli(program);
  await settle();
  program.signal('SIGTERM');
  await settle();
  assert.equal(drained, 1);
  finish();
  assert.equal(await exit, 0);
});

test('a second signal exits now, with 1, also while starting', async () => {
  for (const start of [never, (): Promise<void> => Promise.resolve()]) {
    const program = new Process([], {}, runningFor({ start }));
    const exit = runCli(program);
    await settle();
    program.signal('SIGINT');
    program.signal('SIGTERM');
    assert.equal(await exit, 1);
  }
});

test('a drain that fails is logged and exits 1', async () => {
  const drain = (): Promise<void> => Promise.reject(new Error('cannot'));
  const program = new Process([], {}, runningFor({ drain }));
  const exit = runCli(program);
  await settle();
  program.signal('SIGTERM');
  assert.equal(await exit, 1);
  assert.match(program.stdout.text, /"event":"draining failed","error":"Error: cannot"/);
});

test('SIGHUP reads the rules again; a file with mistakes changes nothing', async () => {
  const used: OutageRules[] = [];
  const sidecar = runningFor({ useRules: (rules) => void used.push(rules) });
  const program = new Process(['--rules', 'rules.yaml'], {}, sidecar);
  program.files.set('rules.yaml', '- {command: incr, class: buffer}');
  void runCli(program);
  await settle();
  program.files.set('rules.yaml', '- {command: incr, class: maybe}');
  program.reload();
  assert.equal(used.length, 0);
  assert.match(program.stdout.text, /"error".*the rules stay as they were.*maybe/);
  program.files.set('rules.yaml', "- {prefix: 'lock:', class: refuse}");
  program.reload();
  assert.equal(used.length, 1);
  assert.ok(!used[0]!.isEmpty);
  program.files.delete('rules.yaml');
  program.reload();
  assert.equal(used.length, 1);
});

test('warnings about the configuration are in the log', async () => {
  const program = new Process(['--near-cache', '1mb']);
  void runCli(program);
  await settle();
  assert.match(program.stdout.text, /"warn".*does not act on these options yet: near-cache/);
});

test('status without an admin address says so', async () => {
  const program = new Process(['status', '--admin', 'off']);
  assert.equal(await runCli(program), 1);
  assert.match(program.stderr.text, /^respool: admin is off/);
});

test('status is a few lines for people', () => {
  assert.equal(
    formatStatus(STATUS_HEALTHY),
    'All well: Redis answers, 1,234 commands a second for 12 clients.\n' +
      'respool   1.2.3, healthy, up 2 h 1 min\n' +
      'upstream  redis://:***@h:6379, connected, 2 lanes\n' +
      'breaker   closed\n' +
      'journal   empty, on disk\n' +
      'replay    idle, 0 replayed since the start\n' +
      'clients   12 connected, 1 pinned\n',
  );
  assert.equal(
    formatStatus(STATUS_IN_OUTAGE),
    'Redis is away for 1 min 1 s; 1,200 writes are safe in the journal; next try in 3 s.\n' +
      '  Look after Redis; leave the sidecar and its journal as they are. It goes on trying and replays by itself.\n' +
      '  Writes that Redis refused during replay are kept as dead letters. To see which and why, over any Redis client: RESPOOL DEADLETTERS\n' +
      'respool   1.2.3, outage, up 2 h 1 min\n' +
      'upstream  redis://:***@h:6379, not connected, 0 lanes\n' +
      'breaker   open, left closed 1 min 1 s ago, next probe in 2.3 s, 5 failures, ' +
      'last cause: connect ECONNREFUSED 127.0.0.1:6379\n' +
      'journal   1,200 records waiting, 3.4 MB of 256.0 MB, the oldest 1 min 0 s old, 1 dead letter, on disk\n' +
      'replay    idle, 1,200 to go, 34 replayed since the start\n' +
      'clients   12 connected, 1 pinned\n',
  );
});

test('status names what an operator did, and what a journal is not', () => {
  const { breaker, journal, replay } = STATUS_IN_OUTAGE;
  const held = formatStatus({
    ...STATUS_IN_OUTAGE,
    breaker: { ...breaker, forced: 'open', nextProbeInSeconds: null, consecutiveFailures: 1 },
    journal: { ...journal, records: 1, bytes: 100, durable: false, deadLetters: 0 },
    replay: { ...replay, paused: true },
  });
  assert.match(held, /^breaker +open, left closed 1 min 1 s ago, held by an operator, 1 failure,/m);
  assert.match(held, /^journal +1 record waiting, 100 B of .*, in memory, lost on exit$/m);
  assert.match(held, /^replay +paused by an operator, /m);
  const probing = { ...breaker, state: 'half-open', nextProbeInSeconds: 0 } as const;
  assert.match(
    formatStatus({ ...STATUS_IN_OUTAGE, breaker: probing }),
    /^breaker +half-open, left closed 1 min 1 s ago, a probe is out,/m,
  );
  assert.match(formatStatus({ ...STATUS_HEALTHY, ...NEVER_AWAY }), /^journal +none$/m);
});
