/**
 * What clients were told, kept outside the process under test: the one ledger of `test/faults/outage-*`
 * (FAULTS.md, "The checker"). Each client has a book; each write in it is a *mark* `client:n` with n
 * rising, so that whatever stands in the upstream afterwards can be traced to one write, its place in
 * its client's order, and the answer that its client got.
 *
 *   client 7  ─ begin(push, 3) → n = 12 ─►  RPUSH L:3 7:12  ─► :41    settle(12, ok)
 *             ─ begin(set, 1)  → n = 13 ─►  SET S:7:1 13    ─► -UNK…  settle(13, unknown)
 *
 * `ledger-clients.ts` writes it, `ledger-check.ts` compares it with the upstream. It knows no socket.
 */

/** How a mark is written; `MARK_KINDS` gives each a number. */
export type MarkKind = 'push' | 'stream' | 'set' | 'field' | 'member' | 'pair' | 'script';

export const MARK_KINDS: readonly MarkKind[] = [
  ...(['push', 'stream', 'set', 'field', 'member', 'pair', 'script'] as const),
];

/**
 * What a client knows of a write: `ok` a reply that is no error; `refused` an error that says it did not and will not
 * run; `unknown` the sidecar said UNKNOWNOUTCOME; `dropped` the client's own socket was lost; `open` no answer yet.
 */
export type Outcome = 'open' | 'ok' | 'refused' | 'unknown' | 'dropped';

const OUTCOMES: readonly Outcome[] = ['open', 'ok', 'refused', 'unknown', 'dropped'];
/** Keys per kind. Few, so that clients meet in them. */
export const PLACES = 16;
/** Keys per client that its SETs go to. */
export const SLOTS = 4;
const FIRST_CAPACITY = 64;

/** One client's writes, in the order it sent them. Numbers start at 1. */
export class Book {
  /** Marks up to here may be missing without blame: the upstream itself lost what it had (see `Ledger.excuseLosses`). */
  lossFloor = 0;
  #kinds = new Uint8Array(FIRST_CAPACITY);
  #places = new Uint8Array(FIRST_CAPACITY);
  #outcomes = new Uint8Array(FIRST_CAPACITY);
  #count = 0;
  readonly #acknowledgedSets = new Uint32Array(SLOTS);

  constructor(
    private readonly ledger: Ledger,
    readonly client: number,
    /** The database that its keys are in. */
    readonly db: number,
  ) {}

  /** The last number given out. */
  get count(): number {
    return this.#count;
  }

  /** A new mark, about to be sent: its number. */
  begin(kind: MarkKind, place: number): number {
    this.#count += 1;
    if (this.#count === this.#kinds.length) this.#grow();
    this.#kinds[this.#count] = MARK_KINDS.indexOf(kind);
    this.#places[this.#count] = place;
    this.ledger.counted('open', 1);
    return this.#count;
  }

  /** The answer to mark `n`. Asserts that there was none before: one command, one answer (I1). */
  settle(n: number, outcome: Exclude<Outcome, 'open'>): void {
    if (this.outcomeOf(n) !== 'open') throw new Error(`mark ${this.client}:${n} is answered twice`);
    this.#outcomes[n] = OUTCOMES.indexOf(outcome);
    this.ledger.counted('open', -1);
    this.ledger.counted(outcome, 1);
    if (outcome === 'ok' && this.kindOf(n) === 'set') this.#acknowledgedSets[this.placeOf(n)] = n;
  }

  kindOf(n: number): MarkKind {
    return MARK_KINDS[this.#kinds[n] ?? 0] ?? 'push';
  }

  placeOf(n: number): number {
    return this.#places[n] ?? 0;
  }

  outcomeOf(n: number): Outcome {
    return OUTCOMES[this.#outcomes[n] ?? 0] ?? 'open';
  }

  /** The newest SET to `slot` that was answered with OK; 0 if none was. */
  acknowledgedSet(slot: number): number {
    return this.#acknowledgedSets[slot] ?? 0;
  }

  #grow(): void {
    const grown = (old: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> => {
      const larger = new Uint8Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.#kinds = grown(this.#kinds);
    this.#places = grown(this.#places);
    this.#outcomes = grown(this.#outcomes);
  }
}

/** What clients see go wrong themselves, while the run lasts. */
export type Sighting = 'late' | 'stale' | 'wrongType';

/** All books of one run. */
export class Ledger {
  readonly books: Book[] = [];
  readonly sightings: Record<Sighting, number> = { late: 0, stale: 0, wrongType: 0 };
  /** The first few sightings in words. */
  readonly notes: string[] = [];
  /** The longest time that a command waited for its answer, in milliseconds. */
  slowestMs = 0;
  readonly #counts: Record<Outcome, number> = {
    open: 0,
    ok: 0,
    refused: 0,
    unknown: 0,
    dropped: 0,
  };
  readonly #refusals = new Map<string, number>();

  /** All error replies, those to reads and inside transactions included: their first words, and how often each came. */
  readonly errors = new Map<string, number>();

  /** How many writes have each outcome now. */
  get counts(): Readonly<Record<Outcome, number>> {
    return this.#counts;
  }

  /** Error texts of refused writes, without what varies, and how often each came. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** A book for one more client, which writes to database `db`. */
  open(db = 0): Book {
    const book = new Book(this, this.books.length, db);
    this.books.push(book);
    return book;
  }

  book(client: number): Book | null {
    return this.books[client] ?? null;
  }

  /**
   * What was begun up to now may be lost: to be called when the upstream itself has lost data (killed without
   * fsync, emptied, failed over). Losses of later marks still count.
   */
  excuseLosses(): void {
    for (const book of this.books) book.lossFloor = book.count;
  }

  /** For books only. */
  counted(outcome: Outcome, by: number): void {
    this.#counts[outcome] += by;
  }

  /** A write was answered with this error. */
  refusedWith(error: string): void {
    const text = wordsOf(error);
    this.#refusals.set(text, (this.#refusals.get(text) ?? 0) + 1);
  }

  /** A command of any kind was answered with this error. */
  erred(error: string): void {
    const text = wordsOf(error);
    this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
  }

  /** A client saw something that must not be. */
  sighted(what: Sighting, note: string): void {
    this.sightings[what] += 1;
    if (this.sightings[what] <= 3) this.notes.push(`${what}: ${note}`);
  }
}

/** The beginning of an error, without what varies. */
function wordsOf(error: string): string {
  return error.replace(/\d+/g, 'n').slice(0, 80);
}
