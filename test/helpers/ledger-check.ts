/**
 * Compares a ledger with what stands in the upstream, read directly and in the end: which
 * acknowledged writes are not there, which are there twice, out of order, although refused, or half.
 * It only reads; whoever calls it has made sure that nothing is on its way any more.
 */
import assert from 'node:assert/strict';
import { PLACES, SLOTS, type Book, type Ledger, type MarkKind } from './ledger.js';
import { connectRaw, type RawClient } from './raw-client.js';

/** What must be zero. `hung`: never answered. `late`, `stale` and `wrongType` were seen by the clients themselves. */
export type Fault =
  'lost' | 'doubled' | 'reordered' | 'phantom' | 'split' | 'hung' | 'late' | 'stale' | 'wrongType';

/** The result of one comparison. */
export interface Verdict {
  readonly faults: Readonly<Record<Fault, number>>;
  /** The first offenders of each fault, in words. */
  readonly offenders: readonly string[];
  readonly acknowledged: number;
  readonly refused: number;
  /** Told UNKNOWNOUTCOME, or the client's socket was lost. */
  readonly ambiguous: number;
  /** Ambiguous ones that took effect. */
  readonly ambiguousPresent: number;
  /** Acknowledged ones that the upstream itself lost (`Ledger.excuseLosses`). */
  readonly excused: number;
  /** Of a client that had lost its socket, after later ones of the same client: what Redis without a sidecar does too. */
  readonly straggling: number;
  /** All of it for people. */
  readonly report: string;
}

const OFFENDERS_PER_FAULT = 5;
const PAGE = 20_000;
const MARK = /^(\d+):(\d+)$/;

/** Reads the upstream at `port` and compares. */
export async function checkLedger(ledger: Ledger, port: number): Promise<Verdict> {
  const client = await connectRaw(port);
  try {
    const comparison = new Comparison(ledger);
    for (const db of new Set(ledger.books.map((book) => book.db))) {
      await readDatabase(comparison, client, db);
    }
    return comparison.verdict();
  } finally {
    client.reset();
  }
}

/** Shows everything that stands in one database to the comparison. */
async function readDatabase(comparison: Comparison, client: RawClient, db: number): Promise<void> {
  assert.equal(await client.ask('SELECT', db), '+OK\r\n');
  comparison.db = db;
  for (let place = 0; place < PLACES; place += 1) {
    for (const list of [`L:${place}`, `E:${place}`]) {
      comparison.sequence(list, await readList(client, list));
    }
    comparison.sequence(`X:${place}`, await readStream(client, `X:${place}`));
    const halves = [`P:${place}:a`, `P:${place}:b`] as const;
    comparison.sequence(halves[0], await readList(client, halves[0]));
    comparison.sequence(halves[1], await readList(client, halves[1]), 'second half');
    comparison.set(`H:${place}`, marksIn(await client.ask('HKEYS', `H:${place}`)));
    comparison.set(`T:${place}`, marksIn(await client.ask('SMEMBERS', `T:${place}`)));
  }
  for (const book of comparison.booksHere) {
    for (let slot = 0; slot < SLOTS; slot += 1) client.send('GET', `S:${book.client}:${slot}`);
    const values = await client.readFrames(SLOTS, 30_000);
    for (const [slot, value] of values.entries()) comparison.value(book, slot, value);
  }
}

/** Fails, with the whole report, unless everything of the ledger is as it was promised. */
export function assertClean(verdict: Verdict, ...but: Fault[]): void {
  const found = Object.entries(verdict.faults).filter(
    ([fault, count]) => count > 0 && !but.includes(fault as Fault),
  );
  assert.equal(found.length, 0, verdict.report);
}

/** One reading of the upstream against one ledger. */
class Comparison {
  /** The database that is being read. */
  db = 0;
  readonly #faults: Record<Fault, number>;
  readonly #offenders: string[] = [];
  /** By client: how often each of its marks was found. */
  readonly #found: readonly Uint8Array[];
  /** By client: the second halves of its pairs. */
  readonly #secondHalves: readonly Uint8Array[];
  #excused = 0;
  #straggling = 0;
  #ambiguousPresent = 0;

