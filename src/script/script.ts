/**
 * One Lua source that is remembered, with its places in the registry's structures: they link scripts to each other
 * instead of keeping lists of their own, so that a use costs a few assignments.
 */

/** What a script costs besides its source: its buffer, its sha1, its places (measured: about 390 bytes). */
export const BOOKKEEPING_BYTES = 400;

export class Script {
  /** Neighbours in `recency`; null at its ends, and while the script is not in it. */
  older: Script | null = null;
  newer: Script | null = null;
  /** Another one whose sha1 begins alike, in `sha-table`. */
  next: Script | null = null;
  /** How often scripts had been flushed when it was last used; see the registry. */
  flushesSeen = 0;
  /** Preloaded: it is in no recency and is not evicted. */
  isPinned = false;

  /** `sha`: 40 lower-case hex digits. `source` is its own: nobody writes into it or keeps it in a larger buffer. */
  constructor(
    readonly sha: string,
    readonly source: Buffer,
  ) {}

  get bytes(): number {
    return this.source.length + BOOKKEEPING_BYTES;
  }
}
