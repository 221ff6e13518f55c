/**
 * A disk in memory that tells apart what a process sees and what would survive a power failure, and that fails where a
 * test wants it to. What it models is what Linux does:
 *
 * - a write is visible at once and on the disk some time before the next sync, sector by sector, in any order;
 * - a sync that fails drops what was not on the disk yet: it stays readable, and no later sync brings it there;
 * - names (create, rename, remove) reach the disk in order, at the latest with a sync of the directory.
 */
import { seededRandom, type Random } from '../conformance/random.js';
import type { JournalFile, JournalFiles } from '../../src/journal/files.js';

/** Calls that can fail. */
export type DiskCall =
  | 'create'
  | 'open'
  | 'write'
  | 'read'
  | 'sync'
  | 'truncate'
  | 'rename'
  | 'remove'
  | 'syncDirectory'
  | 'prepare'
  | 'lock';

/** What a call is to do instead: throw this, or (a write) take only so many bytes without an error. */
export type Fault = { readonly code: string } | { readonly takes: number } | null;

const SECTOR = 512;

/** An error of the system. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

/** Bytes written at a place, or (bytes null) the file cut there. */
interface Change {
  readonly at: number;
  readonly bytes: Buffer | null;
}

/** What is in a file; grows by doubling. What lies between is zeros, as in a file with a hole. */
class Contents {
  private memory: Buffer;
  private size: number;

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.memory = Buffer.from(bytes);
    this.size = bytes.length;
  }

  get bytes(): Buffer {
    return this.memory.subarray(0, this.size);
  }

  apply({ at, bytes }: Change): void {
    if (bytes === null) {
      this.memory.fill(0, Math.min(at, this.size), this.size);
      this.size = Math.min(at, this.size);
      return;
    }
    const end = at + bytes.length;
    if (end > this.memory.length) {
      const grown = Buffer.alloc(end * 2);
      this.bytes.copy(grown);
      this.memory = grown;
    }
    bytes.copy(this.memory, at);
    this.size = Math.max(this.size, end);
  }
}

/** A file: its contents as seen and as on the disk. */
class Inode {
  readonly seen: Contents;
  readonly onDisk: Contents;
  /** Changes that are not certainly on the disk, oldest first. */
  pending: Change[] = [];
  links = 1;

  constructor(seen: Buffer = Buffer.alloc(0), onDisk: Buffer = seen) {
    this.seen = new Contents(seen);
    this.onDisk = new Contents(onDisk);
  }

  /** What is pending reaches the disk, or only what `reaches` says. */
  flush(reaches: () => boolean = () => true): void {
    for (const change of this.pending.splice(0)) if (reaches()) this.onDisk.apply(change);
  }
}

type Names = Map<string, Inode>;

export class ModelDisk implements JournalFiles {
  readonly description = 'model';
  readonly isDurable = true;
  /** Asked before each call; the test's hand in it. */
  fault: (call: DiskCall, name: string) => Fault = () => null;
  /** How often each call was made. */
  readonly calls = new Map<DiskCall, number>();
  private names: Names = new Map();
  private onDisk: Names = new Map();
  private pendingNames: ((names: Names) => void)[] = [];
  private exists = false;
  private lockHolder: object | null = null;

  constructor(private readonly random: Random = seededRandom(1)) {}

  /** The disk as another process finds it after this one was killed. Independent of this one from now on. */
  afterKill(): ModelDisk {
    const copy = new ModelDisk(this.random);
    copy.exists = this.exists;
    const inodes = new Map<Inode, Inode>();
    const clone = (inode: Inode): Inode => {
      const known = inodes.get(inode);
      if (known !== undefined) return known;
      const made = new Inode(inode.seen.bytes, inode.onDisk.bytes);
      made.pending = [...inode.pending];
      inodes.set(inode, made);
      return made;
    };
    for (const [name, inode] of this.names) copy.names.set(name, clone(inode));
    for (const [name, inode] of this.onDisk) copy.onDisk.set(name, clone(inode));
    copy.pendingNames = [(names) => replace(names, copy.names)];
    return copy;
  }

  /** The disk after a power failure: what was not synced is there or not, as chance will have it. */
  afterPowerFailure(): ModelDisk {
    const names: Names = new Map(this.onDisk);
    const reached = Math.floor(this.random() * (this.pendingNames.length + 1));
    for (const apply of this.pendingNames.slice(0, reached)) apply(names);
    const copy = new ModelDisk(this.random);
    copy.exists = this.exists;
    for (const [name, inode] of names) {
      const left = new Inode(inode.onDisk.bytes);
      left.pending = [...inode.pending];
      left.flush(() => this.random() < 0.5);
      const made = new Inode(left.onDisk.bytes);
      copy.names.set(name, made);
      copy.onDisk.set(name, made);
    }
    return copy;
  }

