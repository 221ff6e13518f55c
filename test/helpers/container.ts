/**
 * A container without a container engine: a process that sees what the container would see, and may do what it might.
 *
 *   unshare --mount        a mount namespace of its own
 *   tmpfs, then read-only  the root file system: this machine's /usr, the program in /app, the volumes where they belong
 *   chroot, setpriv        user and groups of the manifest, no capabilities, no new privileges
 *   env -i                 the manifest's environment and nothing else
 *
 * That takes root and Linux. Without them the same command runs with the same environment as an ordinary process, with
 * the paths of volumes replaced by where they are; `CONFINED` says which it is, and `UNCONFINED_NOTE` what that leaves
 * unchecked. Seccomp profiles, cgroups and the network namespace are not imitated in either case.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ManagedProcess, temporaryDirectory, type Cleanup } from './child-process.js';
import { mainFile, projectRoot } from './project.js';

export interface Mount {
  /** On this machine: a directory, or a file. */
  readonly source: string;
  /** In the container. */
  readonly target: string;
  readonly readOnly: boolean;
}

export interface ContainerRequest {
  /** `node` is the Node that runs the tests; everything else is looked up in the PATH of `env`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly mounts: readonly Mount[];
  /** Where it starts; the image's /app without. */
  readonly workingDirectory?: string;
  readonly readOnlyRoot: boolean;
}

/** Whether containers have their own root file system, user and capabilities here. */
export const CONFINED =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

/** What a test says where that is not so. */
export const UNCONFINED_NOTE =
  'not root on Linux: the read-only root, the user, capabilities and mounts of the containers are NOT checked here';

/** Where the image has its Node. */
const NODE_DIRECTORY = '/opt/node';
const IMAGE_PATH = `${NODE_DIRECTORY}/bin:/usr/local/bin:/usr/bin:/bin`;

/** What an image of Respool has in /app, from the project: the program and its packages. */
function applicationMounts(): Mount[] {
  const mount = (source: string, name: string): Mount => {
    return { source, target: `/app/${name}`, readOnly: true };
  };
  return [
    mount(dirname(mainFile()), 'dist'),
    mount(join(projectRoot, 'node_modules'), 'node_modules'),
    mount(join(projectRoot, 'package.json'), 'package.json'),
  ];
}

/** Starts the command as the container's first process; `t` stops it. */
export function startContainer(t: Cleanup, request: ContainerRequest): ManagedProcess {
  const container = CONFINED ? startConfined(request) : startPlain(request);
  t?.after(async () => {
    await container.stopSoon();
  });
  return container;
}

function startConfined(request: ContainerRequest): ManagedProcess {
  const directory = temporaryDirectory(null, 'respool-container-');
  const script = join(directory, 'start.sh');
  writeFileSync(script, confinement(join(directory, 'root'), request));
  // None of these forks: the process that is signalled in the end is the container's first.
  const args = ['--mount', '--propagation', 'private', 'sh', '-e', script];
  return new ManagedProcess({ file: 'unshare', args, cwd: '/', env: { PATH: process.env.PATH } });
}

function confinement(root: string, request: ContainerRequest): string {
  const { command, env, user, readOnlyRoot } = request;
  const bind = (source: string, target: string, options: string): string[] => {
    const place = join(root, target);
    const make = lstatSync(source).isDirectory()
      ? `mkdir -p ${quote(place)}`
      : `mkdir -p ${quote(dirname(place))}; touch ${quote(place)}`;
    return [make, `mount ${options} ${quote(source)} ${quote(place)}`];
  };
  const readOnly = (target: string): string =>
    `mount -o remount,bind,ro ${quote(join(root, target))}`;
  const lines = [`mkdir -p ${root}`, `mount -t tmpfs -o mode=755 respool ${root}`];
  for (const name of ['bin', 'sbin', 'lib', 'lib64', 'usr', 'etc']) {
    const path = `/${name}`;
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) lines.push(`ln -s ${readlinkSync(path)} ${root}${path}`);
    else lines.push(...bind(path, path, '--bind'), readOnly(path));
  }
  for (const path of ['/proc', '/dev']) lines.push(...bind(path, path, '--rbind'));
  lines.push(...bind(process.execPath, `${NODE_DIRECTORY}/bin/node`, '--bind'));
  for (const mount of [...applicationMounts(), ...request.mounts]) {
    lines.push(...bind(mount.source, mount.target, '--bind'));
    if (mount.readOnly) lines.push(readOnly(mount.target));
  }
  if (readOnlyRoot) lines.push(`mount -o remount,ro ${root}`);
  const words = [
    ...['chroot', root, 'setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`],
    user.groups.length > 0 ? `--groups=${user.groups.join(',')}` : '--clear-groups',
    ...['--no-new-privs', '--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all'],
    ...['env', '-i', '-C', request.workingDirectory ?? '/app', `PATH=${IMAGE_PATH}`],
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
    ...command,
  ];
  lines.push(`exec ${words.map(quote).join(' ')}`);
  return `${lines.join('\n')}\n`;
}

function startPlain(request: ContainerRequest): ManagedProcess {
  const { command, env, workingDirectory = '/app' } = request;
  const mounts = [...applicationMounts(), ...request.mounts];
  const here = (text: string): string =>
    mounts.reduce((replaced, { source, target }) => replaced.replaceAll(target, source), text);
  // A file below the working directory may be called by its relative path.
  const file = (word: string): string => {
    const path = join(workingDirectory, word);
    return mounts.some(({ target }) => target === path) ? path : word;
  };
  const [program = '', ...args] = command;
  return new ManagedProcess({
    file: program === 'node' ? process.execPath : program,
    args: args.map((word) => here(file(word))),
    cwd: workingDirectory === '/app' ? dirname(dirname(mainFile())) : here(workingDirectory),
    env: {
      PATH: process.env.PATH,
      ...Object.fromEntries(Object.entries(env).map(([name, value]) => [name, here(value)])),
    },
  });
}

/** For a shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
