/** The replayer over a scripted upstream: what a real one cannot be made to do on demand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Replayer } from '../../src/outage/replay/replayer.js';
import { UpstreamConnection } from '../../src/upstream/connection.js';
import { FenceRegister } from '../../src/upstream/fences.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { FakeTransport, type FakeStream } from '../helpers/fake-transport.js';
import { HeldJournal } from '../helpers/held-journal.js';
import { RecordingLogger } from '../helpers/replaying.js';
import { turn } from '../helpers/test-client.js';
import { connectionOptions } from '../helpers/test-connection.js';

const ABSENT = '+OK\r\n$-1\r\n';

/** The replies to WATCH and GET when the cursor is `seq`. */
function cursorAt(seq: number): string {
  return `+OK\r\n$${String(seq).length}\r\n${seq}\r\n`;
}

/** The replies to a batch of `commands` (those between MULTI and EXEC), of which these elements are not `:1`. */
function applied(commands: number, elements: Record<number, string> = {}): string {
  const all = Array.from({ length: commands }, (_, index) => `${elements[index] ?? ':1'}\r\n`);
  return `+OK\r\n${'+QUEUED\r\n'.repeat(commands)}*${commands}\r\n${all.join('')}`;
}

function refused(commands: number, errors: Record<number, string>): string {
  const all = Array.from({ length: commands }, (_, index) => `${errors[index] ?? '+QUEUED'}\r\n`);
  return `+OK\r\n${all.join('')}-EXECABORT Transaction discarded because of previous errors.\r\n`;
}

class Scripted {
  readonly clock = new FakeClock();
  readonly transport = new FakeTransport();
  readonly fences = new FenceRegister(() => undefined);
  readonly logger = new RecordingLogger();
  readonly journal: HeldJournal;
  readonly replayer: Replayer;
  readonly events: string[] = [];

  constructor(journal = new HeldJournal(), ratePerSecond: number | null = null) {
    this.journal = journal;
    const { clock, transport, fences, logger, events } = this;
    this.replayer = new Replayer({
      journal,
      connect: (connectionEvents) =>
        new UpstreamConnection(
          connectionOptions({ clock, transport, kind: 'pinned' }),
          connectionEvents,
        ),
      fences,
      clock,
      logger,
      cursorKey: 'cursor',
      ratePerSecond,
      onApplied: (seq) => events.push(`applied ${seq}`),
      onCaughtUp: () => events.push('caught up'),
      onFailed: (cause) => events.push(`failed: ${cause.message}`),
      onDeadLetter: (label) => events.push(`dead letter ${label}`),
    });
  }

  get stream(): FakeStream {
    return this.transport.last;
  }

  /** Started and let in, up to the answer to WATCH and GET. */
  started(cursor = ABSENT): this {
    this.replayer.start();
    this.stream.open();
    this.clock.endTick();
    assert.deepEqual(this.sent(), ['MULTI', 'EXEC']);
    this.say('+OK\r\n*0\r\n');
    assert.deepEqual(this.sent(), ['WATCH cursor', 'GET cursor']);
    this.say(cursor);
    return this;
  }

  say(text: string): void {
    this.stream.say(text);
    this.clock.endTick();
  }
  /** The commands sent since the last look. */
  sent(): string[] {
    return this.stream.sentCommands();
  }
  /** What the owner was told since the last look. */
  seen(): string[] {
    return this.events.splice(0);
  }
  lines(event: string): string[] {
    return this.logger.lines.filter((line) => line.startsWith(event));
  }
}

function pushes(journal: HeldJournal, count: number): void {
  for (let n = 0; n < count; n += 1) journal.add(0, 'RPUSH', 'l', n);
}

