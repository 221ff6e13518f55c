/**
 * The journal's files in memory: the same code and the same bounds as on a disk, for those who want no directory
 * (`--journal-dir memory`). All is lost on exit.
 */
import type { JournalFile, JournalFiles } from './files.js';

/** Files that know no disk. Each call makes an empty directory. */
export function memoryFiles(): JournalFiles {
  const contents = new Map<string, Content>();
  const found = (name: string): Content => {
    const content = contents.get(name);
    if (content === undefined) throw new Error(`ENOENT: there is no ${name}`);
    return content;
  };
  return {
    description: 'memory',
    isDurable: false,
    prepare: () => Promise.resolve(),
    lock: () => Promise.resolve({ isHeld: () => true, release() {} }),
    list: () => [...contents.keys()],
    create(name) {
      const content = new Content();
      contents.set(name, content);
      return Promise.resolve(new MemoryFile(content));
    },
    open: (name) => new MemoryFile(found(name)),
    rename(from, to) {
      contents.set(to, found(from));
      contents.delete(from);
      return Promise.resolve();
    },
    remove(name) {
      contents.delete(name);
      return Promise.resolve();
    },
    syncDirectory: () => Promise.resolve(),
  };
}

/** Bytes that grow by doubling. */
class Content {
  private bytes = Buffer.alloc(0);
  size = 0;

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    if (end > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(end, this.bytes.length * 2));
      this.bytes.copy(grown, 0, 0, this.size);
      this.bytes = grown;
    }
    this.bytes.set(bytes, position);
    this.size = Math.max(this.size, end);
  }

  read(into: Uint8Array, position: number): number {
    return this.bytes.copy(into, 0, position, Math.min(this.size, position + into.length));
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.size) this.bytes.fill(0, sizeBytes, this.size);
    this.size = sizeBytes;
  }
}

class MemoryFile implements JournalFile {
  constructor(private readonly content: Content) {}

  write(bytes: Uint8Array, position: number): Promise<number> {
    this.content.write(bytes, position);
    return Promise.resolve(bytes.length);
  }

  read(into: Uint8Array, position: number): number {
    return this.content.read(into, position);
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  truncate(sizeBytes: number): Promise<void> {
    this.content.truncate(sizeBytes);
    return Promise.resolve();
  }

  sizeBytes(): number {
    return this.content.size;
  }

  isLinked(): boolean {
    return true;
  }

  close(): void {}
}
