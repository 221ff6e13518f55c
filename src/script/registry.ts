/**
 * The sources of the scripts that clients use, by sha1: what makes EVALSHA work whatever the upstream has forgotten.
 * Shared by all sessions. Pure: what is to be written somewhere is told to a listener.
 *
 *   EVAL, SCRIPT LOAD ──► learn ──► recent sources ──(not there: sha1)──► sha table ──► EVALSHA: sourceOf
 *                                                                             │
 *                               recency: the least recently used goes ◄───────┘ the preloaded ones stay
 *
 * A source that was learned first keeps its sha1, as in Redis' own cache: whoever finds two sources of one sha1 gets the
 * first one run there, too.
 */
import { createHash } from 'node:crypto';
import { RecentSources } from './recent-sources.js';
import { Recency } from './recency.js';
import { Script } from './script.js';
import { ShaTable } from './sha-table.js';

export interface LearnedScript {
  /** 40 lower-case hex digits. */
  readonly sha: string;
  /** It was not known before. */
  readonly isNew: boolean;
}

/** Is told what should outlive the process. */
export interface ScriptListener {
  /** `source` was learned. It will not be written into, and may be kept. */
  learned(source: Buffer): void;
  /** The script of this sha1 turned out to be none. Those that make room for others are not told. */
  forgotten(sha: string): void;
}

export interface ScriptRegistryOptions {
  /** Of what is learned, bookkeeping included; a source longer than a quarter of it is not kept. */
  readonly maxBytes: number;
}

export class ScriptRegistry {
  /** Set by who persists. */
  listener: ScriptListener | null = null;
  readonly maxBytes: number;
  /** The longest source that is learned. */
  readonly maxSourceBytes: number;
  private readonly table = new ShaTable();
  private readonly recent = new RecentSources();
  /** The learned ones; the others are pinned. */
  private readonly recency = new Recency();
  private pinned: Set<Script> = new Set();
  private flushes = 0;
  private bytesLearned = 0;
  private bytesPinned = 0;

  constructor({ maxBytes }: ScriptRegistryOptions) {
    this.maxBytes = maxBytes;
    this.maxSourceBytes = Math.floor(maxBytes / 4);
  }

  get count(): number {
    return this.table.count;
  }
  /** Of all that is known, bookkeeping included. */
  get bytes(): number {
    return this.bytesLearned + this.bytesPinned;
  }
  /** Without the preloaded ones: what `maxBytes` bounds. */
  get learnedBytes(): number {
    return this.bytesLearned;
  }

  /**
   * Remembers a copy of `source`, and counts as a use. Null: it is too long to be kept. Costs a comparison when it was
   * learned lately, a sha1 otherwise.
   */
  learn(source: Buffer): LearnedScript | null {
    const recent = this.recent.find(source);
    if (recent !== null) {
      this.use(recent);
      return { sha: recent.sha, isNew: false };
    }
    if (source.length > this.maxSourceBytes) return null;
    const sha = shaOf(source);
    const known = this.withSha(sha);
    const script = known ?? this.create(sha, source);
    if (known === null) this.keep(script);
    else this.use(script);
    this.recent.put(script);
    return { sha, isNew: known === null };
  }

  /** The source whose sha1 is `sha`, 40 hex digits of any case; null when it is not known. Counts as a use. */
  sourceOf(sha: Buffer): Buffer | null {
    const script = this.table.find(sha);
    if (script === null) return null;
    this.use(script);
    return script.source;
  }

  /** Whether `sourceOf` would know it. Does not count as a use. */
  has(sha: Buffer): boolean {
    return this.table.find(sha) !== null;
  }

  /** Somebody here has had the upstream forget all scripts, and expects that. What is known stays known. */
  flushed(): void {
    this.flushes += 1;
  }

  /** It is known, and was learned or used since `flushed`: everybody may rely on it. Does not count as a use. */
  isPromised(sha: Buffer): boolean {
    return this.table.find(sha)?.flushesSeen === this.flushes;
  }

  /** It is no script: it did not compile. `sha` in lower case; nothing happens when it is not known. */
  forget(sha: string): void {
    const script = this.withSha(sha);
    if (script === null) return;
    if (script.isPinned) this.unpin(script);
    else this.unlist(script);
    this.drop(script);
    this.listener?.forgotten(sha);
  }

  /**
   * Copies of these are known until the next call, whatever their size, and not counted in `maxBytes`. Those of the last
   * call that are not among them are from now on as if they had been learned: clients may still use them.
   */
  preload(sources: readonly Buffer[]): void {
    const former = this.pinned;
    this.pinned = new Set(sources.map((source) => this.pin(source)));
    for (const script of former) {
      if (this.pinned.has(script)) continue;
      this.unpin(script);
      if (script.source.length > this.maxSourceBytes) this.drop(script);
      else this.keep(script);
    }
  }

  /** Sources that were learned and are still held, the least recently used first. */
  learned(): Buffer[] {
    return Array.from(this.recency, ({ source }) => source);
  }

  private withSha(sha: string): Script | null {
    return this.table.find(Buffer.from(sha, 'latin1'));
  }

  private create(sha: string, source: Buffer): Script {
    // Memory of its own: a slice of Node's pool or of a chunk would keep all of that.
    const copy = Buffer.allocUnsafeSlow(source.length);
    source.copy(copy);
    const script = new Script(sha, copy);
    script.flushesSeen = this.flushes;
    this.table.add(script);
    return script;
  }

  private use(script: Script): void {
    script.flushesSeen = this.flushes;
    if (!script.isPinned) this.recency.use(script);
  }

  /** It counts as learned, and others make room for it. */
  private keep(script: Script): void {
    this.recency.add(script);
    this.bytesLearned += script.bytes;
    this.listener?.learned(script.source);
    while (this.bytesLearned > this.maxBytes) {
      const oldest = this.recency.oldest!;
      this.unlist(oldest);
      this.drop(oldest);
    }
  }

  private unlist(script: Script): void {
    this.recency.remove(script);
    this.bytesLearned -= script.bytes;
  }

  private pin(source: Buffer): Script {
    const sha = shaOf(source);
    const known = this.withSha(sha);
    if (known?.isPinned === true) return known;
    if (known !== null) this.unlist(known);
    const script = known ?? this.create(sha, source);
    script.isPinned = true;
    this.bytesPinned += script.bytes;
    return script;
  }

  private unpin(script: Script): void {
    script.isPinned = false;
    this.pinned.delete(script);
    this.bytesPinned -= script.bytes;
  }

  /** It is neither listed nor pinned any more. */
  private drop(script: Script): void {
    this.table.remove(script);
    this.recent.remove(script);
  }
}

function shaOf(source: Buffer): string {
  return createHash('sha1').update(source).digest('hex');
}
