/**
 * The journal's files on a disk. Writing and syncing happen on Node's threads and never stop the event loop; reading is
 * synchronous, because what replay reads is nearly always in the page cache. Files are 0600, the directory 0700.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { JournalFile, JournalFiles, OpenMode } from './files.js';
import { takeLock } from './lock.js';

/** The files of `directory`, an absolute path or one relative to the working directory. Touches nothing yet. */
export function diskFiles(directory: string): JournalFiles {
  const path = (name: string): string => join(directory, name);
  return {
    description: directory,
    isDurable: true,
    prepare: () => prepareDirectory(directory),
    lock: () => takeLock(directory),
    list: () => fs.readdirSync(directory),
    create: async (name) => {
      const flags = fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC;
      return new DiskFile(await called<number>((done) => fs.open(path(name), flags, 0o600, done)));
    },
    open: (name, mode: OpenMode) =>
      new DiskFile(fs.openSync(path(name), mode === 'read' ? 'r' : 'r+')),
    rename: (from, to) => called<void>((done) => fs.rename(path(from), path(to), done)),
    remove: (name) => fs.promises.rm(path(name), { force: true }),
    syncDirectory: () => syncDirectory(directory),
  };
}

async function prepareDirectory(directory: string): Promise<void> {
  const made = await fs.promises.mkdir(directory, { recursive: true, mode: 0o700 });
  // A directory that was there keeps the rights its owner gave it.
  if (made !== undefined) await syncDirectory(join(made, '..'));
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.promises.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

class DiskFile implements JournalFile {
  private isOpen = true;

  constructor(private readonly fd: number) {}

  write(bytes: Uint8Array, position: number): Promise<number> {
    return called((done) => fs.write(this.fd, bytes, 0, bytes.length, position, done));
  }

  read(into: Uint8Array, position: number): number {
    let count = 0;
    while (count < into.length) {
      const got = fs.readSync(this.fd, into, count, into.length - count, position + count);
      if (got === 0) break;
      count += got;
    }
    return count;
  }

  sync(): Promise<void> {
    return called<void>((done) => fs.fdatasync(this.fd, done));
  }

  truncate(sizeBytes: number): Promise<void> {
    return called<void>((done) => fs.ftruncate(this.fd, sizeBytes, done));
  }

  sizeBytes(): number {
    return fs.fstatSync(this.fd).size;
  }

  isLinked(): boolean {
    return fs.fstatSync(this.fd).nlink > 0;
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    fs.closeSync(this.fd);
  }
}

/** A promise of what a call of node:fs hands to its callback: half the cost of a FileHandle's. */
function called<T>(call: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });
}
