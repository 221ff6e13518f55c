/** Who looks at replies on behalf of scripts, and who holds refusals: each by itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/base/logger.js';
import { ExistsReceiver } from '../../src/proxy/exists-receiver.js';
import { HeldReplies } from '../../src/proxy/held-replies.js';
import { isNoScript, ScriptLookup, type LookupResult } from '../../src/proxy/script-lookup.js';
import { ScriptRegistry } from '../../src/script/registry.js';
import type { ReplyReceiver } from '../../src/upstream/receiver.js';
import { Busy } from '../../src/upstream/busy.js';
import { FakeClock } from '../helpers/fake-clock.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { sha1 } from '../helpers/marking-server.js';
import { encodeCommand } from '../helpers/raw-client.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';

const KNOWN = 'return_1';
const OTHER = 'return_2';
const MISSING = '-NOSCRIPT No matching script. Please use EVAL.\r\n';
const UNKNOWN_SHOW = "-ERR Unknown subcommand or wrong number of arguments for 'SHOW'.\r\n";
const LOST = new Error('gone');

// ── what the upstream knows of a script ────────────────────────────────────────────────────────────

class LookupStage {
  readonly clock = new FakeClock();
  readonly registry = new ScriptRegistry({ maxBytes: 64 * 1024 });
  readonly results: LookupResult[] = [];
  private readonly asked: { answered: (reply: Buffer | null) => void; command: string }[] = [];
  private answerPing: ((reply: Buffer | null) => void) | null = null;
  readonly busy = new Busy({
    clock: this.clock,
    random: () => 0.5,
    logger: silentLogger,
    ask: (answered) => (this.answerPing = answered),
    onChange: () => undefined,
  });
  readonly lookup = new ScriptLookup({
    clock: this.clock,
    registry: this.registry,
    busy: this.busy,
    ask: (command, answered) =>
      void this.asked.push({ answered, command: commandsIn(command)[0]! }),
  });

  ask(source: string): void {
    this.lookup.ask(Buffer.from(sha1(source)), (result) => this.results.push(result));
  }

  /** The oldest question is answered, or lost. Returns the question without the sha1. */
  answer(reply: string | null): string {
    const { answered, command } = this.asked.shift()!;
    answered(reply === null ? null : Buffer.from(reply));
    return command.slice(0, command.lastIndexOf(' '));
  }

  /** The script that keeps the upstream busy has ended. */
  endBusy(): void {
    this.clock.advance(20);
    this.answerPing!(Buffer.from('+PONG\r\n'));
  }

  get questions(): number {
    return this.asked.length;
  }
}

test('a source that the upstream shows is learned', () => {
  const stage = new LookupStage();
  stage.ask(KNOWN);
  assert.equal(stage.answer(`$8\r\n${KNOWN}\r\n`), 'SCRIPT SHOW');
  assert.deepEqual(stage.results, ['learned']);
  assert.ok(stage.registry.has(Buffer.from(sha1(KNOWN))));
});

test('a source of another script, or one that is too long to be kept, proves that there is one', () => {
  const stage = new LookupStage();
  stage.ask(KNOWN);
  stage.answer(`$8\r\n${OTHER}\r\n`);
  stage.ask('x');
  stage.answer(`$20000\r\n${'x'.repeat(20_000)}\r\n`);
  assert.deepEqual(stage.results, ['present', 'present']);
});

test('nobody knows of a script while another one runs: it is asked again, and so it is when the reply is lost', () => {
  const stage = new LookupStage();
  stage.ask(KNOWN);
  stage.answer('-BUSY Redis is busy running a script. You can only call SCRIPT KILL.\r\n');
  assert.deepEqual([stage.results, stage.questions, stage.busy.isBusy], [[], 0, true]);
  stage.endBusy();
  assert.equal(stage.answer(MISSING), 'SCRIPT SHOW');
  stage.ask(KNOWN);
  stage.answer(null);
  assert.deepEqual(stage.results, ['absent', 'unanswered']);
});

