/**
 * One sidecar per journal directory. What holds the lock is a unix socket that listens in the directory: the kernel
 * answers a connect for a process that is stopped, in whatever pid namespace it lives, and stops answering the moment it
 * is dead. A pid file can do neither.
 *
 *   1. listen on `starting-<random>`, then rename it to `lock-<random>`: who sees a lock sees it answer
 *   2. look at all other `lock-*`: one that refuses a connect belongs to the dead and is removed
 *   3. none answers: ours. One answers whose name sorts first, or that is still there after a while: not ours, withdraw
 *
 * Of two starters the one that was renamed later sees the other, so there are never two holders; the names decide which
 * of them goes, so that one remains. Names are never used twice, so nobody removes a socket that has come to life. Two
 * machines that share a network file system do not see each other's sockets: there the lock does not help.
 */
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { sleep } from '../base/sleep.js';
import type { JournalLock } from './files.js';

const HELD = /^lock-[0-9a-f]{16}\.sock$/;
const STARTING = /^starting-[0-9a-f]{16}\.sock$/;

/** How long a starter that goes first waits for the others to withdraw, in steps of `WAIT_MS`. */
const WAITS = 20;
const WAIT_MS = 25;

/** sockaddr_un holds 108 bytes with the final zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Takes `directory`. Rejects with an Error for people when another process has it or no socket can be made there. */
export async function takeLock(directory: string): Promise<JournalLock> {
  const at = new SocketDirectory(directory);
  const unique = randomBytes(8).toString('hex');
  const starting = `starting-${unique}.sock`;
  const own = `lock-${unique}.sock`;
  const server = createServer((socket) => socket.destroy());
  const release = (): void => {
    for (const name of [own, starting]) fs.rmSync(join(directory, name), { force: true });
    server.close();
    at.close();
  };
  try {
    await listen(server, at.pathOf(starting));
    server.unref();
    fs.renameSync(join(directory, starting), join(directory, own));
    if (!(await isOurs(directory, at, own))) {
      throw new Error(
        `the journal directory ${directory} is in use by another sidecar; give each its own --journal-dir`,
      );
    }
    removeAbandoned(directory);
    return { isHeld: () => fs.existsSync(join(directory, own)), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Whether a living process holds the lock of `directory`. Changes nothing there. */
export async function isLocked(directory: string): Promise<boolean> {
  const at = new SocketDirectory(directory);
  try {
    for (const name of fs.readdirSync(directory)) {
      if (HELD.test(name) && (await answers(at.pathOf(name)))) return true;
    }
    return false;
  } finally {
    at.close();
  }
}

/** Looks until nobody else answers (true), or it is clear that somebody else stays (false). */
async function isOurs(directory: string, at: SocketDirectory, own: string): Promise<boolean> {
  for (let waits = 0; ; waits += 1) {
    let others = 0;
    for (const name of fs.readdirSync(directory)) {
      if (name === own || !HELD.test(name)) continue;
      if (await answers(at.pathOf(name))) {
        if (name < own) return false;
        others += 1;
      } else {
        fs.rmSync(join(directory, name), { force: true });
      }
    }
    if (others === 0) return true;
    if (waits === WAITS) return false;
    await sleep(WAIT_MS);
  }
}

/** What starters left that were killed between two steps; a living one whose file goes must begin again anyway. */
function removeAbandoned(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    if (STARTING.test(name)) fs.rmSync(join(directory, name), { force: true });
  }
}

/** True unless it is certain that nobody listens: a full backlog, or a socket of somebody else's, is an answer. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays: that a process has no descriptor left to accept with is no reason to end it.
    server.on('error', (error: NodeJS.ErrnoException) => {
      const { code = error.message } = error;
      reject(
        new Error(`the lock of the journal directory cannot be made there (${code})`, {
          cause: error,
        }),
      );
    });
    server.listen(path, resolve);
  });
}

/** Paths of sockets in a directory, short enough for the system whatever the directory's own path. */
class SocketDirectory {
  private readonly fd: number;
  private readonly prefix: string;

  constructor(private readonly directory: string) {
    this.fd = fs.openSync(directory, 'r');
    const throughFd = `/proc/self/fd/${this.fd}`;
    this.prefix = fs.existsSync(throughFd) ? throughFd : directory;
  }

  pathOf(name: string): string {
    const path = join(this.prefix, name);
    if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES)
      throw new Error(`the path of the journal directory is too long: ${this.directory}`);
    return path;
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}
