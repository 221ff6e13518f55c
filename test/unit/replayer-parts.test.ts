import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JournalRecord } from '../../src/journal/record.js';
import { buildBatch, placeOf } from '../../src/outage/replay/batch.js';
import { Cursor } from '../../src/outage/replay/cursor.js';
import { ExecReply, type BatchOutcome } from '../../src/outage/replay/exec-reply.js';
import { Pace } from '../../src/outage/replay/pace.js';
import { PendingKeys } from '../../src/outage/pending-keys.js';
import { causeOfAbort, deadLetterLabel, faultOf } from '../../src/outage/replay/refusal.js';
import { ReplayPosition } from '../../src/outage/replay/replay-position.js';
import { parseId, withPossibleIds } from '../../src/outage/replay/stream-entries.js';
import { judge, hangUpFor } from '../../src/outage/replay/verdict.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { HeldJournal } from '../helpers/held-journal.js';

const cursor = new Cursor('respool:cursor:x');

/** Records of a journal that was filled by `fill`. */
function recordsOf(fill: (journal: HeldJournal) => void): JournalRecord[] {
  const journal = new HeldJournal();
  fill(journal);
  return journal.records;
}

const MIXED = recordsOf((journal) => {
  journal.add(0, 'SET', 'a', '1');
  journal.addTransaction(3, ['SET', 'b', '1'], ['SET', 'c', '1']);
  journal.add(3, 'SET', 'd', '1');
  journal.add(0, 'SET', 'e', '1');
});

test('a batch is one transaction: records in their databases, the cursor home in database 0', () => {
  const batch = buildBatch(MIXED, 4, cursor);
  const commands = commandsIn(batch.bytes);
  assert.deepEqual(commands, [
    'MULTI',
    'SET a 1',
    'SELECT 3',
    'SET b 1',
    'SET c 1',
    'SET d 1',
    'SELECT 0',
    'SET e 1',
    'SET respool:cursor:x 4',
  ]);
  assert.equal(batch.commands, commands.length - 1);
  const home = commandsIn(buildBatch(MIXED.slice(0, 3), 3, cursor).bytes);
  assert.deepEqual(home.slice(-2), ['SELECT 0', 'SET respool:cursor:x 3']);
});

test('every reply of a batch belongs to a record, a SELECT or the cursor', () => {
  const batch = buildBatch(MIXED, 4, cursor);
  const places = Array.from({ length: batch.commands }, (_, index) => {
    const place = placeOf(batch, index);
    if (place.kind === 'cursor') return 'cursor';
    return place.kind === 'select'
      ? `select for ${place.record.seq}`
      : `${place.record.seq}.${place.command}`;
  });
  assert.deepEqual(places, [
    '1.0',
    'select for 2',
    '2.0',
    '2.1',
    '3.0',
    'select for 4',
    '4.0',
    'cursor',
  ]);
  const away = buildBatch(MIXED.slice(0, 3), 3, cursor);
  assert.deepEqual(
    [5, 6].map((index) => placeOf(away, index).kind),
    ['cursor', 'cursor'],
  );
});

/** What EXEC's reply is understood as, given in pieces of `size` bytes. */
function read(commands: number, text: string, size: number): BatchOutcome[] {
  const outcomes: BatchOutcome[] = [];
  const reply = new ExecReply(commands, (outcome) => outcomes.push(outcome));
  const bytes = Buffer.from(`PAD${text}`);
  for (let at = 3; at < bytes.length; at += size)
    reply.receive(bytes, at, Math.min(bytes.length, at + size));
  return outcomes;
}

const REPLIES: readonly (readonly [text: string, expected: BatchOutcome])[] = [
  [
    '+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n+OK\r\n+OK\r\n',
    { kind: 'applied', errors: [] },
  ],
  [
    '+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n-WRONGTYPE Operation\r\n*2\r\n$5\r\n-ERR \r\n:1\r\n+OK\r\n',
    { kind: 'applied', errors: [{ index: 0, text: 'WRONGTYPE Operation' }] },
  ],
  ['+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n', { kind: 'overtaken' }],
  ['+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n_\r\n', { kind: 'overtaken' }],
  [
    "+OK\r\n+QUEUED\r\n-ERR unknown command 'x'\r\n+QUEUED\r\n-EXECABORT because of previous errors.\r\n",
    {
      kind: 'refused',
      errors: [{ index: 1, text: "ERR unknown command 'x'" }],
      text: 'EXECABORT because of previous errors.',
    },
  ],
  [
    '-LOADING Redis\r\n-LOADING Redis\r\n+QUEUED\r\n+QUEUED\r\n-ERR EXEC without MULTI\r\n',
    {
      kind: 'refused',
      errors: [
        { index: -1, text: 'LOADING Redis' },
        { index: 0, text: 'LOADING Redis' },
      ],
      text: 'ERR EXEC without MULTI',
    },
  ],
];

