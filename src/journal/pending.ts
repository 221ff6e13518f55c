/** What of the journal's records has not been replayed yet: how many, how many bytes, and since when. */
import type { Segments } from './segments.js';

/** Counted from the beginning of this run. */
interface Counts {
  readonly records: number;
  readonly bytes: number;
}

export class Pending {
  /** Records up to here have been replayed, or are dead letters. */
  releasedSeq: number;
  private released: Counts = { records: 0, bytes: 0 };
  private oldest: { readonly afterSeq: number; readonly wallMs: number } | null = null;

  /** `lastSeq`: of the last record that is there. Throws when the disk cannot be read. */
  constructor(
    private readonly segments: Segments,
    releasedSeq: number,
    lastSeq: number,
  ) {
    this.releasedSeq = releasedSeq;
    if (segments.all.length > 0)
      this.released = releasedSeq >= lastSeq ? this.total : segments.countThrough(releasedSeq);
  }

  get records(): number {
    return this.segments.totalRecords - this.released.records;
  }

  get bytes(): number {
    return this.segments.totalBytes - this.released.bytes;
  }

  /** When the oldest of them was appended; null when there is none. */
  get oldestWallMs(): number | null {
    if (this.records === 0) return null;
    if (this.oldest?.afterSeq !== this.releasedSeq) {
      const record = tried(() => this.segments.read(this.releasedSeq, 1, 1)[0]);
      if (record) this.oldest = { afterSeq: this.releasedSeq, wallMs: record.wallMs };
    }
    return this.oldest?.wallMs ?? null;
  }

  /** `seq` is at most `settledSeq`, which is that of the last record. */
  release(seq: number, settledSeq: number): void {
    this.releasedSeq = seq;
    this.released =
      seq === settledSeq
        ? this.total
        : // A disk that cannot be read makes the count late, not wrong for ever.
          (tried(() => this.segments.countThrough(seq)) ?? this.released);
  }

  private get total(): Counts {
    return { records: this.segments.totalRecords, bytes: this.segments.totalBytes };
  }
}

/** What `read` returns, or null when the disk cannot be read. */
function tried<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