test('nothing is sent before WATCH and GET were answered, and the next ones travel behind EXEC', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 300);
  scripted.started();
  const first = scripted.sent();
  assert.equal(first.length, 1 + 256 + 1 + 1 + 2);
  assert.deepEqual(first.slice(0, 2), ['MULTI', 'RPUSH l 0']);
  assert.deepEqual(first.slice(-4), ['SET cursor 256', 'EXEC', 'WATCH cursor', 'GET cursor']);
  scripted.say(applied(257));
  assert.deepEqual(scripted.sent(), []);
  scripted.say(cursorAt(256));
  assert.deepEqual(scripted.seen(), ['applied 0', 'applied 256']);
  assert.equal(scripted.sent().length, 1 + 44 + 1 + 1 + 2);
  assert.equal(scripted.journal.releasedSeq, 256);
  scripted.say(applied(45) + cursorAt(300));
  assert.deepEqual(scripted.seen(), ['applied 300', 'caught up']);
  assert.equal(scripted.replayer.replayedTotal, 300);
});

test('the next batch is taken in meanwhile, but its EXEC waits for the answer to WATCH and GET', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 700);
  scripted.started();
  const first = scripted.sent();
  assert.deepEqual(first.slice(255, 262), [
    'RPUSH l 254',
    'RPUSH l 255',
    'SET cursor 256',
    'EXEC',
    'WATCH cursor',
    'GET cursor',
    'MULTI',
  ]);
  assert.equal(first.at(-1), 'SET cursor 512');
  scripted.say(applied(257));
  assert.deepEqual(scripted.sent(), []);
  scripted.say(`${cursorAt(256)}+OK\r\n`);
  assert.deepEqual(scripted.sent().slice(0, 5), [
    'EXEC',
    'WATCH cursor',
    'GET cursor',
    'MULTI',
    'RPUSH l 512',
  ]);
  const rest = applied(257).slice('+OK\r\n'.length);
  scripted.say(rest + cursorAt(512));
  assert.deepEqual(scripted.sent(), ['EXEC', 'WATCH cursor', 'GET cursor']);
  assert.deepEqual(scripted.seen(), ['applied 0', 'applied 256', 'applied 512']);
});

test('what was taken in is discarded when something else is next, and the cursor is read again', async () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 600);
  scripted.started().sent();
  // The first batch was not applied: it goes first, without the record to blame.
  scripted.say(refused(257, { 3: '-ERR no' }) + ABSENT);
  await turn();
  scripted.clock.endTick();
  assert.deepEqual(scripted.sent(), ['DISCARD', 'WATCH cursor', 'GET cursor']);
  scripted.say(`+OK\r\n${'+QUEUED\r\n'.repeat(257)}+OK\r\n${ABSENT}`);
  assert.deepEqual(scripted.sent().slice(0, 5), [
    'MULTI',
    'RPUSH l 0',
    'RPUSH l 1',
    'RPUSH l 2',
    'RPUSH l 4',
  ]);
});

test('a pause discards what was taken in, and what follows it reads the cursor first', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 600);
  scripted.started().sent();
  scripted.replayer.pause();
  scripted.say(applied(257) + cursorAt(256));
  assert.deepEqual(scripted.sent(), ['DISCARD', 'WATCH cursor', 'GET cursor']);
  scripted.say(`+OK\r\n${'+QUEUED\r\n'.repeat(257)}+OK\r\n${cursorAt(256)}`);
  assert.deepEqual(scripted.sent(), []);
  scripted.replayer.resume();
  scripted.clock.endTick();
  assert.deepEqual(scripted.sent().slice(0, 2), ['MULTI', 'RPUSH l 256']);
});

test('what is fenced is killed first, and nothing is replayed while that is impossible', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 1);
  scripted.fences.add({ id: '7', addr: '10.0.0.1:5' });
  scripted.replayer.start();
  scripted.stream.open();
  scripted.clock.endTick();
  assert.deepEqual(scripted.sent(), ['CLIENT KILL ID 7 ADDR 10.0.0.1:5']);
  scripted.say('-BUSY Redis is busy\r\n');
  assert.match(scripted.seen().join(), /^failed: .*kill/);
  assert.equal(scripted.stream.ending, 'reset');
  scripted.replayer.start();
  scripted.stream.open();
  scripted.clock.endTick();
  assert.deepEqual(scripted.sent(), ['CLIENT KILL ID 7 ADDR 10.0.0.1:5']);
  scripted.say(':1\r\n');
  assert.deepEqual(scripted.sent(), ['MULTI', 'EXEC']);
});

