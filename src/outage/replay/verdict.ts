/**
 * What the upstream's answer to a batch means, for the batch and for each of its records. Decides, does nothing.
 *
 *   EXEC's array           applied; elements that are errors are dead letters
 *   nil                    overtaken: the cursor, or a watched stream, has changed; nothing has run
 *   errors at queueing     `server` ► unable, `memory` ► no memory; else these records are dead, and nothing has run
 *   no error but EXEC's    unable, or no memory
 */
import type { JournalRecord } from '../../journal/record.js';
import { placeOf, type Batch } from './batch.js';
import type { BatchOutcome, CommandError } from './exec-reply.js';
import { causeOfAbort, faultOf } from './refusal.js';

/** Commands of a record that failed, by position; null is all of them. */
export interface Failed {
  readonly record: JournalRecord;
  readonly commands: readonly number[] | null;
  readonly reason: string;
}

/** `letters` are to be written down as dead. */
export type Verdict =
  | { readonly kind: 'applied' | 'overtaken' | 'dead'; readonly letters: readonly Failed[] }
  /** The upstream takes no writes for want of memory; `letters` are all records, should that not pass. */
  | { readonly kind: 'no-memory'; readonly letters: readonly Failed[]; readonly cause: Error }
  /** The upstream cannot serve now. */
  | { readonly kind: 'unable'; readonly cause: Error };

/** The upstream answers, but takes no writes in the state it is in. The message begins with its own words. */
export class UpstreamUnable extends Error {}

export function judge(batch: Batch, outcome: BatchOutcome): Verdict {
  switch (outcome.kind) {
    case 'applied':
      return { kind: 'applied', letters: lettersFor(batch, outcome.errors) };
    case 'overtaken':
      return { kind: 'overtaken', letters: [] };
    case 'refused':
      return judgeRefusal(batch, outcome.errors, outcome.text);
  }
}

/** The record for which the upstream hung up, if it said so before it did: one that is no good protocol to it. */
export function hangUpFor(batch: Batch, errors: readonly CommandError[]): Failed | null {
  const error = errors.find(({ text }) => text.startsWith('ERR Protocol error'));
  const [letter] = error === undefined ? [] : lettersFor(batch, [error]);
  return letter === undefined ? null : { ...letter, commands: null };
}

function judgeRefusal(batch: Batch, errors: readonly CommandError[], exec: string): Verdict {
  // No command is to blame; or MULTI itself was refused, and what was behind it may have run.
  const isAboutAll = errors.length === 0 || errors[0]!.index < 0;
  const texts = isAboutAll
    ? [errors[0]?.text ?? causeOfAbort(exec)]
    : errors.map(({ text }) => text);
  const memory = texts.find((text) => faultOf(text) === 'memory');
  const server = isAboutAll ? texts[0] : texts.find((text) => faultOf(text) === 'server');
  if (memory !== undefined)
    return { kind: 'no-memory', letters: allOf(batch, memory), cause: new UpstreamUnable(memory) };
  if (server !== undefined) return { kind: 'unable', cause: new UpstreamUnable(server) };
  const cursor = errors.find(({ index }) => placeOf(batch, index).kind === 'cursor');
  if (cursor !== undefined) {
    const cause = new UpstreamUnable(`the replay cursor cannot be set: ${cursor.text}`);
    return { kind: 'unable', cause };
  }
  const letters = lettersFor(batch, errors).map((letter) => ({ ...letter, commands: null }));
  return { kind: 'dead', letters };
}

function allOf(batch: Batch, reason: string): Failed[] {
  return batch.records.map((record) => ({ record, commands: null, reason }));
}

/** One letter per record, with the reason of its first error. A refused SELECT takes the record behind it. */
function lettersFor(batch: Batch, errors: readonly CommandError[]): Failed[] {
  const letters = new Map<number, { record: JournalRecord; commands: number[]; reason: string }>();
  for (const { index, text } of errors) {
    const place = placeOf(batch, index);
    if (place.kind === 'cursor') continue;
    const { record } = place;
    const letter = letters.get(record.seq) ?? { record, commands: [], reason: text };
    if (place.kind === 'record') letter.commands.push(place.command);
    letters.set(record.seq, letter);
  }
  return [...letters.values()];
}
