/**
 * What can be known of the container image without a Docker daemon: the Dockerfile's steps are done
 * by hand, stage by stage, in temporary directories, and what they leave behind is run as the image
 * would run it: same command line, same environment, the same unprivileged user.
 */
import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { ManagedProcess, run, temporaryDirectory } from '../helpers/child-process.js';
import {
  isIgnored,
  parseCopy,
  parseDockerfile,
  parseEnv,
  parseExecForm,
  textsOf,
  type Stage,
} from '../helpers/dockerfile.js';
import { eventually } from '../helpers/eventually.js';
import { freePorts } from '../helpers/ports.js';
import { projectRoot, readProjectFile } from '../helpers/project.js';

const dockerignore = readProjectFile('.dockerignore');
const stages = parseDockerfile(readProjectFile('Dockerfile'));
// Before the first FROM there is only ARG.
const image = stages.at(-1);
assert.ok(image);
const [userId = 0, groupId = 0] = (textsOf(image, 'USER')[0] ?? '').split(':').map(Number);
const isRoot = process.getuid?.() === 0;
const volume = textsOf(image, 'VOLUME')[0] ?? '';
const ownerId = isRoot ? { uid: userId, gid: groupId } : {};

test('every path that the image copies from the project exists and is not ignored', () => {
  const copies = stages.flatMap((stage) => textsOf(stage, 'COPY').map(parseCopy));
  const sources = copies.filter(({ from }) => from === null).flatMap((copy) => copy.sources);
  assert.ok(sources.includes('package-lock.json'));
  for (const source of sources) {
    assert.ok(existsSync(join(projectRoot, source)), `${source} does not exist`);
    assert.equal(isIgnored(source, dockerignore), false, `${source} is in .dockerignore`);
  }
  for (const secret of ['.git/config', 'node_modules/x', '.env', 'respool-data/journal']) {
    assert.equal(isIgnored(secret, dockerignore), true, secret);
  }
});

test('the image runs as an unprivileged numeric user, without a shell and without curl', () => {
  assert.ok(userId > 0 && groupId > 0, 'USER is numeric and not root');
  assert.equal(parseExecForm(textsOf(image, 'ENTRYPOINT')[0] ?? '')[0], 'node');
  const healthcheck = textsOf(image, 'HEALTHCHECK')[0] ?? '';
  assert.equal(parseExecForm(healthcheck)[0], 'node');
  assert.doesNotMatch(healthcheck, /curl|wget/);
  assert.deepEqual(textsOf(image, 'STOPSIGNAL'), ['SIGTERM']);
  assert.deepEqual(textsOf(image, 'EXPOSE'), ['6380 9380']);
});

test('the image keeps its journal on its volume', () => {
  assert.equal(parseEnv(textsOf(image, 'ENV').join(' ')).RESPOOL_JOURNAL_DIR, volume);
});

