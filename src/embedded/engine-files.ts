/**
 * The few files the engine can see: its snapshot (`dump.rdb` and the temporary file Valkey writes it to first), which
 * live on the real disk when a snapshot is configured, the directory they are in (to be synced), and `/dev/urandom`.
 * Anything else does not exist. Runs in the engine's worker thread, synchronously, because Valkey waits for it; Valkey
 * itself does "write beside, fsync, rename, fsync the directory" (rdb.c).
 */
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** What a WASI descriptor stands for. `position` is the engine's; the operating system's own is not used. */
type OpenFile =
  { readonly kind: 'random' } | { readonly kind: 'disk'; readonly fd: number; position: number };

const FIRST_FD = 4;
/** Valkey's name for the file it writes: `temp-<pid>.rdb`. */
const TEMPORARY = /^temp-\d+\.rdb$/;

export class EngineFiles {
  private readonly opened = new Map<number, OpenFile>();

  constructor(private readonly snapshotFile: string | null) {}

  /**
   * Opens a file and returns its descriptor; `absent` when there is none, `failed` when there is one that cannot be
   * opened. The difference matters: Valkey starts empty without a snapshot, and must not with one it cannot read.
   */
  open(name: string, how: 'read' | 'create'): number | 'absent' | 'failed' {
    if (name.endsWith('dev/urandom')) return this.add({ kind: 'random' });
    const path = name === '' || name === '.' ? this.directory() : this.realPath(name);
    if (path === null) return 'absent';
    try {
      return this.add({
        kind: 'disk',
        fd: openSync(path, how === 'create' ? 'w+' : 'r', 0o600),
        position: 0,
      });
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'absent' : 'failed';
    }
  }

  /** Fills `bytes` from the file; returns how many, or -1 when that failed. */
  read(fd: number, bytes: Uint8Array): number {
    const file = this.opened.get(fd);
    if (file === undefined) return -1;
    if (file.kind === 'random') return randomFillSync(bytes).length;
    return attempt(-1, () => {
      const count = readSync(file.fd, bytes, 0, bytes.length, file.position);
      file.position += count;
      return count;
    });
  }

  /** Returns how many of `bytes` were written (a full disk writes less, without an error), or -1. */
  write(fd: number, bytes: Uint8Array): number {
    const file = this.opened.get(fd);
    if (file?.kind !== 'disk') return -1;
    return attempt(-1, () => {
      const count = writeSync(file.fd, bytes, 0, bytes.length, file.position);
      file.position += count;
      return count;
    });
  }

  /** `whence`: 0 from the start, 1 from here, 2 from the end. Returns the new position, or null. */
  seek(fd: number, offset: number, whence: number): number | null {
    const file = this.opened.get(fd);
    if (file?.kind !== 'disk') return null;
    const base = whence === 0 ? 0 : whence === 1 ? file.position : this.sizeBytes(fd)!;
    file.position = base + offset;
    return file.position;
  }

  sizeBytes(fd: number): number | null {
    const file = this.opened.get(fd);
    if (file === undefined) return null;
    return file.kind === 'random' ? 0 : fstatSync(file.fd).size;
  }

  sync(fd: number): boolean {
    const file = this.opened.get(fd);
    return file?.kind === 'disk' && attempt(false, () => (fsyncSync(file.fd), true));
  }

  close(fd: number): boolean {
    const file = this.opened.get(fd);
    if (file?.kind === 'disk') closeSync(file.fd);
    return this.opened.delete(fd);
  }

  rename(from: string, to: string): boolean {
    const [source, target] = [this.realPath(from), this.realPath(to)];
    if (source === null || target === null) return false;
    return attempt(false, () => (renameSync(source, target), true));
  }

  unlink(name: string): boolean {
    const path = this.realPath(name);
    return path !== null && attempt(false, () => (unlinkSync(path), true));
  }

  private realPath(name: string): string | null {
    if (this.snapshotFile === null) return null;
    const base = name.replace(/^(\.?\/)+/, '');
    if (base === 'dump.rdb') return this.snapshotFile;
    return TEMPORARY.test(base) ? `${this.snapshotFile}.tmp` : null;
  }

  private directory(): string | null {
    return this.snapshotFile === null ? null : dirname(this.snapshotFile);
  }

  private add(file: OpenFile): number {
    let fd = FIRST_FD;
    while (this.opened.has(fd)) fd += 1;
    this.opened.set(fd, file);
    return fd;
  }
}

/** A failing file operation is an answer for the engine, which reports it in its own words. */
function attempt<T>(otherwise: T, operation: () => T): T {
  try {
    return operation();
  } catch {
    return otherwise;
  }
}
