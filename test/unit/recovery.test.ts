/** What becomes of commands that were not answered because their connection was lost (SEMANTICS §3, I5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recovery, type Ambiguity, type Consequence } from '../../src/proxy/recovery.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { encodeCommand } from '../helpers/raw-client.js';

const CAUSE = new Error('gone');

interface LossOptions {
  isAdrift?: boolean;
  inTransaction?: boolean;
  ambiguity?: Ambiguity;
}

interface Judged {
  /** `SET a 1: again`; what was not kept is `?`. */
  verdicts: string[];
  consequence: Consequence;
}

/** `SET a 1` was sent, `-SET a 1` was not; `?` and `-?` were not kept. Each comes back in a call of its own. */
function collect(recovery: Recovery, lost: readonly string[], inTransaction: boolean): void {
  for (const item of lost) {
    const wasSent = !item.startsWith('-');
    const command = wasSent ? item : item.slice(1);
    const requests = command === '?' ? null : encodeCommand(...command.split(' '));
    recovery.collect(1, requests, wasSent, inTransaction, CAUSE);
  }
}

function takeAll(recovery: Recovery): string[] {
  const verdicts: string[] = [];
  for (let head = recovery.head; head !== undefined; head = recovery.head) {
    const { frame, verdict, cause } = head;
    assert.equal(cause, CAUSE);
    verdicts.push(`${frame === null ? '?' : commandsIn(frame)[0]}: ${verdict}`);
    recovery.done();
  }
  return verdicts;
}

function judged(
  lost: readonly string[],
  { inTransaction = false, isAdrift = false, ambiguity = 'repeat' }: LossOptions = {},
): Judged {
  const recovery = new Recovery();
  collect(recovery, lost, inTransaction);
  const consequence = recovery.judge(ambiguity, isAdrift);
  return { verdicts: takeAll(recovery), consequence };
}

test('what changes nothing when said again is said again, the rest has an unknown outcome', () => {
  const lost = ['GET a', 'SET a 1', 'DEL a', 'HSET h f v', 'INCR n', 'RPUSH l 1', 'EVAL s 0'];
  assert.deepEqual(judged(lost), {
    verdicts: [
      ...['GET a: again', 'SET a 1: repeat', 'DEL a: repeat', 'HSET h f v: repeat'],
      ...['INCR n: unknown', 'RPUSH l 1: unknown', 'EVAL s 0: unknown'],
    ],
    consequence: 'none',
  });
});

test('where ambiguity is to be reported only reads are said again', () => {
  const lost = ['GET a', 'SET a 1', 'DEL a', 'INCR n'];
  assert.deepEqual(judged(lost, { ambiguity: 'report' }).verdicts, [
    ...['GET a: again', 'SET a 1: unknown', 'DEL a: unknown', 'INCR n: unknown'],
  ]);
});

test('what never left is said again, whatever it is', () => {
  for (const ambiguity of ['repeat', 'report'] as const) {
    const { verdicts } = judged(['-INCR n', '-EVAL s 0', '-SET a 1', '-FLUSHALL'], { ambiguity });
    assert.deepEqual(verdicts, [
      ...['INCR n: again', 'EVAL s 0: again', 'SET a 1: again', 'FLUSHALL: again'],
    ]);
  }
});

test('settings are said again: they are only about the connection that is gone', () => {
  const lost = ['SELECT 5', 'AUTH a b', 'HELLO 3', 'CLIENT SETNAME me', 'WATCH k', 'UNWATCH'];
  const expected = lost.map((command) => `${command}: again`);
  assert.deepEqual(judged(lost, { ambiguity: 'report' }).verdicts, expected);
});

test('a transaction whose EXEC was not sent has done nothing', () => {
  const lost = ['MULTI', 'INCR n', 'RPUSH l 1'];
  assert.deepEqual(judged(lost, { ambiguity: 'report' }), {
    verdicts: ['MULTI: again', 'INCR n: again', 'RPUSH l 1: again'],
    consequence: 'none',
  });
  assert.deepEqual(judged(['INCR n', '-RPUSH l 1'], { inTransaction: true }).verdicts, [
    ...['INCR n: again', 'RPUSH l 1: again'],
  ]);
});