  constructor(private readonly ledger: Ledger) {
    const { late, stale, wrongType } = ledger.sightings;
    this.#faults = {
      lost: 0,
      doubled: 0,
      reordered: 0,
      phantom: 0,
      split: 0,
      hung: 0,
      late,
      stale,
      wrongType,
    };
    this.#offenders.push(...ledger.notes);
    this.#found = ledger.books.map(({ count }) => new Uint8Array(count + 1));
    this.#secondHalves = ledger.books.map(({ count }) => new Uint8Array(count + 1));
  }

  get booksHere(): Book[] {
    return this.ledger.books.filter(({ db }) => db === this.db);
  }

  /** The marks of a list or stream, in its order. */
  sequence(key: string, marks: Iterable<string>, half?: 'second half'): void {
    const newest = new Map<number, number>();
    for (const mark of marks) {
      const [client, n, book] = this.#locate(key, mark);
      if (book === null) continue;
      const found = (half === undefined ? this.#found : this.#secondHalves)[client];
      if (found !== undefined) found[n] = Math.min(255, (found[n] ?? 0) + 1);
      // Once is once, wherever it stands; the copies of a doubled one are not reordered as well.
      if ((found?.[n] ?? 0) > 1) continue;
      const before = newest.get(client) ?? 0;
      if (n > before) newest.set(client, n);
      else if (book.outcomeOf(n) === 'dropped') this.#straggling += 1;
      else this.#blame('reordered', `${mark} stands behind ${client}:${before} in ${key}`);
    }
  }

  /** The marks of something without order that holds each at most once. */
  set(key: string, marks: Iterable<string>): void {
    for (const mark of marks) {
      const [client, n] = this.#locate(key, mark);
      const found = this.#found[client];
      if (found !== undefined) found[n] = 1;
    }
  }

  /** What GET says of a client's slot: the newest of its acknowledged SETs, or an ambiguous one behind that. */
  value(book: Book, slot: number, frame: Buffer): void {
    const key = `S:${book.client}:${slot}`;
    const n = Number(/^\$\d+\r\n(\d+)\r\n$/.exec(frame.toString('latin1'))?.[1] ?? 0);
    const acknowledged = book.acknowledgedSet(slot);
    if (n !== 0 && (n > book.count || book.kindOf(n) !== 'set' || book.placeOf(n) !== slot)) {
      this.#blame('phantom', `${key} holds ${n}, which nobody wrote there`);
    } else if (n !== 0 && book.outcomeOf(n) === 'refused') {
      this.#blame('phantom', `${key} holds ${n}, which was refused`);
    } else if (n < acknowledged) {
      if (acknowledged <= book.lossFloor) this.#excused += 1;
      else if (n !== 0 && book.outcomeOf(n) === 'dropped') this.#straggling += 1;
      else this.#blame('lost', `${key} holds ${n}, but ${acknowledged} was acknowledged`);
    }
  }

  verdict(): Verdict {
    for (const book of this.ledger.books) {
      for (let n = 1; n <= book.count; n += 1) this.#judge(book, n);
    }
    const { ok, refused, unknown, dropped } = this.ledger.counts;
    const facts = {
      faults: this.#faults,
      offenders: this.#offenders,
      acknowledged: ok,
      refused,
      ambiguous: unknown + dropped,
      ambiguousPresent: this.#ambiguousPresent,
      excused: this.#excused,
      straggling: this.#straggling,
    };
    return { ...facts, report: reportOf(facts, this.ledger) };
  }

  #judge(book: Book, n: number): void {
    const outcome = book.outcomeOf(n);
    const kind = book.kindOf(n);
    if (outcome === 'open') this.#blame('hung', `${describe(book, n)} was never answered`);
    if (kind === 'set') return;
    const times = this.#found[book.client]?.[n] ?? 0;
    const seconds = this.#secondHalves[book.client]?.[n] ?? 0;
    if (kind === 'pair' && times !== seconds) {
      this.#blame(
        'split',
        `${describe(book, n)}: its halves are there ${times} and ${seconds} times`,
      );
    }
    if (times > 1) this.#blame('doubled', `${describe(book, n)} is there ${times} times`);
    if (times > 0 && outcome === 'refused') this.#blame('phantom', `${describe(book, n)} is there`);
    if (times > 0 && (outcome === 'unknown' || outcome === 'dropped')) this.#ambiguousPresent += 1;
    if (times === 0 && outcome === 'ok') {
      if (n <= book.lossFloor) this.#excused += 1;
      else this.#blame('lost', `${describe(book, n)} is not there`);
    }
  }

  /** Whose mark that is; null, and a phantom, if nobody wrote it to this key. */
  #locate(key: string, mark: string): [client: number, n: number, book: Book | null] {
    const [, client = '', number = ''] = MARK.exec(mark) ?? [];
    const book = this.ledger.book(Number(client));
    const n = Number(number);
    if (
      book === null ||
      book.db !== this.db ||
      n > book.count ||
      keyOf(book, n) !== key.replace(/:[ab]$/, '')
    ) {
      this.#blame('phantom', `${key} (db ${this.db}) holds ${mark}, which nobody wrote there`);
      return [-1, 0, null];
    }
    return [book.client, n, book];
  }

  #blame(fault: Fault, what: string): void {
    this.#faults[fault] += 1;
    if (this.#faults[fault] <= OFFENDERS_PER_FAULT) this.#offenders.push(`${fault}: ${what}`);
  }
}

