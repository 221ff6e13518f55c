/**
 * Finds the ends of RESP2 and RESP3 reply frames in a byte stream: the tests' own judge.
 *
 * It shares no code with the product on purpose, for a framer cannot testify in its own case. It is
 * also strict: bytes that no Redis would send throw instead of being skipped.
 *
 * The trick that keeps it small: to find where a reply ends one needs no stack, only the number of
 * values still to come. A scalar takes one away, `*3` adds three, `%2` four; zero is the end.
 */

const CR = 0x0d;
const LF = 0x0a;

/** What a scalar's line looks like after its type byte. */
const SCALARS: Readonly<Record<string, RegExp>> = {
  '+': /^/,
  '-': /^/,
  ':': /^[+-]?\d+$/,
  '(': /^[+-]?\d+$/,
  ',': /^([+-]?\d+(\.\d*)?([eE][+-]?\d+)?|[+-]?inf|-?nan)$/,
  _: /^$/,
  '#': /^[tf]$/,
};

/** How many values each of an aggregate's declared entries stands for. */
const AGGREGATES: Readonly<Record<string, number>> = { '*': 1, '~': 1, '>': 1, '%': 2, '|': 2 };

const INITIAL_CAPACITY_BYTES = 16 * 1024;

/** Collects chunks and hands out whole reply frames, each exactly as it came. */
export class ReplyScanner {
  #bytes = Buffer.allocUnsafe(INITIAL_CAPACITY_BYTES);
  #start = 0;
  #end = 0;
  /** Where the next header starts; everything in `#start..#scanned` is already understood. */
  #scanned = 0;
  /** Where the next search for a line's end begins, so that a slow line is not read again. */
  #searched = 0;
  #valuesToCome = 1;

  /** Bytes received that are not yet part of a frame handed out. */
  get bufferedBytes(): number {
    return this.#end - this.#start;
  }

  /** Takes a chunk; the bytes are copied, so the caller keeps its buffer. */
  push(chunk: Uint8Array): void {
    this.#makeRoomFor(chunk.length);
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /**
   * The next whole reply, with any attributes (`|`) that precede it, as a copy of its own; null
   * while it is incomplete. Throws on bytes that are not RESP.
   */
  next(): Buffer | null {
    while (this.#valuesToCome > 0) {
      if (!this.#scanValue()) return null;
    }
    const frame = Buffer.from(this.#bytes.subarray(this.#start, this.#scanned));
    this.#start = this.#scanned;
    this.#searched = this.#scanned;
    this.#valuesToCome = 1;
    return frame;
  }

  /** Takes out everything that is left, whole frames or not. */
  rest(): Buffer {
    const left = Buffer.from(this.#bytes.subarray(this.#start, this.#end));
    this.#start = this.#end = this.#scanned = this.#searched = 0;
    this.#valuesToCome = 1;
    return left;
  }

  /** Understands one header (and a bulk's payload); false if its bytes are not all here. */
  #scanValue(): boolean {
    const lineEnd = this.#findLineEnd();
    if (lineEnd < 0) return false;
    const type = String.fromCharCode(this.#bytes[this.#scanned] ?? 0);
    const line = this.#bytes.toString('latin1', this.#scanned + 1, lineEnd);
    let next = lineEnd + 2;
    if (type in SCALARS) {
      if (SCALARS[type]?.test(line) === false) this.#fail(`"${type}" with "${line}"`);
      this.#valuesToCome -= 1;
    } else if (type === '$' || type === '=' || type === '!') {
      const sizeBytes = this.#count(line, type === '$');
      if (sizeBytes >= 0) next += sizeBytes + 2;
      if (next > this.#end) return false;
      if (this.#bytes[next - 2] !== CR || this.#bytes[next - 1] !== LF) {
        this.#fail(`no CRLF after a payload of ${sizeBytes} bytes`);
      }
      this.#valuesToCome -= 1;
    } else {
      const valuesPerEntry = AGGREGATES[type] ?? this.#fail(`type byte ${JSON.stringify(type)}`);
      this.#valuesToCome += valuesPerEntry * Math.max(0, this.#count(line, type === '*'));
      // An attribute is not a value itself: what it annotates is still to come.
      if (type !== '|') this.#valuesToCome -= 1;
    }
    this.#scanned = this.#searched = next;
    return true;
  }

  /** The offset of the CR that ends the header's line, or -1 while it has not arrived. */
  #findLineEnd(): number {
    const lf = this.#bytes.subarray(0, this.#end).indexOf(LF, this.#searched);
    if (lf < 0) {
      this.#searched = this.#end;
      return -1;
    }
    const cr = lf - 1;
    if (cr <= this.#scanned || this.#bytes[cr] !== CR) this.#fail('a header line without CRLF');
    return cr;
  }

  #count(text: string, nullAllowed: boolean): number {
    if (!/^\d+$/.test(text) && !(nullAllowed && text === '-1')) this.#fail(`a count of "${text}"`);
    return Number(text);
  }

  #fail(what: string): never {
    const context = this.#bytes.subarray(this.#start, Math.min(this.#end, this.#start + 200));
    throw new Error(
      `Not RESP: ${what}, at byte ${this.#scanned - this.#start} of ${JSON.stringify(context.toString('latin1'))}`,
    );
  }

  #makeRoomFor(incomingBytes: number): void {
    if (this.#end + incomingBytes <= this.#bytes.length) return;
    const used = this.#end - this.#start;
    let capacity = this.#bytes.length;
    while (capacity < used + incomingBytes) capacity *= 2;
    const target = capacity === this.#bytes.length ? this.#bytes : Buffer.allocUnsafe(capacity);
    this.#bytes.copy(target, 0, this.#start, this.#end);
    this.#bytes = target;
    this.#scanned -= this.#start;
    this.#searched -= this.#start;
    this.#end = used;
    this.#start = 0;
  }
}
