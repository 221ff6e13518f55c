/** A file that only grows. Writing happens on Node's threads and never stops the event loop. */
import { open, type FileHandle } from 'node:fs/promises';

export class AppendFile {
  private constructor(
    readonly handle: FileHandle,
    private bytes: number,
  ) {}

  /** Readable by its owner only. `a+` goes on behind what is there, `w` begins anew. */
  static async open(path: string, flags: 'a+' | 'w'): Promise<AppendFile> {
    const handle = await open(path, flags, 0o600);
    return new AppendFile(handle, (await handle.stat()).size);
  }

  get sizeBytes(): number {
    return this.bytes;
  }

  /** Rejects when the bytes are not, or not all, in the directory's file. It is not to be used again then, only closed. */
  async append(bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const { bytesWritten } = await this.handle.write(bytes);
    this.bytes += bytesWritten;
    if (bytesWritten < bytes.length)
      throw new Error(`the disk took ${bytesWritten} of ${bytes.length} bytes: it is full`);
    if ((await this.handle.stat()).nlink === 0) throw new Error('the file has been removed');
  }

  /** Resolves whatever the disk says. */
  close(): Promise<void> {
    return this.handle.close().catch(() => undefined);
  }
}