test('what somebody else has killed meanwhile, and what is to be killed since, does not stop replay', () => {
  const scripted = new Scripted();
  const { fences } = scripted;
  fences.add({ id: '7', addr: 'a' });
  scripted.replayer.start();
  scripted.stream.open();
  scripted.clock.endTick();
  scripted.sent();
  fences.confirm(fences.killCommands()!, Buffer.from(':1\r\n'));
  fences.add({ id: '8', addr: 'b' });
  scripted.say(':0\r\n');
  assert.deepEqual(scripted.sent(), ['CLIENT KILL ID 8 ADDR b']);
  scripted.say(':1\r\n');
  assert.deepEqual(scripted.sent(), ['MULTI', 'EXEC']);
});

test('a batch that was overtaken ran nothing: the cursor is read again and replay goes on from there', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 3);
  scripted.started(cursorAt(0));
  assert.equal(scripted.sent()[1], 'RPUSH l 0');
  // A batch of an earlier connection has arrived after all: it had the first two.
  scripted.replayer.stop();
  scripted.started(cursorAt(0)).sent();
  scripted.say(`+OK\r\n${'+QUEUED\r\n'.repeat(4)}*-1\r\n${cursorAt(2)}`);
  assert.deepEqual(scripted.sent().slice(0, 3), ['MULTI', 'RPUSH l 2', 'SET cursor 3']);
});

test('a cursor that somebody else keeps moving stops replay for now', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 1);
  scripted.started();
  for (let times = 0; times < 20; times += 1)
    scripted.say(`+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n${ABSENT}`);
  assert.deepEqual(scripted.seen(), ['applied 0']);
  scripted.say(`+OK\r\n+QUEUED\r\n+QUEUED\r\n*-1\r\n`);
  assert.match(scripted.seen().join(), /^failed: .*somebody else/);
});

test('replay waits until a dead letter is written down, and stops where that is impossible', async () => {
  const scripted = new Scripted();
  const { journal } = scripted;
  pushes(journal, 2);
  journal.deadLetters.problem = new Error('the disk is full');
  scripted.started().sent();
  scripted.say(applied(3, { 1: '-WRONGTYPE Operation' }) + cursorAt(2));
  assert.deepEqual(scripted.seen(), ['applied 0']);
  await turn();
  assert.deepEqual(scripted.seen(), ['failed: dead letters cannot be kept']);
  assert.equal(journal.releasedSeq, 0);
  // It is tried again before anything else, and nothing that was applied is sent again.
  journal.deadLetters.problem = null;
  pushes(journal, 1);
  scripted.replayer.start();
  scripted.stream.open();
  scripted.clock.endTick();
  scripted.sent();
  scripted.say('+OK\r\n*0\r\n');
  await turn();
  scripted.clock.endTick();
  assert.deepEqual(journal.deadLetters.reasons, ['2: WRONGTYPE Operation']);
  assert.deepEqual(scripted.sent(), ['WATCH cursor', 'GET cursor']);
  scripted.say(cursorAt(2));
  assert.deepEqual(scripted.seen(), ['dead letter WRONGTYPE', 'applied 2']);
  assert.deepEqual(scripted.sent().slice(0, 3), ['MULTI', 'RPUSH l 0', 'SET cursor 3']);
  assert.equal(scripted.replayer.replayedTotal, 1);
});