test('a script that is not there is absent, in the words of this upstream', () => {
  const stage = new LookupStage();
  stage.ask(KNOWN);
  stage.answer('-NOSCRIPT No matching script.\r\n');
  assert.deepEqual(stage.results, ['absent']);
  assert.equal(stage.lookup.noScript.toString(), '-NOSCRIPT No matching script.\r\n');
});

test('where nothing can be shown, it is asked whether there is one; for a minute that is all it is asked', () => {
  const stage = new LookupStage();
  stage.ask(KNOWN);
  assert.equal(stage.answer(UNKNOWN_SHOW), 'SCRIPT SHOW');
  assert.equal(stage.answer('*1\r\n:1\r\n'), 'SCRIPT EXISTS');
  stage.ask(KNOWN);
  assert.equal(stage.answer('*1\r\n:0\r\n'), 'SCRIPT EXISTS');
  stage.lookup.learnSoon(Buffer.from(sha1(KNOWN)));
  assert.equal(stage.questions, 0);
  stage.clock.advance(60_001);
  stage.ask(KNOWN);
  assert.equal(stage.answer(`$8\r\n${KNOWN}\r\n`), 'SCRIPT SHOW');
  assert.deepEqual(stage.results, ['present', 'absent', 'learned']);
});

test('where it is forbidden to ask, the upstream may have it', () => {
  const stage = new LookupStage();
  stage.ask(KNOWN);
  stage.answer('-NOPERM this user has no permissions\r\n');
  assert.equal(stage.answer('-NOPERM this user has no permissions\r\n'), 'SCRIPT EXISTS');
  assert.deepEqual(stage.results, ['present']);
});

test('the same script is fetched once at a time, and not too many at once', () => {
  const stage = new LookupStage();
  const sha = Buffer.from(sha1(KNOWN));
  stage.lookup.learnSoon(sha);
  stage.lookup.learnSoon(sha);
  assert.equal(stage.questions, 1);
  for (let number = 0; number < 100; number += 1)
    stage.lookup.learnSoon(Buffer.from(sha1(`${number}`)));
  assert.equal(stage.questions, 64);
  stage.answer(MISSING);
  stage.lookup.learnSoon(sha);
  assert.equal(stage.questions, 64);
});

test('a server’s NOSCRIPT is told from that of a script', () => {
  assert.ok(isNoScript(Buffer.from(MISSING)));
  assert.ok(isNoScript(Buffer.from('-NOSCRIPT No matching script.\r\n')));
  assert.ok(!isNoScript(Buffer.from('-NOSCRIPT of mine\r\n')));
});

// ── SCRIPT EXISTS ──────────────────────────────────────────────────────────────────────────────────

function existsStage(...sources: string[]): {
  stage: LookupStage;
  owner: RecordingReceiver;
  receiver: ExistsReceiver;
} {
  const stage = new LookupStage();
  stage.registry.learn(Buffer.from(KNOWN));
  const owner = new RecordingReceiver();
  const shas = sources.map((source) => Buffer.from(sha1(source)));
  return { stage, owner, receiver: new ExistsReceiver(owner, shas, stage) };
}

function give(receiver: ReplyReceiver, ...pieces: string[]): void {
  pieces.forEach((piece, index) => {
    const chunk = Buffer.from(piece);
    receiver.receive(chunk, 0, chunk.length, index === pieces.length - 1 ? 1 : 0);
    chunk.fill(0);
  });
}

test('SCRIPT EXISTS: yes for what is held, whatever the upstream says; no for what nobody can show', () => {
  const { stage, owner, receiver } = existsStage(KNOWN, OTHER, 'x');
  give(receiver, '*3\r\n:', '0\r\n:1\r', '\n:0\r\n');
  assert.deepEqual(owner.seen(), ['1: *3|:1|:0|:0|']);
  // The next time it may be known.
  assert.equal(stage.answer(`$8\r\n${OTHER}\r\n`), 'SCRIPT SHOW');
});

