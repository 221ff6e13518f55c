import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIN_EMBEDDED_MEMORY_BYTES } from '../../src/embedded/engine.js';
import { OutageRules } from '../../src/command/rules.js';
import { OPTION_NAMES, optionOf, variableOf, type OptionName } from '../../src/config/options.js';
import { resolveAdmin, resolveConfig, type Resolution } from '../../src/config/resolve.js';
import type { ConfigInputs } from '../../src/config/sources.js';

type Given = {
  flags?: ConfigInputs['flags'];
  env?: ConfigInputs['env'];
  files?: Readonly<Record<string, string>>;
  isTTY?: boolean;
};

function inputsOf({ flags = {}, env = {}, files = {}, isTTY = false }: Given): ConfigInputs {
  const readFile = (path: string): string => {
    const content = files[path];
    if (content === undefined) throw new Error('ENOENT: no such file');
    return content;
  };
  const readDirectory = (path: string): readonly string[] => {
    const names = Object.keys(files).filter((file) => file.startsWith(`${path}/`));
    if (names.length === 0) throw new Error('ENOTDIR: not a directory');
    return names;
  };
  return { flags, env, readFile, readDirectory, isTTY };
}

function resolved(given: Given): Resolution & { ok: true } {
  const resolution = resolveConfig(inputsOf(given));
  assert.ok(resolution.ok, resolution.ok ? '' : resolution.problems.join('\n'));
  return resolution;
}

function problemsOf(given: Given): readonly string[] {
  const resolution = resolveConfig(inputsOf(given));
  assert.ok(!resolution.ok);
  return resolution.problems;
}

const PEM = '-----BEGIN X-----\n';

test('without anything given every option has its default', () => {
  const { config, settings, warnings } = resolved({});
  assert.deepEqual(config, {
    listen: [{ kind: 'tcp', host: '127.0.0.1', port: 6380 }],
    upstream: { kind: 'embedded' },
    upstreamTls: { ca: null, cert: null, key: null, servername: null },
    admin: { kind: 'tcp', host: '127.0.0.1', port: 9380 },
    upstreamTimeoutMs: 2000,
    holdMs: 1000,
    sharedLanes: 1,
    maxPinned: 10_000,
    embeddedEngine: 'wasm',
    embeddedMaxMemoryBytes: 64 * 2 ** 20,
    embeddedSnapshotPath: null,
    breaker: { failures: 5, rate: null, recoveryMs: 10_000 },
    outageReads: 'answer',
    outageWrites: 'buffer',
    ambiguous: 'repeat',
    journal: {
      directory: './respool-data',
      fsync: 'always',
      maxBytes: 256 * 2 ** 20,
      replayRate: null,
      cursorPrefix: 'respool:',
    },
    rulesPath: null,
    rules: new OutageRules([]),
    scripts: { mode: 'heal', directory: null, maxBytes: 16 * 2 ** 20 },
    busyWaitMs: 120_000,
    maxClients: 10_000,
    requirepass: null,
    tls: null,
    tlsPaths: { cert: null, key: null, ca: null },
    commands: { deny: [], allow: null },
    clientRate: null,
    clientOutputLimitBytes: 256 * 2 ** 20,
    maxBulkBytes: 512 * 2 ** 20,
    drainMs: 10_000,
    logLevel: 'info',
    logFormat: 'json',
    commandLog: { slowMs: null, sample: null, showsKeys: false },
    spans: null,
  });
  assert.deepEqual(warnings, []);
  assert.ok(settings.every(({ source }) => source === 'default'));
  assert.deepEqual(
    settings.map(({ name }) => name),
    OPTION_NAMES,
  );
});

test('the log is pretty on a terminal unless said otherwise', () => {
  assert.equal(resolved({ isTTY: true }).config.logFormat, 'pretty');
  const flags = { 'log-format': ['json'] };
  assert.equal(resolved({ isTTY: true, flags }).config.logFormat, 'json');
});