const KEY_OF: Readonly<Record<MarkKind, string>> = {
  push: 'L',
  stream: 'X',
  set: 'S',
  field: 'H',
  member: 'T',
  pair: 'P',
  script: 'E',
};

/** The key (for a pair: what its two keys begin with) that mark `n` goes to. */
export function keyOf(book: Book, n: number): string {
  const kind = book.kindOf(n);
  const owner = kind === 'set' ? `:${book.client}` : '';
  return `${KEY_OF[kind]}${owner}:${book.placeOf(n)}`;
}

function describe(book: Book, n: number): string {
  return `${book.client}:${n} (${book.kindOf(n)}, ${keyOf(book, n)}, ${book.outcomeOf(n)})`;
}

async function readList(client: RawClient, key: string): Promise<string[]> {
  const marks: string[] = [];
  for (let from = 0; ; from += PAGE) {
    const page = marksIn(await client.ask('LRANGE', key, from, from + PAGE - 1));
    for (const mark of page) marks.push(mark);
    if (page.length < PAGE) return marks;
  }
}

async function readStream(client: RawClient, key: string): Promise<string[]> {
  const marks: string[] = [];
  for (let from = '-'; ;) {
    const reply = await client.ask('XRANGE', key, from, '+', 'COUNT', PAGE);
    const page = marksIn(reply);
    for (const mark of page) marks.push(mark);
    if (page.length < PAGE) return marks;
    from = `(${/.*\r\n(\d+-\d+)\r\n/s.exec(reply)?.[1] ?? ''}`;
  }
}

/** All values of a reply that look like marks, in order. An error is no answer to this question. */
function marksIn(reply: string): string[] {
  assert.ok(!reply.startsWith('-'), `the upstream cannot be read: ${reply.slice(0, 200)}`);
  return reply.split('\r\n').filter((line) => MARK.test(line));
}

function reportOf(facts: Omit<Verdict, 'report'>, { refusals, slowestMs }: Ledger): string {
  const refused = [...refusals].map(([error, times]) => `  refused ${times} × ${error}`);
  return [
    `${facts.acknowledged} acknowledged, ${facts.refused} refused, ${facts.ambiguous} ambiguous ` +
      `(${facts.ambiguousPresent} took effect, ${facts.straggling} straggling), ` +
      `${facts.excused} lost by the upstream itself, slowest answer ${Math.round(slowestMs)} ms`,
    Object.entries(facts.faults)
      .map(([fault, count]) => `${fault} ${count}`)
      .join(' · '),
    ...facts.offenders.map((offender) => `  ${offender}`),
    ...refused,
  ].join('\n');
}