test('SCRIPT EXISTS: yes for what the upstream has, once it has shown that it can show', () => {
  const { stage, owner, receiver } = existsStage(OTHER);
  stage.ask('x');
  stage.answer(MISSING);
  give(receiver, '*1\r\n:1\r\n');
  assert.deepEqual(owner.seen(), ['1: *1|:1|']);
});

test('SCRIPT EXISTS: what is no answer of that kind passes as it came', () => {
  for (const reply of ['+QUEUED\r\n', '-NOPERM no\r\n', '*2\r\n:0\r\n:0\r\n']) {
    const { owner, receiver } = existsStage(KNOWN);
    give(receiver, reply);
    assert.equal(owner.bytes, reply);
  }
});

test('SCRIPT EXISTS: lost in the midst of its reply it is as good as unanswered', () => {
  const { owner, receiver } = existsStage(KNOWN);
  const chunk = Buffer.from('*1\r\n:');
  receiver.receive(chunk, 0, chunk.length, 0);
  receiver.lose(1, true, LOST, null);
  receiver.refuse(1, LOST, null);
  assert.deepEqual(owner.seen(), ['lost 1', 'refused 1']);
});

// ── refusals that are held ─────────────────────────────────────────────────────────────────────────

class HeldStage {
  /** What the client was told. */
  told = '';
  readonly held: HeldReplies;

  /** `requests`: what is outstanding, as far as it belongs to transactions that can be told again. */
  constructor(
    private readonly requests: readonly (string | null)[],
    readonly outstanding = requests.length,
  ) {
    this.held = new HeldReplies(this);
  }

  requestInTransaction(ahead: number): Buffer | null {
    const request = this.requests[ahead] ?? null;
    return request === null ? null : encodeCommand(...request.split(' '));
  }
  receive(chunk: Buffer, start: number, end: number): void {
    this.told += chunk.toString('latin1', start, end).replaceAll('\r\n', '|');
  }

  refuse(request: string): void {
    this.held.add({
      reply: Buffer.from('-BUSY\r\n'),
      request: encodeCommand(...request.split(' ')),
    });
  }
  keeps(text: string): boolean {
    const chunk = Buffer.from(`??${text}`);
    return this.held.keeps(chunk, 2, chunk.length);
  }
}

test('nothing is kept where nothing is held', () => {
  assert.ok(!new HeldStage(['MULTI']).keeps('+OK\r\n'));
});

test('what a refused transaction says is held with it, in pieces too', () => {
  const stage = new HeldStage([null, 'MULTI', 'SET a 1', 'EXEC']);
  stage.refuse('GET a');
  assert.ok(stage.keeps('+O'));
  assert.equal(stage.held.count, 1);
  assert.ok(stage.keeps('K\r\n+QUEUED\r'));
  assert.ok(stage.keeps('\n-EXECABORT Transaction discarded\r\n'));
  assert.ok(stage.held.areAll);
  const held = stage.held.take();
  assert.deepEqual(
    held.map(({ request, reply }) => `${commandsIn(request)[0]} → ${reply.toString().trim()}`),
    [
      ...['GET a → -BUSY', 'MULTI → +OK', 'SET a 1 → +QUEUED'],
      'EXEC → -EXECABORT Transaction discarded',
    ],
  );
  assert.ok(stage.held.isEmpty);
  assert.equal(stage.told, '');
});

test('I1: what ran lets go of all that is held, and of the piece that had come', () => {
  const stage = new HeldStage(['SET a 1', 'EXEC', 'MULTI', 'GET b', 'EXEC']);
  stage.refuse('SET a 1');
  stage.refuse('EXEC');
  assert.ok(stage.keeps('+OK\r\n+QU'));
  assert.ok(!stage.keeps('EUED\r\n*1\r\n$1\r\n1\r\n'));
  // The rest is its giver's to pass on.
  assert.equal(stage.told, '-BUSY|-BUSY|+OK|+QU');
});

test('a reply of nobody’s transaction tells that something was run', () => {
  const stage = new HeldStage([null, null]);
  stage.refuse('SET a 1');
  assert.ok(!stage.keeps('+OK\r\n'));
  assert.equal(stage.told, '-BUSY|');
});