test('I5: with an EXEC that was sent, all that it may have run has an unknown outcome', () => {
  assert.deepEqual(judged(['GET a', 'MULTI', 'SET a 1', 'GET a', 'EXEC', 'GET a']), {
    verdicts: [
      ...['GET a: again', 'MULTI: unknown', 'SET a 1: unknown', 'GET a: unknown'],
      ...['EXEC: unknown', 'GET a: again'],
    ],
    consequence: 'ended',
  });
  assert.deepEqual(judged(['SET a 1', 'EXEC', 'SET b 2'], { inTransaction: true }), {
    verdicts: ['SET a 1: unknown', 'EXEC: unknown', 'SET b 2: repeat'],
    consequence: 'ended',
  });
});

test('a transaction that never left is said again as a whole', () => {
  assert.deepEqual(judged(['-MULTI', '-INCR n', '-EXEC']), {
    verdicts: ['MULTI: again', 'INCR n: again', 'EXEC: again'],
    consequence: 'none',
  });
});

test('a transaction whose EXEC had not left is not said again piece by piece: none of it ran, none of it will', () => {
  assert.deepEqual(
    judged(['RPUSH a 1', '-RPUSH b 1', '-EXEC', '-GET k'], { inTransaction: true }),
    {
      verdicts: [
        ...['RPUSH a 1: unavailable', 'RPUSH b 1: unavailable', 'EXEC: unavailable'],
        'GET k: again',
      ],
      consequence: 'ended',
    },
  );
});

test('a WATCH is not left standing when the EXEC that it was for has an unknown outcome', () => {
  const { verdicts } = judged(['WATCH k', 'MULTI', 'SET k v', 'EXEC', 'WATCH j']);
  assert.deepEqual(verdicts, [
    ...['WATCH k: unknown', 'MULTI: unknown', 'SET k v: unknown', 'EXEC: unknown'],
    'WATCH j: again',
  ]);
});

test('after DISCARD a transaction has never been', () => {
  assert.deepEqual(judged(['MULTI', 'INCR n', 'DISCARD', 'INCR m', 'EXEC']), {
    verdicts: [
      ...['MULTI: again', 'INCR n: again', 'DISCARD: again', 'INCR m: unknown', 'EXEC: unknown'],
    ],
    consequence: 'ended',
  });
});

test('what was not kept is not said again, and its transaction cannot run without it', () => {
  assert.deepEqual(judged(['GET a', '?', 'GET b']), {
    verdicts: ['GET a: again', '?: unknown', 'GET b: again'],
    consequence: 'none',
  });
  assert.deepEqual(judged(['-?']).verdicts, ['?: unavailable']);
  const { verdicts, consequence } = judged(['MULTI', 'SET a 1', '?', '-SET b 2']);
  assert.equal(consequence, 'broken');
  assert.ok(
    verdicts.every((verdict) => !verdict.endsWith(': again')),
    verdicts.join(),
  );
});

test('what is lost again comes before what has not been said again yet', () => {
  const recovery = new Recovery();
  collect(recovery, ['GET a', 'GET b', 'GET c'], false);
  recovery.judge('repeat', false);
  recovery.done();
  recovery.done();
  collect(recovery, ['GET a', 'GET b'], false);
  assert.equal(recovery.head, undefined, 'not before it has been judged');
  assert.ok(recovery.isActive);
  recovery.judge('repeat', false);
  assert.deepEqual(takeAll(recovery), ['GET a: again', 'GET b: again', 'GET c: again']);
  assert.ok(!recovery.isActive);
});

test('nothing is left when the client has gone', () => {
  const recovery = new Recovery();
  collect(recovery, ['GET a', 'SET b 1'], false);
  recovery.judge('repeat', false);
  collect(recovery, ['GET c'], false);
  recovery.clear();
  assert.ok(!recovery.isActive);
  assert.equal(recovery.head, undefined);
});

const PIPELINE = [
  ...['GET a', 'INCR a', 'WATCH w', 'MULTI', 'SET a 1', 'INCR b', 'EXEC', 'SET c 2'],
  ...['MULTI', 'RPUSH d 1', 'DISCARD', 'RPUSH e 1', 'MULTI', 'INCR f', 'EXEC', 'GET g'],
];

/** By place in the pipeline: where its transaction ends with EXEC, or null. */
const EXEC_OF = PIPELINE.map((_, index) => {
  const before = PIPELINE.slice(0, index + 1);
  const began = before.lastIndexOf('MULTI');
  const ended = Math.max(before.slice(0, -1).lastIndexOf('EXEC'), before.lastIndexOf('DISCARD'));
  if (began === -1 || ended > began) return null;
  const exec = PIPELINE.indexOf('EXEC', index);
  const discard = PIPELINE.indexOf('DISCARD', index);
  return discard !== -1 && discard < exec ? null : exec;
});

