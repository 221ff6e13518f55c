/**
 * The generated cases, run in three ways: one by one, each inside MULTI … EXEC, and mixed in
 * pipelines. Each run returns what differed.
 */
import { encodeCommand } from '../helpers/raw-client.js';
import type { Case, CaseGroup } from './cases.js';
import { RESET_ALL, RESET_KEYS } from './fixture.js';
import type { Outcome, Pair } from './lock-step.js';
import { sameExec, sameReply } from './masks.js';
import { chooseFrom, type Random } from './random.js';
import { describeOutcome, escaped, type Difference } from './report.js';

const MULTI = encodeCommand('MULTI');
const EXEC = encodeCommand('EXEC');
const ERROR = '-'.charCodeAt(0);
const FENCE = encodeCommand('ECHO', 'fence');

/** How a case is put on the wire, and what its replies are compared as. */
interface Way {
  readonly name: string;
  readonly frames: number;
  readonly wrap: (bytes: Buffer) => Buffer;
  readonly same: (commands: readonly string[], a: Outcome, b: Outcome) => boolean;
}

const SINGLE: Way = {
  name: 'single',
  frames: 1,
  wrap: (bytes) => bytes,
  same: (commands, a, b) => sameFrames(commands, a, b),
};

const TRANSACTION: Way = {
  name: 'transaction',
  frames: 3,
  wrap: (bytes) => Buffer.concat([MULTI, bytes, EXEC]),
  same: ([command = ''], a, b) => sameTransaction([command], a, b),
};

/** Every case alone: sent, answered by both, compared. */
export function runSingle(pair: Pair, groups: readonly CaseGroup[]): Promise<Difference[]> {
  return runCases(pair, groups, SINGLE);
}

/** Every case as the only command of a transaction. */
export function runTransactions(pair: Pair, groups: readonly CaseGroup[]): Promise<Difference[]> {
  return runCases(pair, groups, TRANSACTION);
}

/** `count` pipelines of `depth` random cases, each sent in one write; every third one is a transaction. */
export async function runPipelines(
  pair: Pair,
  groups: readonly CaseGroup[],
  { count, depth, random }: { count: number; depth: number; random: Random },
): Promise<Difference[]> {
  const usable = groups.map(pipelinable).filter((cases) => cases.length > 0);
  const differences: Difference[] = [];
  for (let i = 0; i < count; i += 1) {
    await pair.reset(RESET_ALL);
    const cases = Array.from({ length: depth }, () =>
      chooseFrom(random, chooseFrom(random, usable)),
    );
    differences.push(...(await runPipeline(pair, cases, i % 3 === 2)));
  }
  await pair.disconnect();
  return differences;
}

/** Cases that leave connection and key space predictable and never wait for ever. */
function pipelinable({ entry, cases, isPipelined }: CaseGroup): Case[] {
  if (!isPipelined) return [];
  return cases.filter(({ label }) => label !== 'by hand' || !entry.flags.has('blocking'));
}

async function runCases(pair: Pair, groups: readonly CaseGroup[], way: Way): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const group of groups) {
    await pair.reset(RESET_ALL);
    for (const each of group.cases) differences.push(...(await runCase(pair, group, each, way)));
    differences.push(...(await checkFence(pair, group.entry.name, way, 'after all cases')));
  }
  await pair.disconnect();
  return differences;
}

async function runCase(pair: Pair, group: CaseGroup, each: Case, way: Way): Promise<Difference[]> {
  const bytes = way.wrap(each.bytes);
  const [a, b] = await pair.exchange(bytes, way.frames);
  const differences: Difference[] = [];
  // Both silent is no agreement: such a case waits for nothing and belongs into a scenario.
  if (a.ending === 'silent' || !way.same([each.command], a, b)) {
    differences.push(difference(pair, way.name, each, a, b));
  }
  if (group.connection === 'own') {
    differences.push(...(await checkFence(pair, each.command, way, escaped(bytes))));
  }
  if (a.ending !== 'open' || b.ending !== 'open' || group.connection === 'own') {
    await pair.disconnect();
  }
  if (group.reset === 'nothing' || (group.reset === 'keys' && wasRefused(a, b))) return differences;
  const [one, other] = await pair.reset(group.reset === 'all' ? RESET_ALL : RESET_KEYS);
  if (one !== other && !group.diverges) {
    const what = { frames: [], ending: 'open', rest: '' } as const;
    differences.push({
      ...difference(pair, way.name, each, what, what),
      direct: `key space ${one}`,
      through: `key space ${other}`,
    });
  }
  return differences;
}