test('flags beat the environment, which beats the file, which beats the default', () => {
  const files = { 'a.yaml': 'hold: 3s\ndrain: 3s\nmax-clients: 3\n' };
  const { config, settings } = resolved({
    flags: { hold: ['1s'], config: ['a.yaml'] },
    env: { RESPOOL_HOLD: '2s', RESPOOL_DRAIN: '2s', RESPOOL_CONFIG: 'b.yaml' },
    files,
  });
  assert.deepEqual([config.holdMs, config.drainMs, config.maxClients], [1000, 2000, 3]);
  const from = (name: OptionName): unknown =>
    settings.filter((setting) => setting.name === name).map(({ source, where }) => [source, where]);
  assert.deepEqual(from('hold'), [['flag', '--hold']]);
  assert.deepEqual(from('drain'), [['environment', 'RESPOOL_DRAIN']]);
  assert.deepEqual(from('max-clients'), [['file', 'max-clients in a.yaml']]);
  assert.deepEqual(from('admin'), [['default', 'default']]);
});

test('a repeated flag adds to a list and replaces a single value', () => {
  const { config } = resolved({
    flags: { listen: ['127.0.0.1:1', 'unix:/x'], hold: ['1s', '2s'] },
  });
  assert.deepEqual(config.listen, [
    { kind: 'tcp', host: '127.0.0.1', port: 1 },
    { kind: 'unix', path: '/x' },
  ]);
  assert.equal(config.holdMs, 2000);
});

test('a list is commas in the environment and a list in the file', () => {
  const both = [
    { kind: 'tcp', host: '127.0.0.1', port: 1 },
    { kind: 'unix', path: '/x,y' },
  ];
  const files = { f: 'listen: ["127.0.0.1:1", "unix:/x,y"]' };
  assert.deepEqual(resolved({ env: { RESPOOL_CONFIG: 'f' }, files }).config.listen, both);
  const env = { RESPOOL_LISTEN: '127.0.0.1:1, unix:/z' };
  assert.deepEqual(resolved({ env }).config.listen, [both[0], { kind: 'unix', path: '/z' }]);
});

test('an empty environment variable counts as not set', () => {
  const { config } = resolved({ env: { RESPOOL_HOLD: '', RESPOOL_REQUIREPASS: '' } });
  assert.deepEqual([config.holdMs, config.requirepass], [1000, null]);
});

test('the file may hold numbers, booleans, nothing, and comments', () => {
  const files = {
    f: '# x\nmax-clients: 7\nprotected-mode: false\nhold: 0\ndrain:\nnear-cache: 0\n',
  };
  const { config } = resolved({ flags: { config: ['f'] }, files });
  assert.deepEqual([config.maxClients, config.holdMs, config.drainMs], [7, 0, 10_000]);
  assert.ok(resolved({ flags: { config: ['f'] }, files: { f: '' } }).ok);
});

test('every mistake in the file is named', () => {
  const f = 'lisen: 127.0.0.1:1\nhold: {a: 1}\nrequirepass: x\nconfig: y\ndrain: 1d\nadmin: [a]\n';
  const problems = problemsOf({ flags: { config: ['f'] }, files: { f } });
  assert.deepEqual(problems, [
    'config: f: there is no option "lisen"; did you mean listen?',
    'config: f: hold holds a structure; allowed: one value',
    'config: f: requirepass is not accepted in a file; use requirepass-file or RESPOOL_REQUIREPASS',
    'config: f: config is not accepted in a file; use --config or RESPOOL_CONFIG',
    'config: f: admin holds a structure; allowed: one value',
    'drain: "1d" from drain in f is not allowed; allowed: a duration from 0 to 1h, as in 500ms, 10s, 2m',
  ]);
});

test('a file that is no YAML mapping, or is not there, is a problem among others', () => {
  const flags = { config: ['f'], hold: ['x'] };
  for (const f of ['- a\n', 'text', 'a: b: c', 'a: 1\na: 2\n', 'a: &x 1\nb: *x\n']) {
    const problems = problemsOf({ flags, files: { f } });
    assert.match(problems[0]!, /^config: f: /, f);
    assert.match(problems.at(-1)!, /^hold: "x" from --hold is not allowed/);
  }
  assert.deepEqual(problemsOf({ flags: { config: ['f'] } }), ['config: f: ENOENT: no such file']);
});