/** `answered` commands were, the ones up to `sent` were sent. */
function everyCut(look: (answered: number, sent: number) => void): void {
  for (let answered = 0; answered <= PIPELINE.length; answered += 1)
    for (let sent = answered; sent <= PIPELINE.length; sent += 1) look(answered, sent);
}

test('I5: wherever a pipeline is cut, nothing that may have had an effect is said again', () => {
  everyCut((answered, sent) => {
    const lost = PIPELINE.slice(answered).map((command, index) =>
      answered + index < sent ? command : `-${command}`,
    );
    const before = PIPELINE.slice(0, answered);
    const ends = Math.max(before.lastIndexOf('EXEC'), before.lastIndexOf('DISCARD'));
    const inTransaction = before.lastIndexOf('MULTI') > ends;
    const { verdicts } = judged(lost, { inTransaction });
    const told = verdicts.map((one) => one.split(': '));
    assert.deepEqual(
      told.map(([command]) => command),
      PIPELINE.slice(answered),
      'in order, each once',
    );
    told.forEach(([command, verdict], index) => {
      const place = answered + index;
      const exec = EXEC_OF[place]!;
      const mayHaveRun = exec === null ? place < sent : exec < sent;
      const isHarmful = /^(INCR|RPUSH)/.test(command!) && !isDiscarded(place);
      const where = `${command} at ${place}, answered ${answered}, sent ${sent}`;
      if (verdict === 'unknown') assert.ok(place < sent, `${where}: it never left`);
      if (verdict === 'again') assert.ok(!(mayHaveRun && isHarmful), `${where}: twice`);
      if (command === 'EXEC' && place < sent) assert.equal(verdict, 'unknown', where);
    });
  });
});

/** Inside the transaction that DISCARD drops. */
function isDiscarded(place: number): boolean {
  const discard = PIPELINE.indexOf('DISCARD');
  return place < discard && place > PIPELINE.lastIndexOf('MULTI', discard);
}

test('wherever a pipeline is cut, a transaction is said again as a whole or not at all', () => {
  everyCut((answered, sent) => {
    const lost = PIPELINE.slice(answered).map((command, index) =>
      answered + index < sent ? command : `-${command}`,
    );
    if (!lost.some((command) => command.endsWith('MULTI'))) return;
    const { verdicts } = judged(lost);
    for (let at = 0; at < verdicts.length; at += 1) {
      if (!verdicts[at]!.startsWith('MULTI')) continue;
      const end = verdicts.findIndex((one, index) => index > at && /^(EXEC|DISCARD)/.test(one));
      const block = verdicts.slice(at, end === -1 ? undefined : end + 1);
      const again = block.filter((one) => one.endsWith(': again')).length;
      assert.ok([0, block.length].includes(again), block.join());
    }
  });
});

test('I4: what was refused is said again, unless something newer may have run', () => {
  const busy = Buffer.from('-BUSY\r\n');
  const verdicts = (newer: string): string[] => {
    const recovery = new Recovery();
    recovery.collect(1, encodeCommand('RPUSH', 'l', '1'), false, false, CAUSE, busy);
    collect(recovery, [newer], false);
    recovery.judge('repeat', false);
    return takeAll(recovery);
  };
  assert.deepEqual(verdicts('SET a 1'), ['RPUSH l 1: again', 'SET a 1: repeat']);
  assert.deepEqual(verdicts('INCR n'), ['RPUSH l 1: refused', 'INCR n: unknown']);
  assert.deepEqual(verdicts('-INCR n'), ['RPUSH l 1: again', 'INCR n: again']);
});

test('I5: an EXEC that was lost behind something refused has run nothing', () => {
  const recovery = new Recovery();
  recovery.collect(1, encodeCommand('INCR', 'n'), false, true, CAUSE, Buffer.from('-BUSY\r\n'));
  collect(recovery, ['INCR m', 'EXEC', 'MULTI', 'EXEC'], true);
  assert.equal(recovery.judge('repeat', true), 'ended');
  assert.deepEqual(takeAll(recovery), [
    ...['INCR n: refused', 'INCR m: refused', 'EXEC: refused'],
    ...['MULTI: unknown', 'EXEC: unknown'],
  ]);
});