test('the staged image serves, is healthy, and drains on its stop signal', async (t) => {
  const root = await stageImage(t);
  for (const absent of ['src', 'node_modules/typescript', 'node_modules/eslint']) {
    assert.equal(existsSync(join(root, 'app', absent)), false, `${absent} is in the image`);
  }

  const [port = 0, adminPort = 0, redisPort = 0] = await freePorts(3);
  const env = {
    PATH: process.env.PATH,
    ...parseEnv(textsOf(image, 'ENV').join(' ')),
    RESPOOL_JOURNAL_DIR: join(root, volume),
    RESPOOL_LISTEN: `127.0.0.1:${port}`,
    RESPOOL_ADMIN: `127.0.0.1:${adminPort}`,
  };
  const sidecar = runImage(t, root, env);

  const [node, ...check] = parseExecForm(textsOf(image, 'HEALTHCHECK')[0] ?? '');
  assert.equal(node, 'node');
  const health = async (): Promise<number> => (await run(process.execPath, check, { env })).code;
  const healthy = async () => sidecar.exitCode !== null || (await health()) === 0;
  await eventually('the health check passes', healthy, { withinMs: 20_000, everyMs: 100 });
  assert.equal(sidecar.exitCode, null, sidecar.output());

  const cli = (...words: string[]) => run('redis-cli', ['-p', String(port), ...words]);
  // /livez answers before the listener is open: alive is not yet ready.
  await eventually('it answers PING', async () => (await cli('PING')).stdout === 'PONG\n');
  assert.equal((await cli('SET', 'greeting', 'hello')).stdout, 'OK\n');
  assert.equal((await cli('GET', 'greeting')).stdout, 'hello\n');

  assert.equal(await sidecar.stop('SIGTERM'), 0, sidecar.output());
  assert.equal(await health(), 1, 'the health check fails when nothing runs');

  // The image's user may write to its volume, where a sidecar whose Redis is away puts what it accepts.
  const alone = runImage(t, root, { ...env, RESPOOL_UPSTREAM: `redis://127.0.0.1:${redisPort}` });
  await eventually('a write is accepted without Redis', async () => {
    assert.equal((await cli('SET', 'greeting', 'hello')).stdout, 'OK\n', alone.output());
    return true;
  });
  assert.equal(await alone.stop('SIGTERM'), 0, alone.output());
  const kept = readdirSync(join(root, volume)).filter((name) => name.endsWith('.journal'));
  assert.equal(kept.length, 1);
});

/** Runs what the image runs, as its user. */
function runImage(t: TestContext, root: string, env: NodeJS.ProcessEnv): ManagedProcess {
  const [program, ...args] = parseExecForm(textsOf(image!, 'ENTRYPOINT')[0] ?? '');
  assert.equal(program, 'node');
  const cwd = join(root, 'app');
  const sidecar = new ManagedProcess({ file: process.execPath, args, cwd, env, ...ownerId });
  t.after(() => sidecar.stopSoon());
  return sidecar;
}

/** Does what the Dockerfile says, each stage in a directory of its own; returns the last one's. */
async function stageImage(t: TestContext): Promise<string> {
  const workshop = temporaryDirectory(t, 'respool-image-');
  // mkdtemp makes it private; the image's user must be able to walk in.
  chmodSync(workshop, 0o755);
  let root = '';
  for (const stage of stages) {
    root = join(workshop, stage.name);
    await buildStage(stage, root, workshop);
  }
  return root;
}

async function buildStage(stage: Stage, root: string, workshop: string): Promise<void> {
  let directory = root;
  for (const { name, text } of stage.instructions) {
    if (name === 'WORKDIR') {
      directory = join(root, text);
      mkdirSync(directory, { recursive: true });
    } else if (name === 'COPY') {
      const { from, sources, target } = parseCopy(text);
      for (const source of sources) {
        const origin = join(from === null ? projectRoot : join(workshop, from), source);
        const isInto = target.endsWith('/');
        cpSync(origin, join(directory, target, isInto ? basename(source) : ''), {
          recursive: true,
        });
      }
    } else if (name === 'RUN') {
      await runStep(text, directory, root);
    }
  }
}

async function runStep(command: string, cwd: string, root: string): Promise<void> {
  if (/^npm ci(?!.*--omit)/.test(command)) {
    // The same command with the same lock file has made the project's own packages.
    symlinkSync(join(projectRoot, 'node_modules'), join(cwd, 'node_modules'));
    return;
  }
  // Paths are the stage's own; only root may give a directory to another user.
  let step = command.replaceAll(volume, join(root, volume));
  if (!isRoot) step = step.replace(`chown ${userId}:${groupId}`, 'ls -d');
  // What the outer `npm test` tells its scripts is not for the npm that runs in here.
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(package|lifecycle|config_(local_prefix|prefix))|INIT_CWD|NODE_)/.test(name),
  );
  const env = { ...Object.fromEntries(inherited), npm_config_prefer_offline: 'true' };
  const { code, stdout, stderr } = await run('sh', ['-c', step], { cwd, env, timeoutMs: 120_000 });
  assert.equal(code, 0, `RUN ${command}\n${stdout}${stderr}`);
}