test('records that are to blame for a refused batch become dead letters, the rest is sent again', async () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 3);
  scripted.started().sent();
  scripted.say(refused(4, { 1: "-ERR unknown command 'RPUSH'" }) + ABSENT);
  await turn();
  scripted.clock.endTick();
  assert.deepEqual(scripted.sent(), [
    'MULTI',
    'RPUSH l 0',
    'RPUSH l 2',
    'SET cursor 3',
    'EXEC',
    'WATCH cursor',
    'GET cursor',
  ]);
  scripted.say(applied(3) + cursorAt(3));
  assert.deepEqual(scripted.seen().slice(-2), ['applied 3', 'caught up']);
  assert.equal(scripted.replayer.replayedTotal, 2);
});

test('a record that is a dead letter of an earlier run is not sent', () => {
  const journal = new HeldJournal();
  pushes(journal, 2);
  journal.addTransaction(0, ['RPUSH', 'l', 'a'], ['RPUSH', 'l', 'b']);
  const letter = { wallMs: 0, diedWallMs: 0, db: 0, flags: 0, bytes: Buffer.alloc(0) };
  const reason = 'ERR no';
  journal.deadLetters.letters.push({ ...letter, id: 1, seq: 1, commands: 1, reason });
  // One command of a transaction: the rest of it may have to be applied again.
  journal.deadLetters.letters.push({ ...letter, id: 2, seq: 3, commands: 1, reason });
  const scripted = new Scripted(journal).started();
  assert.deepEqual(scripted.sent().slice(1, 4), ['RPUSH l 1', 'RPUSH l a', 'RPUSH l b']);
});

test('a journal of nothing but dead letters is done without a batch', () => {
  const journal = new HeldJournal();
  pushes(journal, 1);
  const letter = { id: 1, seq: 1, commands: 1, wallMs: 0, diedWallMs: 0, db: 0, flags: 0 };
  journal.deadLetters.letters.push({ ...letter, bytes: Buffer.alloc(0), reason: 'ERR no' });
  const scripted = new Scripted(journal).started();
  assert.deepEqual(scripted.sent(), []);
  assert.deepEqual(scripted.seen(), ['applied 1', 'caught up']);
  assert.equal(scripted.replayer.replayedTotal, 0);
});

test('OOM is borne for a minute and ten tries; then these records give way to the ones behind them', async () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 2);
  const refusal = refused(3, { 0: '-OOM command not allowed', 1: '-OOM x', 2: '-OOM x' }) + ABSENT;
  for (let tries = 0; tries < 11; tries += 1) {
    scripted.started().sent();
    scripted.say(refusal);
    assert.match(scripted.seen().at(-1)!, /^failed: OOM/);
    scripted.clock.advance(tries === 0 ? 1000 : 5500);
  }
  scripted.clock.advance(5000);
  scripted.started().sent();
  scripted.say(refusal);
  await turn();
  scripted.clock.endTick();
  assert.deepEqual(scripted.journal.deadLetters.reasons, [
    '1: OOM command not allowed',
    '2: OOM command not allowed',
  ]);
  assert.deepEqual(scripted.seen().slice(-2), ['applied 2', 'caught up']);
  assert.equal(scripted.journal.pendingRecords, 0);
});

test('a record that takes the connection down each time is found, sent alone, and in the end given up', async () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 3);
  const sizes: number[] = [];
  for (let tries = 0; tries < 12; tries += 1) {
    scripted.started();
    await turn();
    scripted.clock.endTick();
    const batch = scripted.sent();
    sizes.push(batch.filter((command) => command.startsWith('RPUSH')).length);
    scripted.stream.close(new Error('reset'));
    scripted.clock.advance(6000);
  }
  assert.deepEqual(sizes, [3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
  assert.match(scripted.journal.deadLetters.reasons.join(), /^1: LOST /);
});

