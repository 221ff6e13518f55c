/**
 * What the registry has learned, on disk: `scripts.resp`, to which the sources of a tick are appended with one write. It
 * is plain RESP (`redis-cli --pipe < scripts.resp` gives them to a Redis). No promise hangs on it: a script that is not
 * in it will be handed over again by a client. So appends are not synced, and whatever is wrong with the file is put
 * right in one way, by making it anew from the registry:
 *
 *   learned ──► pending ──end of tick──► append ──► scripts.resp
 *                                          │            ▲
 *   damaged at start, grown to twice       └──► scripts.resp.new (only while it is made)
 *   the registry, failed a minute ago ──────────► rewrite
 *
 * A script that was forgotten is followed by `SCRIPT EXISTS <sha>`, which does nothing where the file is loaded.
 */
import { rename, rm } from 'node:fs/promises';
import type { Clock, Timer } from '../base/clock.js';
import type { Logger } from '../base/logger.js';
import { encodeCommand } from '../resp/encoder.js';
import { AppendFile } from './append-file.js';
import type { ScriptListener, ScriptRegistry } from './registry.js';
import { readScriptFile } from './script-file-reader.js';

export interface ScriptFileOptions {
  /** In a directory that exists; `<path>.new` is used besides. */
  readonly path: string;
  readonly registry: ScriptRegistry;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A file that is not larger than this is not made anew, whatever the registry holds. */
const SMALL_FILE_BYTES = 64 * 1024;
const WRITE_BYTES = 1024 * 1024;
/** A disk that failed is tried again after this. */
const RETRY_MS = 60_000;

export class ScriptFile implements ScriptListener {
  /** Null while the disk fails. */
  private file: AppendFile | null = null;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  /** Something is missing in the file, or too much in it. */
  private isOutOfDate = false;
  private hasFailed = false;
  private working: Promise<void> | null = null;
  private retry: Timer | null = null;

  private constructor(private readonly options: ScriptFileOptions) {}

  /**
   * The registry learns what the file says, then the file what the registry learns. Never rejects: a disk that fails is
   * said once in the log, and tried again every minute.
   */
  static async open(options: ScriptFileOptions): Promise<ScriptFile> {
    const file = new ScriptFile(options);
    try {
      await file.load();
    } catch (error) {
      await file.fail(error as Error);
    }
    options.registry.listener = file;
    if (file.isOutOfDate) file.wake();
    return file;
  }

  learned(source: Buffer): void {
    this.append(encodeCommand(['SCRIPT', 'LOAD', source]));
  }

  forgotten(sha: string): void {
    this.append(encodeCommand(['SCRIPT', 'EXISTS', sha]));
  }

  /** Resolves when everything that was learned is in the file, or the disk has failed. */
  async close(): Promise<void> {
    this.options.registry.listener = null;
    this.retry?.cancel();
    await this.working;
    this.retry?.cancel();
    await this.file?.close();
    this.file = null;
  }

  private async load(): Promise<void> {
    const { path, registry, logger } = this.options;
    this.file = await AppendFile.open(path, 'a+');
    await rm(this.successorPath, { force: true });
    const skippedBytes = await readScriptFile(this.file.handle, {
      loaded: (source) => registry.learn(source),
      forgotten: (sha) => registry.forget(sha),
    });
    this.isOutOfDate = skippedBytes > 0;
    if (skippedBytes > 0)
      logger.warn('scripts: a part of the file is lost', { path, skippedBytes });
    logger.debug('scripts: read', { path, scripts: registry.count });
  }

  private get successorPath(): string {
    return `${this.options.path}.new`;
  }

  private append(bytes: Buffer): void {
    // While the disk fails nothing is lost: the file will be made from the registry.
    if (this.file === null && this.working === null) return;
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    if (this.pendingBytes > this.options.registry.maxBytes) {
      // The disk is too slow: making the file anew is less to write than this.
      this.takePending();
      this.isOutOfDate = true;
    }
    this.wake();
  }

  private takePending(): Buffer[] {
    const { pending } = this;
    this.pending = [];
    this.pendingBytes = 0;
    return pending;
  }

  private wake(): void {
    this.working ??= this.work();
  }

  private async work(): Promise<void> {
    await new Promise<void>((resolve) => this.options.clock.endOfTick(resolve));
    try {
      for (;;) {
        if (this.isOutOfDate || this.isTooLarge) await this.rewrite();
        else if (this.pending.length > 0) await this.writePending();
        else break;
      }
    } catch (error) {
      await this.fail(error as Error);
    }
    this.working = null;
  }

  private get isTooLarge(): boolean {
    const { learnedBytes } = this.options.registry;
    return this.file !== null && this.file.sizeBytes > SMALL_FILE_BYTES + 2 * learnedBytes;
  }

  /** Resolves with the bytes that were written. */
  private async writePending(): Promise<Buffer> {
    const bytes = Buffer.concat(this.takePending());
    await this.file?.append(bytes);
    return bytes;
  }

  private async rewrite(): Promise<void> {
    const { path, registry, logger } = this.options;
    const successor = await AppendFile.open(this.successorPath, 'w');
    try {
      this.isOutOfDate = false;
      const sources = registry.learned();
      // What is pending now is among them.
      await this.writePending();
      for (const batch of batchesOf(sources)) {
        await successor.append(batch);
        // To both files: a crash leaves either.
        await successor.append(await this.writePending());
      }
      await successor.handle.datasync();
      await rename(this.successorPath, path);
    } catch (error) {
      await successor.close();
      await rm(this.successorPath, { force: true }).catch(() => undefined);
      throw error;
    }
    await this.file?.close();
    this.file = successor;
    if (this.hasFailed) logger.info('scripts: kept on disk again', { path });
    this.hasFailed = false;
  }

  private async fail(error: Error): Promise<void> {
    const { path, clock, logger } = this.options;
    const what = { path, reason: error.message };
    if (!this.hasFailed) logger.error('scripts: new ones are not kept on disk', what);
    this.hasFailed = true;
    await this.file?.close();
    this.file = null;
    this.takePending();
    this.retry = clock.after(RETRY_MS, () => {
      this.isOutOfDate = true;
      this.wake();
    });
  }
}

/** The sources as commands, in buffers of about WRITE_BYTES. */
function* batchesOf(sources: readonly Buffer[]): Generator<Buffer> {
  let commands: Buffer[] = [];
  let bytes = 0;
  for (const source of sources) {
    commands.push(encodeCommand(['SCRIPT', 'LOAD', source]));
    bytes += source.length;
    if (bytes < WRITE_BYTES) continue;
    yield Buffer.concat(commands);
    commands = [];
    bytes = 0;
  }
  yield Buffer.concat(commands);
}
