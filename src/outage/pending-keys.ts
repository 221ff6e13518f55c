/**
 * Which keys have records waiting in the journal: for every key the sequence number of the last record that touched it,
 * so that a read of a key can tell whether the upstream knows all that was acknowledged (I4). A table of fixed size
 * without the keys themselves: keys that share a place make somebody wait who need not, never the other way round.
 *
 *   note(0, 'cart:7', 1042) ─► hash(db, key) ─► seqs[place] = 1042        seqOf(0, 'cart:7') ≤ applied?  read upstream
 */

/** A power of two. 512 KiB; with 100,000 keys waiting every place is taken, and a read waits for the last of them. */
const PLACES = 65_536;

export class PendingKeys {
  private readonly seqs = new Float64Array(PLACES);
  private floor = 0;

  /** The record `seq` touches the key `bytes[start, end)` of database `db`. Called with rising `seq`. */
  note(db: number, bytes: Uint8Array, seq: number, start = 0, end = bytes.length): void {
    this.seqs[placeOf(db, bytes, start, end)] = seq;
  }

  /** The record `seq` touches keys that cannot be told: it counts for all of them. */
  noteAll(seq: number): void {
    this.floor = seq;
  }

  /** The last record that may have touched the key; 0 when none has. */
  seqOf(db: number, key: Uint8Array): number {
    return Math.max(this.floor, this.seqs[placeOf(db, key, 0, key.length)]!);
  }
}

/** FNV-1a over the database and the key, folded: a byte costs one multiplication. */
function placeOf(db: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = Math.imul(0x811c9dc5 ^ db, 0x01000193);
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
  return (hash ^ (hash >>> 16)) & (PLACES - 1);
}