test('silence over a batch is borne as long as a command may take, and not longer', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 1);
  scripted.started();
  scripted.clock.advance(1900);
  assert.deepEqual(scripted.seen(), ['applied 0']);
  scripted.clock.advance(500);
  assert.match(scripted.seen().join(), /^failed: .*did not reply/);
  assert.equal(scripted.stream.ending, 'reset');
});

test('a cursor that cannot be had stops replay with the reason', () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 1);
  scripted.started('-NOPERM No permissions\r\n$-1\r\n');
  assert.match(scripted.seen().join(), /^failed: .*cursor.*NOPERM/);
});

test('replies after a stop change nothing', async () => {
  const scripted = new Scripted();
  pushes(scripted.journal, 2);
  scripted.started().sent();
  const { stream } = scripted;
  scripted.replayer.stop();
  stream.say(applied(3, { 1: '-WRONGTYPE x' }));
  await turn();
  assert.deepEqual(scripted.seen(), ['applied 0']);
  assert.deepEqual(scripted.journal.deadLetters.reasons, []);
  assert.equal(scripted.replayer.isActive, false);
});

test('the rate is kept, and a poke does not hurry it', () => {
  const scripted = new Scripted(new HeldJournal(), 100);
  pushes(scripted.journal, 30);
  scripted.started();
  const rpush = (): number => scripted.sent().filter((one) => one.startsWith('RPUSH')).length;
  assert.equal(rpush(), 10);
  scripted.say(applied(11) + cursorAt(10));
  scripted.replayer.poke();
  scripted.clock.endTick();
  assert.equal(rpush(), 0);
  scripted.clock.advance(11);
  assert.equal(rpush(), 1);
  scripted.say(applied(2) + cursorAt(11));
  scripted.clock.advance(100);
  assert.equal(rpush(), 1);
});

test('a long replay says how far it is', () => {
  const scripted = new Scripted(new HeldJournal(), 100);
  pushes(scripted.journal, 1500);
  scripted.started();
  let at = 0;
  for (let turns = 0; turns < 2000 && at < 1500; turns += 1) {
    const batch = scripted.sent().filter((one) => one.startsWith('RPUSH')).length;
    at += batch;
    if (batch > 0) scripted.say(applied(batch + 1) + cursorAt(at));
    scripted.clock.advance(10);
  }
  assert.deepEqual(scripted.lines('replay begins'), ['replay begins {"records":1500}']);
  const progress = scripted.lines('replaying');
  assert.equal(progress.length, 2);
  const { done, left, perSecond, secondsToGo } = JSON.parse(
    progress[0]!.replace('replaying ', ''),
  ) as Record<string, number>;
  assert.equal(done! + left!, 1500);
  assert.ok(Math.abs(perSecond! - 102) < 10, `${perSecond}`);
  assert.ok(Math.abs(secondsToGo! - 10) <= 1, `${secondsToGo}`);
  assert.match(scripted.lines('replay done').join(), /"done":1500,"left":0/);
});

test('the cursor is removed by the rules of a batch, after a few tries if need be', async () => {
  const scripted = new Scripted();
  scripted.replayer.deleteCursor();
  await turn();
  await turn();
  scripted.stream.close(new Error('refused'));
  scripted.clock.advance(1000);
  scripted.stream.open();
  scripted.clock.endTick();
  assert.deepEqual(scripted.sent(), ['WATCH cursor', 'GET cursor']);
  scripted.say(cursorAt(5));
  assert.deepEqual(scripted.sent(), ['MULTI', 'DEL cursor', 'EXEC']);
  scripted.say('+OK\r\n+QUEUED\r\n*-1\r\n');
  scripted.clock.advance(1000);
  assert.equal(scripted.transport.streams.length, 3);
  scripted.stream.open();
  scripted.clock.endTick();
  scripted.sent();
  scripted.say(ABSENT);
  assert.equal(scripted.stream.ending, 'reset');
  assert.deepEqual(scripted.sent(), []);
  scripted.clock.advance(10_000);
  assert.equal(scripted.transport.streams.length, 3);
});
