/**
 * A run of commands that went to the outage store as they came: reads, and plain writes, which the journal must have
 * before they are answered. Nothing is kept for each of them; the run is cut again as the store's replies come, one
 * `next` for each.
 *
 *   *3 SET a 1 │ *2 GET a │ *3 RPUSH l x        next() ─► true, then `start`, `end` and the key's place are those of SET a 1
 */
import { classify } from '../command/classify.js';
import { PLAIN_WRITE_ARGUMENTS } from '../command/plain-writes.js';
import { RequestFramer } from '../resp/request-framer.js';

const CR = 13;
const ZERO = 48;

/** All runs are whole, so that it remembers nothing of one. */
const framer = new RequestFramer(Infinity);

/** The plain writes among the commands of a run: how many, and their bytes. */
export interface Writes {
  readonly count: number;
  readonly bytes: number;
}

export class WriteRun {
  /** The command last looked at, in `bytes`. */
  start = 0;
  end: number;
  /** Its key, where it is a write. */
  keyStart = 0;
  keyEnd = 0;

  /** The commands begin at `from`; `bytes` are not changed before the last of them has been looked at. */
  constructor(
    readonly db: number,
    readonly bytes: Buffer,
    from: number,
  ) {
    this.end = from;
  }

  /** Goes on to the next command. True: it is a write. */
  next(): boolean {
    const { bytes } = this;
    this.start = this.end;
    framer.next(bytes, this.start, bytes.length);
    this.end = framer.frameEnd;
    const { nameStart, nameBytes } = framer;
    if (PLAIN_WRITE_ARGUMENTS[classify(bytes, nameStart, nameBytes)] === 0) return false;
    this.findKey(nameStart + nameBytes);
    return true;
  }

  /** Behind the name stand `\r\n$n\r\n` and the key. A write without a key is the store's to refuse. */
  private findKey(nameEnd: number): void {
    const { bytes, end } = this;
    let at = nameEnd + 3;
    let length = 0;
    for (; at < end && bytes[at] !== CR; at += 1) length = length * 10 + (bytes[at]! - ZERO);
    this.keyStart = at + 2;
    this.keyEnd = this.keyStart + length;
  }
}
