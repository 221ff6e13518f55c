/** What must hold after any order of events on an `OrderStage`. */
import assert from 'node:assert/strict';
import type { OrderStage } from './order-stage.js';
import { TIE, type Asked, type Talker } from './order-talker.js';

const SAY_OK: ReadonlySet<string> = new Set(['MULTI', 'WATCH k', TIE]);

/** EXEC, when a watched key may have changed. */
const NIL = '*-1 ';

function isError(reply: string): boolean {
  return reply.startsWith('-');
}

/** Whether this may be the reply to `asked`, and no other command's. */
function answers({ command, marks, isSetting }: Asked, reply: string, watches: boolean): boolean {
  if (isError(reply)) return /^-(UNKNOWNOUTCOME|UNAVAILABLE|EXECABORT|BUSY) /.test(reply);
  if (SAY_OK.has(command)) return reply === '+OK ';
  // A WATCH that was lost fails every EXEC that is sent before its client can have heard of it.
  if (command === 'EXEC' && reply === NIL) return watches;
  if (command === 'EXEC') {
    const told = reply.split(' ').filter((word) => /^:?\d+$/.test(word));
    const results = marks.length + (isSetting === true ? 1 : 0);
    return (
      reply.startsWith(`*${results} `) &&
      told.map((word) => word.replace(':', '')).join() === marks.join()
    );
  }
  if (marks.length === 0) return reply === '+QUEUED ';
  return reply === `:${marks[0]} ` || reply === `$2 ${marks[0]} ` || reply === `$3 ${marks[0]} `;
}

/**
 * I1: as many replies as commands, each its own. Who may or may not be in another database, because the reply to its EXEC
 * was lost, is hung up on.
 */
export function checkReplies({ asked: said, replies, name, isHungUpOn }: Talker): void {
  const mayBeLost = said.slice(replies.length).some(({ isSetting }) => isSetting === true);
  const asked = isHungUpOn && mayBeLost ? said.slice(0, replies.length) : said;
  assert.equal(replies.length, asked.length, `I1: ${name} is owed a reply`);
  const watches = asked.some(({ isGuarded }) => isGuarded);
  asked.forEach((one, index) =>
    assert.ok(
      answers(one, replies[index]!, watches),
      `I1: ${name}: ${one.command} → ${replies[index]}`,
    ),
  );
}

/** I4: that a script runs is told only where it is too late to wait: something newer was served, or may have been. */
export function checkBusy({ asked, replies, name }: Talker): void {
  const lastServed = replies.findLastIndex(
    (reply) => (!isError(reply) && reply !== '+QUEUED ') || reply.startsWith('-UNKNOWNOUTCOME'),
  );
  replies.forEach((reply, index) => {
    const isBusy = /^-(EXECABORT .*)?BUSY /.test(reply);
    assert.ok(!isBusy || index < lastServed, `${name}: ${asked[index]!.command} → ${reply}`);
  });
}

const PUSHES = /^(?:RPUSH|EVAL \S+ 1|EVALSHA \S+ 1) \w+ (\d+)$/;

/** The marks of all RPUSHes of `name` that took effect, in order. */
function pushedBy(stage: OrderStage, name: string): number[] {
  return stage.effects
    .filter((command) => command.startsWith(`RPUSH ${name} `))
    .map((command) => Number(command.split(' ')[2]));
}

/** What may not run twice has run once when its client was told so, and at most once otherwise. */
export function checkEffects(stage: OrderStage, { asked, replies, name }: Talker): void {
  const effects = pushedBy(stage, name);
  assert.deepEqual(
    effects,
    effects.toSorted((a, b) => a - b),
    `I4: out of order: ${name}`,
  );
  const times = (mark: string): number => effects.filter((one) => one === Number(mark)).length;
  let queued: string[] = [];
  asked.forEach(({ command, marks }, index) => {
    const reply = replies[index] ?? '-UNKNOWNOUTCOME hung up on ';
    if (command === 'MULTI') queued = [];
    const pushed = PUSHES.exec(command)?.[1];
    if (pushed !== undefined && marks.length === 0) queued.push(pushed);
    const concerned =
      command === 'EXEC' ? queued : pushed !== undefined && marks.length > 0 ? [pushed] : [];
    for (const mark of concerned) {
      const where = `${name}: RPUSH ${mark} → ${reply}`;
      assert.ok(times(mark) <= 1, `I5: twice: ${where}`);
      if (!isError(reply) && reply !== NIL) assert.equal(times(mark), 1, `L: lost: ${where}`);
      else if (!reply.startsWith('-UNKNOWNOUTCOME'))
        assert.equal(times(mark), 0, `E: untrue: ${where}`);
    }
  });
}