test('EXEC’s reply is understood whole, byte by byte and in pieces of any size', () => {
  for (const [text, expected] of REPLIES) {
    for (let size = 1; size <= text.length; size += 1)
      assert.deepEqual(read(3, text, size), [expected], `${JSON.stringify(text)} by ${size}`);
  }
});

test('an error longer than anybody reads is cut, and what follows is still understood', () => {
  const long = `-ERR ${'x'.repeat(10_000)}\r\n`;
  const [outcome] = read(1, `+OK\r\n+QUEUED\r\n*1\r\n${long}`, 100);
  assert.equal(outcome?.kind, 'applied');
  assert.ok(outcome.errors[0]!.text.length < 3000);
});

test('an error reply says whether the server, its memory or the command is the reason', () => {
  const faults = (texts: string[]): string[] => texts.map(faultOf);
  assert.deepEqual(
    faults(['LOADING x', 'READONLY x', 'MISCONF x', 'NOREPLICAS x', 'MASTERDOWN x', 'BUSY x']),
    new Array<string>(6).fill('server'),
  );
  assert.deepEqual(
    faults(['NOAUTH x', 'OOM x', 'WRONGTYPE x', 'NOPERM x', 'ERR x', 'BUSYGROUP x']),
    ['server', 'memory', 'command', 'command', 'command', 'command'],
  );
  assert.equal(
    causeOfAbort('EXECABORT Transaction discarded because of: BUSY Redis'),
    'BUSY Redis',
  );
  assert.equal(deadLetterLabel('WRONGTYPE Operation against'), 'WRONGTYPE');
  assert.equal(deadLetterLabel('SOMETHING a module says'), 'other');
});

/** What becomes of a batch of MIXED that was refused with these errors (by index), and what EXEC said. */
function refusal(errors: Record<number, string>, exec = 'EXECABORT because of previous errors.') {
  const list = Object.entries(errors)
    .map(([index, text]) => ({ index: Number(index), text }))
    .sort((a, b) => a.index - b.index);
  return judge(buildBatch(MIXED, 4, cursor), { kind: 'refused', errors: list, text: exec });
}

test('a refused batch names the records to blame, whole, and spares the others', () => {
  const verdict = refusal({ 3: 'ERR unknown command', 4: 'NOPERM this user' });
  assert.equal(verdict.kind, 'dead');
  assert.deepEqual(
    verdict.kind === 'dead' &&
      verdict.letters.map(({ record, commands, reason }) => [record.seq, commands, reason]),
    [
      [2, null, 'ERR unknown command'],
      [3, null, 'NOPERM this user'],
    ],
  );
});

test('a refused batch blames no record for what the server, or the cursor, is the reason of', () => {
  assert.equal(refusal({ 0: 'ERR unknown', 1: 'LOADING x' }).kind, 'unable');
  assert.equal(refusal({ 0: 'ERR unknown', 1: 'OOM x' }).kind, 'no-memory');
  assert.equal(refusal({}, 'EXECABORT Transaction discarded because of: OOM x').kind, 'no-memory');
  assert.equal(
    refusal({}, 'EXECABORT Transaction discarded because of: READONLY x').kind,
    'unable',
  );
  assert.equal(refusal({}, 'ERR something nobody knows').kind, 'unable');
  assert.equal(refusal({ [-1]: 'NOPERM multi', 0: 'NOPERM x' }).kind, 'unable');
  const withCursor = refusal({ 0: 'NOPERM x', 7: 'NOPERM key' });
  assert.match(withCursor.kind === 'unable' ? withCursor.cause.message : '', /cursor.*NOPERM key/);
});