test('all problems are reported at once, each with option, value, place and what is allowed', () => {
  const problems = problemsOf({
    flags: { listen: ['nowhere', '127.0.0.1:1', '127.0.0.1:99999'], hold: ['forever'] },
    env: { RESPOOL_ADMIN: 'x', RESPOOL_SHARED_LANES: '0', RESPOOL_JOURNAL_FSYNC: 'perhaps' },
    files: {},
  });
  const heads = problems.map((problem) => problem.split(' is not allowed; allowed: ')[0]);
  assert.deepEqual(heads, [
    'listen: "nowhere" from --listen',
    'listen: "127.0.0.1:99999" from --listen',
    'hold: "forever" from --hold',
    'shared-lanes: "0" from RESPOOL_SHARED_LANES',
    'journal-fsync: "perhaps" from RESPOOL_JOURNAL_FSYNC',
    'admin: "x" from RESPOOL_ADMIN',
  ]);
  assert.ok(problems.every((problem) => problem.includes('; allowed: ')));
});

test('every option refuses a bad value by name, in every place it may be given', () => {
  const bad = 'bad\nvalue';
  for (const name of OPTION_NAMES) {
    const inEnvironment = problemsOf({ env: { [variableOf(name)]: bad } });
    assert.ok(
      inEnvironment.some((problem) => problem.startsWith(`${name}: `)),
      name,
    );
    if (optionOf(name).givenIn !== undefined) continue;
    assert.ok(problemsOf({ flags: { [name]: [bad] } })[0]!.startsWith(`${name}: `));
    const files = { f: `${name}: "bad\\nvalue"` };
    assert.ok(problemsOf({ flags: { config: ['f'] }, files })[0]!.startsWith(`${name}: `));
  }
});

test('passwords come from files, the environment or the URL', () => {
  const flags = { upstream: ['redis://u@h'], 'requirepass-file': ['/r'] };
  const env = { RESPOOL_UPSTREAM_PASSWORD: 'up' };
  const { config } = resolved({ flags, env, files: { '/r': 'down\n' } });
  assert.equal(config.requirepass, 'down');
  assert.ok(config.upstream.kind === 'tcp');
  assert.deepEqual([config.upstream.user, config.upstream.password], ['u', 'up']);
});

test('of two passwords the stronger source wins, and equals are a problem', () => {
  const env = { RESPOOL_REQUIREPASS: 'a', RESPOOL_UPSTREAM_PASSWORD: 'a' };
  const files = { '/r': 'b', '/u': 'b' };
  const flags = { 'requirepass-file': ['/r'], upstream: ['redis://:c@h'] };
  const { config } = resolved({ flags, env, files });
  assert.equal(config.requirepass, 'b');
  assert.ok(config.upstream.kind === 'tcp');
  assert.equal(config.upstream.password, 'c');
  assert.deepEqual(
    problemsOf({
      env: { ...env, RESPOOL_REQUIREPASS_FILE: '/r' },
      flags: { 'upstream-password-file': ['/u'], upstream: ['redis://:c@h'] },
      files,
    }),
    [
      'requirepass: given twice, in RESPOOL_REQUIREPASS_FILE and in RESPOOL_REQUIREPASS; allowed: one of them',
      'upstream password: given twice, in --upstream-password-file and in --upstream; allowed: one of them',
    ],
  );
});

test('a password file holds one line', () => {
  const flags = { 'requirepass-file': ['/r'] };
  for (const content of ['', '\n', 'a\nb\n', 'a\0', 'x'.repeat(1001)]) {
    assert.match(
      problemsOf({ flags, files: { '/r': content } })[0]!,
      /^requirepass-file: the file /,
    );
  }
  assert.equal(resolved({ flags, files: { '/r': ' a b \r\n' } }).config.requirepass, ' a b ');
  const missing = problemsOf({ flags });
  assert.deepEqual(missing, ['requirepass-file: "/r" cannot be read: ENOENT: no such file']);
});