  /** Somebody removes the directory and all that is in it. */
  removeDirectory(): void {
    this.exists = false;
    for (const inode of this.names.values()) inode.links = 0;
    this.names = new Map();
    this.onDisk = new Map();
    this.pendingNames = [];
    this.lockHolder = null;
  }

  /** The bytes of a file as they are seen, to be changed by the test. */
  contentsOf(name: string): Buffer {
    return this.found(name).seen.bytes;
  }

  /** Puts a file there as if it had always been. */
  put(name: string, bytes: Buffer): void {
    const inode = new Inode(bytes);
    this.exists = true;
    this.names.set(name, inode);
    this.onDisk.set(name, inode);
  }

  async prepare(): Promise<void> {
    await this.called('prepare', '');
    this.exists = true;
  }

  async lock(): ReturnType<JournalFiles['lock']> {
    await this.called('lock', '');
    if (this.lockHolder !== null) throw new Error('in use by another sidecar');
    const holder = {};
    this.lockHolder = holder;
    return {
      isHeld: () => this.lockHolder === holder,
      release: () => {
        if (this.lockHolder === holder) this.lockHolder = null;
      },
    };
  }

  list(): string[] {
    if (!this.exists) throw systemError('ENOENT');
    return [...this.names.keys()];
  }

  async create(name: string): Promise<JournalFile> {
    await this.called('create', name);
    if (!this.exists) throw systemError('ENOENT');
    const inode = new Inode();
    this.enter(name, inode);
    return new ModelFile(this, name, inode, this.random);
  }

  open(name: string): JournalFile {
    this.counted('open', name);
    return new ModelFile(this, name, this.found(name), this.random);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.called('rename', from);
    const inode = this.found(from);
    const apply = (names: Names): void => {
      names.delete(from);
      names.set(to, inode);
    };
    apply(this.names);
    this.pendingNames.push(apply);
  }

  async remove(name: string): Promise<void> {
    await this.called('remove', name);
    const inode = this.names.get(name);
    if (inode === undefined) return;
    inode.links = 0;
    this.names.delete(name);
    this.pendingNames.push((names) => names.delete(name));
  }

  async syncDirectory(): Promise<void> {
    await this.called('syncDirectory', '');
    if (!this.exists) throw systemError('ENOENT');
    for (const apply of this.pendingNames.splice(0)) apply(this.onDisk);
  }

  /** Counts a call and fails it if the test says so; a short write is told by its count. */
  counted(call: DiskCall, name: string): number {
    this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
    const fault = this.fault(call, name);
    if (fault === null) return Infinity;
    if ('code' in fault) throw systemError(fault.code);
    return fault.takes;
  }

  /** The same, a moment later, as with a call that runs on another thread. */
  async called(call: DiskCall, name: string): Promise<number> {
    await Promise.resolve();
    return this.counted(call, name);
  }

  private enter(name: string, inode: Inode): void {
    this.names.set(name, inode);
    this.pendingNames.push((names) => names.set(name, inode));
  }

  private found(name: string): Inode {
    const inode = this.names.get(name);
    if (!this.exists || inode === undefined) throw systemError('ENOENT');
    return inode;
  }
}

class ModelFile implements JournalFile {
  constructor(
    private readonly disk: ModelDisk,
    private readonly name: string,
    private readonly inode: Inode,
    private readonly random: Random,
  ) {}

  async write(bytes: Uint8Array, position: number): Promise<number> {
    const takes = await this.disk.called('write', this.name);
    const taken = Buffer.from(bytes.subarray(0, takes));
    this.inode.seen.apply({ at: position, bytes: taken });
    for (let at = 0; at < taken.length; at += SECTOR)
      this.inode.pending.push({ at: position + at, bytes: taken.subarray(at, at + SECTOR) });
    return taken.length;
  }

  read(into: Uint8Array, position: number): number {
    this.disk.counted('read', this.name);
    return this.inode.seen.bytes.copy(into, 0, position);
  }

  async sync(): Promise<void> {
    try {
      await this.disk.called('sync', this.name);
    } catch (error) {
      this.inode.flush(() => this.random() < 0.5);
      throw error;
    }
    this.inode.flush();
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.disk.called('truncate', this.name);
    const cut = { at: sizeBytes, bytes: null };
    this.inode.seen.apply(cut);
    this.inode.pending.push(cut);
  }

  sizeBytes(): number {
    return this.inode.seen.bytes.length;
  }

  isLinked(): boolean {
    return this.inode.links > 0;
  }

  close(): void {}
}

function replace(names: Names, by: Names): void {
  names.clear();
  for (const [name, inode] of by) names.set(name, inode);
}