/** Redis checks before it acts: a command that answers an error has changed no key. */
function wasRefused(a: Outcome, b: Outcome): boolean {
  const [last, twin] = [a.frames.at(-1), b.frames.at(-1)];
  if (last === undefined || twin === undefined) return false;
  return isRefusal(last) && isRefusal(twin);
}

/** An error, or EXEC's array of one error. */
function isRefusal(frame: Buffer): boolean {
  return frame[0] === ERROR || frame.subarray(0, 5).toString('latin1') === '*1\r\n-';
}

/** After a case both connections must be at the same point: open and in step, or closed. */
async function checkFence(
  pair: Pair,
  command: string,
  way: Way,
  after: string,
): Promise<Difference[]> {
  const [a, b] = await pair.exchange(FENCE);
  if (sameFrames(['echo'], a, b)) return [];
  await pair.disconnect();
  const mode = `${way.name} RESP${pair.protocol}, connection afterwards`;
  const [direct, through] = [describeOutcome(a), describeOutcome(b)];
  return [{ mode, command, sent: after, direct, through }];
}

async function runPipeline(
  pair: Pair,
  cases: readonly Case[],
  isTransaction: boolean,
): Promise<Difference[]> {
  const all = cases.map((each) => each.bytes);
  const bytes = Buffer.concat(isTransaction ? [MULTI, ...all, EXEC] : all);
  const commands = cases.map((each) => each.command);
  const [a, b] = await pair.exchange(bytes, all.length + (isTransaction ? 2 : 0));
  const isSame = isTransaction ? sameTransaction(commands, a, b) : sameFrames(commands, a, b);
  if (a.ending !== 'open' || b.ending !== 'open') await pair.disconnect();
  if (isSame && a.ending !== 'silent') return [];
  const at = a.frames.findIndex((frame, i) => {
    const twin = b.frames[i];
    return twin === undefined || !sameReply(commands[isTransaction ? i - 1 : i] ?? '', frame, twin);
  });
  const culprit = cases[isTransaction ? at - 1 : at];
  return [
    {
      mode: `pipeline${isTransaction ? ' in a transaction' : ''} RESP${pair.protocol}, reply ${at}`,
      command: culprit?.command ?? 'exec',
      sent: escaped(culprit?.bytes ?? bytes),
      direct: describeOutcome({ ...a, frames: a.frames.slice(at, at + 1) }),
      through: describeOutcome({ ...b, frames: b.frames.slice(at, at + 1) }),
    },
  ];
}

function sameFrames(commands: readonly string[], a: Outcome, b: Outcome): boolean {
  if (a.ending !== b.ending || a.rest !== b.rest || a.frames.length !== b.frames.length)
    return false;
  return a.frames.every((frame, i) => {
    const twin = b.frames[i];
    return twin !== undefined && sameReply(commands[i] ?? '', frame, twin);
  });
}

/** MULTI's and the queueing's replies as they are, EXEC's element by element. */
function sameTransaction(commands: readonly string[], a: Outcome, b: Outcome): boolean {
  if (sameFrames(['multi', ...commands], a, b)) return true;
  const [last, twin] = [a.frames.at(-1), b.frames.at(-1)];
  if (last === undefined || twin === undefined || a.ending !== b.ending) return false;
  const head = (outcome: Outcome): Outcome => ({ ...outcome, frames: outcome.frames.slice(0, -1) });
  if (!sameFrames(['multi', ...commands], head(a), head(b))) return false;
  const isQueued = (i: number): boolean => a.frames[i + 1]?.toString() === '+QUEUED\r\n';
  return sameExec(
    commands.filter((_, i) => isQueued(i)),
    last,
    twin,
  );
}

function difference(pair: Pair, way: string, each: Case, a: Outcome, b: Outcome): Difference {
  return {
    mode: `${way} RESP${pair.protocol}, ${each.label}`,
    command: each.command,
    sent: escaped(each.bytes),
    direct: describeOutcome(a),
    through: describeOutcome(b),
  };
}