test('of a transaction that ran only the commands that failed are dead', () => {
  const errors = [
    { index: 2, text: 'WRONGTYPE a' },
    { index: 4, text: 'WRONGTYPE b' },
  ];
  const verdict = judge(buildBatch(MIXED, 4, cursor), { kind: 'applied', errors });
  assert.deepEqual(
    verdict.kind === 'applied' &&
      verdict.letters.map(({ record, commands, reason }) => [record.seq, commands, reason]),
    [
      [2, [0], 'WRONGTYPE a'],
      [3, [0], 'WRONGTYPE b'],
    ],
  );
});

test('the record over which the upstream hung up is known when the upstream has said why', () => {
  const batch = buildBatch(MIXED, 4, cursor);
  const guilty = hangUpFor(batch, [{ index: 3, text: 'ERR Protocol error: invalid bulk length' }]);
  assert.equal(guilty?.record.seq, 2);
  assert.equal(hangUpFor(batch, [{ index: 3, text: 'ERR other' }]), null);
});

/** A position in a journal whose records are `firstSeq` to `lastSeq`, of which `openedAt` were there at the start. */
function positionIn(firstSeq: number, openedAt: number, lastSeq: number, released = firstSeq - 1) {
  const journal = new HeldJournal(firstSeq - 1);
  while (journal.lastSeq < openedAt) journal.add(0, 'SET', 'k', 'v');
  journal.release(released);
  const position = new ReplayPosition(journal);
  while (journal.lastSeq < lastSeq) journal.add(0, 'SET', 'k', 'v');
  return position;
}

test('a cursor covers what an earlier run has replayed', () => {
  const position = positionIn(1, 10, 12);
  assert.equal(position.read(7), 'ahead');
  assert.equal(position.appliedSeq, 7);
});

test('an absent cursor covers nothing that the journal has', () => {
  const fresh = positionIn(101, 100, 110);
  assert.equal(fresh.read(null), 'ahead');
  assert.equal(fresh.appliedSeq, 100);
  const emptied = positionIn(101, 110, 110, 105);
  assert.equal(emptied.read(null), 'behind');
  assert.equal(emptied.appliedSeq, 100);
});

test('a cursor that vanishes on the same connection takes nothing back', () => {
  const position = positionIn(1, 0, 20);
  position.read(null);
  position.sent(10);
  position.applied(10);
  assert.equal(position.read(10), 'same');
  assert.equal(position.read(null), 'ahead');
  assert.equal(position.appliedSeq, 10);
  position.forgetCursor();
  assert.equal(position.read(null), 'behind');
  assert.equal(position.appliedSeq, 0);
});

test('an upstream with older data is replayed from its own cursor, as far as the journal has it', () => {
  const position = positionIn(5, 4, 20);
  position.read(null);
  position.sent(15);
  position.applied(15);
  position.forgetCursor();
  assert.equal(position.read(9), 'behind');
  assert.equal(position.appliedSeq, 9);
  position.forgetCursor();
  assert.equal(position.read(2), 'behind');
  assert.equal(position.appliedSeq, 4);
});

test('a cursor beyond what this journal can have sent covers no new record', () => {
  // The journal lost 11–15, which were replayed; new records have got these numbers.
  const position = positionIn(1, 10, 14, 0);
  assert.equal(position.read(15), 'ahead');
  assert.equal(position.appliedSeq, 10);
});

test('a batch whose reply was lost is covered when the cursor says so', () => {
  const position = positionIn(1, 0, 20);
  position.read(null);
  position.sent(10);
  position.forgetCursor();
  assert.equal(position.read(10), 'ahead');
  assert.equal(position.appliedSeq, 10);
});

test('the replies about the cursor are read, and what is no cursor is refused', () => {
  assert.equal(cursor.readingOf(Buffer.from('+OK\r\n$3\r\n123\r\n')), 123);
  assert.equal(cursor.readingOf(Buffer.from('+OK\r\n$-1\r\n')), null);
  for (const text of ['+OK\r\n$3\r\nabc\r\n', '+OK\r\n-WRONGTYPE x\r\n', '-NOPERM x\r\n$-1\r\n'])
    assert.throws(() => cursor.readingOf(Buffer.from(text)), /replay cursor respool:cursor:x/);
});

/** The XADDs of these records as they are sent, when the streams have these last ids. */
function ids(records: JournalRecord[], last: Record<string, string> | null): string[] {
  const known =
    last === null ? null : new Map(Object.entries(last).map(([key, id]) => [key, parseId(id)]));
  const { records: settled, renamed } = withPossibleIds(records, known);
  const commands = settled.flatMap(({ bytes }) => commandsIn(bytes));
  return [...commands, `renamed ${renamed}`];
}