test('no secret is printed, neither in settings nor in problems nor in warnings', () => {
  const env = { RESPOOL_REQUIREPASS: 'secret1', RESPOOL_UPSTREAM_PASSWORD: 'secret2' };
  const good = resolved({ flags: { upstream: ['redis://u:secret3@h/1'] }, env });
  assert.doesNotMatch(JSON.stringify([good.settings, good.warnings]), /secret/);
  const shown = new Map(good.settings.map(({ name, shown }) => [name, shown]));
  assert.equal(shown.get('upstream'), 'redis://u:***@h:6379/1');
  assert.equal(shown.get('requirepass'), '***');
  const problems = problemsOf({
    flags: { upstream: ['redis://u:secret3@h:x'] },
    env: { RESPOOL_REQUIREPASS: 'secret1\n', RESPOOL_UPSTREAM_PASSWORD: 'secret2\n' },
  });
  assert.equal(problems.length, 3);
  assert.doesNotMatch(problems.join(), /secret/);
});

test('protected mode refuses to lend upstream credentials to other machines', () => {
  const open = { listen: ['127.0.0.1:1', '0.0.0.0:6380'] };
  const withPassword = { ...open, upstream: ['redis://:p@h'] };
  const [problem, ...others] = problemsOf({ flags: withPassword });
  assert.match(problem!, /^protected-mode: listen "0\.0\.0\.0:6380" is open to other machines/);
  assert.deepEqual(others, []);
  const refused: Given[] = [
    { flags: { ...open, upstream: ['unix://u:p@/r'] } },
    { flags: { ...open, upstream: ['redis://h'] }, env: { RESPOOL_UPSTREAM_PASSWORD: 'p' } },
    {
      flags: {
        ...open,
        upstream: ['rediss://h'],
        'upstream-tls-cert': ['/c'],
        'upstream-tls-key': ['/c'],
      },
      files: { '/c': PEM },
    },
  ];
  for (const given of refused) assert.match(problemsOf(given).join(), /^protected-mode: /);
  const accepted: Given[] = [
    { flags: open },
    { flags: { ...open, upstream: ['redis://h'] } },
    { flags: { ...withPassword, listen: ['[::1]:1', 'localhost:2', 'unix:/x'] } },
    { flags: withPassword, env: { RESPOOL_REQUIREPASS: 'x' } },
    { flags: { ...withPassword, 'requirepass-file': ['/r'] }, files: { '/r': 'x' } },
    { flags: { ...withPassword, 'protected-mode': ['no'] } },
  ];
  for (const given of accepted) resolved(given);
  const encrypted = { ...withPassword, 'tls-cert': ['/c'], 'tls-key': ['/c'] };
  const problems = (flags: Given['flags']): string =>
    problemsOf({ flags: { ...encrypted, ...flags }, files: { '/c': PEM } }).join();
  assert.match(problems({}), /protected-mode: /);
  assert.doesNotMatch(problems({ 'tls-ca': ['/c'] }), /protected-mode: /);
});

test('upstreams of later versions are refused with a sentence', () => {
  for (const upstream of ['sentinel://a:1/m', 'cluster://a:1']) {
    const [problem] = problemsOf({ flags: { upstream: [upstream] } });
    assert.match(problem!, /^upstream: this version does not speak (sentinel|cluster):\/\/ yet/);
  }
});