test('an entry keeps its id as long as the stream can take it, and none behind a new id does', () => {
  const records = recordsOf((journal) => {
    journal.add(0, 'xAdd', 's', '6-0', 'f', '1');
    journal.add(0, 'xAdd', 's', 'NOMKSTREAM', 'MAXLEN', '~', '10', 'LIMIT', '5', '4-1', 'f', '2');
    journal.add(0, 'xAdd', 's', 'MINID', '=', '3', '7-0', 'f', '3');
    journal.add(0, 'XADD', 's', '1-0', 'f', 'chosen by a client');
    journal.add(1, 'XADD', 's', '1-1', 'f', '4');
    journal.add(0, 'SET', 'XADD', 'XADD');
  });
  assert.deepEqual(ids(records, { '0/s': '5-3', '1/s': '0-0' }), [
    'xAdd s 6-0 f 1',
    'XADD s NOMKSTREAM MAXLEN ~ 10 LIMIT 5 * f 2',
    'XADD s MINID = 3 * f 3',
    'XADD s 1-0 f chosen by a client',
    'XADD s 1-1 f 4',
    'SET XADD XADD',
    'renamed 2',
  ]);
});

test('entries for streams of which nothing is known: no told id where they cannot be watched', () => {
  const records = recordsOf((journal) => {
    journal.addTransaction(0, ['SET', 'a', '1'], ['xAdd', 's', '1-1', 'f', 'v']);
    journal.add(0, 'xAdd', 's', '5-*', 'f', 'v');
    journal.add(0, 'XADD', 's', '*', 'f', 'v');
  });
  assert.deepEqual(ids(records, null), [
    'SET a 1',
    'XADD s * f v',
    'XADD s * f v',
    'XADD s * f v',
    'renamed 2',
  ]);
  assert.deepEqual(ids(records, {}).at(-1), 'renamed 0');
});

test('the pace lets a burst through, then the rate', () => {
  const clock = new FakeClock();
  const pace = new Pace(1000, clock);
  assert.equal(pace.allowance, 100);
  pace.take(100);
  assert.equal(pace.allowance, 0);
  let woken = 0;
  pace.wait(() => (woken += 1));
  assert.equal(pace.isAwaited, true);
  clock.advance(0.9);
  assert.equal(woken, 0);
  clock.advance(0.1);
  assert.equal(woken, 1);
  clock.advance(49);
  assert.equal(pace.allowance, 50);
  pace.take(150);
  clock.advance(100);
  assert.equal(pace.allowance, 0);
  clock.advance(10_000);
  assert.equal(pace.allowance, 100);
  assert.equal(new Pace(null, clock).allowance, Infinity);
});

test('a key is known to wait from its last record, in its own database', () => {
  const keys = new PendingKeys();
  keys.note(0, Buffer.from('a'), 5);
  keys.note(0, Buffer.from('a'), 9);
  keys.note(1, Buffer.from('b'), 7);
  assert.equal(keys.seqOf(0, Buffer.from('a')), 9);
  assert.equal(keys.seqOf(1, Buffer.from('a')), 0);
  assert.equal(keys.seqOf(0, Buffer.from('b')), 0);
  keys.noteAll(8);
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => keys.seqOf(0, Buffer.from(key))),
    [9, 8, 8],
  );
});

test('keys that share a place never make a waiting one look free', () => {
  const keys = new PendingKeys();
  for (let seq = 1; seq <= 200_000; seq += 1) keys.note(seq % 4, Buffer.from(`key:${seq}`), seq);
  for (let seq = 1; seq <= 200_000; seq += 1)
    assert.ok(keys.seqOf(seq % 4, Buffer.from(`key:${seq}`)) >= seq);
  let taken = 0;
  const few = new PendingKeys();
  for (let seq = 1; seq <= 1000; seq += 1) few.note(0, Buffer.from(`user:${seq}:cart`), seq);
  for (let n = 1; n <= 10_000; n += 1) if (few.seqOf(0, Buffer.from(`other:${n}`)) > 0) taken += 1;
  assert.ok(taken < 400, `${taken} of 10,000 keys share a place with one of 1,000`);
});