test('options that contradict each other are problems', () => {
  const cases: [Given, RegExp][] = [
    [{ flags: { upstream: ['redis://u@h'] } }, /^upstream: there is a user but no password/],
    [{ flags: { listen: ['unix:/a', 'unix:/a'] } }, /^listen, admin: "unix:\/a" is given twice/],
    [{ flags: { listen: ['127.0.0.1:9380'] } }, /^listen, admin: /],
    [
      { flags: { upstream: ['redis://127.0.0.1:6380'] } },
      /^upstream: "127.0.0.1:6380" is an address the sidecar itself/,
    ],
    [
      { flags: { upstream: ['rediss://h'], 'upstream-tls-cert': ['/c'] }, files: { '/c': PEM } },
      /^upstream-tls-cert: upstream-tls-key is missing/,
    ],
    [
      { flags: { 'tls-key': ['/c'] }, files: { '/c': PEM } },
      /^tls-key: tls-cert is missing; allowed: both or neither/,
    ],
    [
      { flags: { 'tls-ca': ['/c'] }, files: { '/c': PEM } },
      /^tls-ca: tls-cert and tls-key are missing/,
    ],
    [
      { flags: { 'tls-cert': ['/c'], 'tls-key': ['/c'] }, files: { '/c': PEM } },
      /^tls-cert, tls-key: cannot be used: /,
    ],
    [
      { flags: { 'deny-commands': ['flushall,CONFIG SET!'] } },
      /^deny-commands: "flushall,CONFIG SET!" from --deny-commands is not allowed; allowed: names of commands/,
    ],
    [
      { flags: { upstream: ['redis://h'], 'upstream-tls-ca': ['/c'] }, files: { '/c': PEM } },
      /^upstream-tls-ca: upstream is redis:\/\/, which is not encrypted/,
    ],
    [
      { flags: { upstream: ['rediss://h'], 'upstream-tls-ca': ['/c'] }, files: { '/c': 'x' } },
      /^upstream-tls-ca: the file is not PEM/,
    ],
    [{ flags: { 'embedded-max-memory': ['3gb'] } }, /^embedded-max-memory: too large/],
    [{ flags: { rules: ['/nowhere'] } }, /^rules: "\/nowhere" cannot be read/],
    [
      { flags: { 'scripts-dir': ['/f'] }, files: { '/f': '' } },
      /^scripts-dir: "\/f" cannot be read: ENOTDIR/,
    ],
  ];
  for (const [given, expected] of cases) {
    const problems = problemsOf(given);
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0]!, expected);
  }
});

test('the embedded engine gets no less memory than it needs', () => {
  const memory = (bytes: number): Given => ({ flags: { 'embedded-max-memory': [String(bytes)] } });
  resolved(memory(MIN_EMBEDDED_MEMORY_BYTES));
  assert.match(problemsOf(memory(MIN_EMBEDDED_MEMORY_BYTES - 1))[0]!, /^embedded-max-memory: /);
});

test('what contradicts nothing is accepted', () => {
  resolved({ flags: { 'embedded-max-memory': ['2gb'] } });
  resolved({ flags: { 'embedded-max-memory': ['3gb'], 'embedded-engine': ['process'] } });
  resolved({ flags: { listen: ['127.0.0.1:0', '127.0.0.1:0'], admin: ['127.0.0.1:0'] } });
  assert.equal(resolved({ flags: { admin: ['off'] } }).config.admin, null);
});

test('a listed command that nobody knows, and a burst without a rate, are worth a warning', () => {
  const lists = { 'deny-commands': ['flushal ft.drop'], 'allow-commands': ['get config|get'] };
  const { config, warnings } = resolved({ flags: { ...lists, 'client-burst': ['5'] } });
  assert.deepEqual(config.commands, { deny: ['flushal', 'ft.drop'], allow: ['get', 'config|get'] });
  assert.deepEqual(warnings, [
    "deny-commands, allow-commands: flushal is not in the command table: a module's, or mistyped; did you mean flushall?",
    "deny-commands, allow-commands: ft.drop is not in the command table: a module's, or mistyped",
    'client-burst: without effect, because client-rate is unlimited',
  ]);
  const rate = resolved({ flags: { 'client-rate': ['100'] } }).config.clientRate;
  assert.deepEqual(rate, { perSecond: 100, burst: 100 });
});

test('TLS files are read for the upstream', () => {
  const flags = {
    upstream: ['rediss://h'],
    'upstream-tls-ca': ['/ca'],
    'upstream-tls-cert': ['/c'],
    'upstream-tls-key': ['/k'],
    'upstream-tls-servername': ['name'],
  };
  const files = { '/ca': `${PEM}ca`, '/c': `${PEM}c`, '/k': `${PEM}k` };
  const { config } = resolved({ flags, files });
  const pem = (end: string): Buffer => Buffer.from(PEM + end);
  const expected = { ca: pem('ca'), cert: pem('c'), key: pem('k'), servername: 'name' };
  assert.deepEqual(config.upstreamTls, expected);
});

test('a warning names the options that wait for a later version', () => {
  const flags = { scripts: ['pass'], hold: ['2s'], 'busy-wait': ['0'] };
  const { warnings } = resolved({ flags, env: { RESPOOL_NEAR_CACHE: '1mb' } });
  assert.deepEqual(warnings, ['this version does not act on these options yet: near-cache']);
});

test('scripts may pass as they come, or be known from the start, and -BUSY may be passed on', () => {
  const flags = {
    scripts: ['pass'],
    'scripts-dir': ['/lua'],
    'scripts-max-bytes': ['64kb'],
    'busy-wait': ['0'],
  };
  const { config } = resolved({ flags, files: { '/lua/a.lua': '' } });
  assert.deepEqual(config.scripts, { mode: 'pass', directory: '/lua', maxBytes: 65_536 });
  assert.equal(config.busyWaitMs, 0);
});

test('what deals with outages is warned about where the upstream cannot go away', () => {
  const flags = { 'journal-dir': ['memory'], 'breaker-failures': ['3'] };
  assert.deepEqual(resolved({ flags }).warnings, [
    'breaker-failures, journal-dir: without effect, because upstream is embedded:',
  ]);
  assert.deepEqual(resolved({ flags: { ...flags, upstream: ['redis://h'] } }).warnings, []);
});

test('the journal may be in memory, the failure rate is a share of the calls in a window', () => {
  const flags = {
    'journal-dir': ['memory'],
    'breaker-rate': ['25'],
    'breaker-window': ['2s'],
    'replay-rate': ['500'],
  };
  const { config } = resolved({ flags });
  assert.equal(config.journal.directory, null);
  assert.equal(config.journal.replayRate, 500);
  assert.deepEqual(config.breaker.rate, { ratio: 0.25, windowMs: 2000, minimumCalls: 20 });
});

test('rules are read with the configuration, and each of their mistakes is a problem', () => {
  const flags = { rules: ['r.yaml'] };
  const files = { 'r.yaml': '- {command: incr, class: maybe}\n- {command: gett, class: refuse}\n' };
  const problems = problemsOf({ flags, files });
  assert.equal(problems.length, 2);
  assert.ok(
    problems.every((problem) => problem.includes('r.yaml')),
    problems.join('\n'),
  );
  const { config } = resolved({ flags, files: { 'r.yaml': '- {command: incr, class: buffer}' } });
  assert.ok(!config.rules.isEmpty);
});

test('a star in the prefix of a rule is kept, and warned about', () => {
  const rules = '- {prefix: "cache:*", class: drop}\n- {prefix: "lock:", class: refuse}\n';
  const { warnings, config } = resolved({
    flags: { upstream: ['redis://h'], rules: ['r.yaml'] },
    files: { 'r.yaml': rules },
  });
  assert.equal(config.rules.rules.length, 2);
  assert.deepEqual(warnings, [
    'rules: prefix "cache:*": a * matches only a star in the key, for prefixes are literal',
  ]);
});

test('misspelt variables are warned about, those of Kubernetes are not', () => {
  const env = {
    RESPOOL_LISTN: 'x',
    RESPOOL_PORT: 'tcp://1',
    RESPOOL_SERVICE_HOST: '1',
    OTHER: 'x',
  };
  assert.deepEqual(resolved({ env }).warnings, [
    'RESPOOL_LISTN is ignored: there is no such option; did you mean RESPOOL_LISTEN?',
  ]);
});

test('options without effect on this upstream are warned about', () => {
  const flags = { 'upstream-tls-servername': ['x'] };
  const { warnings } = resolved({ flags, env: { RESPOOL_UPSTREAM_PASSWORD: 'x' } });
  assert.deepEqual(warnings, [
    'upstream-tls-servername: without effect, because upstream is embedded:',
    'upstream-password: without effect, because upstream is embedded:',
  ]);
});

test('the admin address is found even when other options are wrong', () => {
  const flags = { hold: ['x'] };
  const env = { RESPOOL_ADMIN: '127.0.0.1:1' };
  const admin = { kind: 'tcp', host: '127.0.0.1', port: 1 };
  assert.deepEqual(resolveAdmin(inputsOf({ flags, env })), { ok: true, admin });
  assert.ok(!resolveAdmin(inputsOf({ flags: { admin: ['x'] } })).ok);
});
