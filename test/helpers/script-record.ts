/**
 * What one client was told in its rounds (`script-round.ts`), judged as it comes. A round in which anything was not as
 * it must be ends the *life*: the client goes on with other keys, so that each failure counts once.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { connectRaw } from './raw-client.js';
import { SCRIPTS_PER_ROUND, logOf, problemIn, repliesOf } from './script-round.js';

/** Keys of their own, and how many rounds went well with them. */
export interface Life {
  readonly prefix: string;
  rounds: number;
}

/**
 * How a round went. `noScript`: the client was told NOSCRIPT. `wrong`: no error, and still other replies than the only
 * right ones. `failed`: any other error; who expects some counts them in `errors`.
 */
export type RoundOutcome = 'right' | 'noScript' | 'wrong' | 'failed';

const NOTES_LIMIT = 3;

export class ScriptRecord {
  readonly counts: Record<RoundOutcome, number> = { right: 0, noScript: 0, wrong: 0, failed: 0 };
  /** First errors of failed rounds by their first words, and how often. */
  readonly errors = new Map<string, number>();
  /** The first rounds of each kind that were not right, in words. */
  readonly notes: string[] = [];
  readonly lives: Life[] = [];

  constructor(readonly name: string) {}

  /** Scripts that were answered as they must be. */
  get scripts(): number {
    return this.counts.right * SCRIPTS_PER_ROUND;
  }

  /** New keys. */
  begin(): Life {
    const life = { prefix: `${this.name}:${this.lives.length}`, rounds: 0 };
    this.lives.push(life);
    return life;
  }

  /** Judges the replies of the life's next round, or the error that came instead. */
  judge(life: Life, replies: readonly unknown[] | Error): RoundOutcome {
    const outcome = this.outcomeOf(life.rounds + 1, replies);
    this.counts[outcome] += 1;
    if (outcome === 'right') life.rounds += 1;
    else if (this.counts[outcome] <= NOTES_LIMIT) {
      const told = replies instanceof Error ? [replies] : replies;
      this.notes.push(`${outcome}: ${life.prefix} ${life.rounds + 1}: ${told.map(wordsOf).join()}`);
    }
    return outcome;
  }

  /** Fails unless the lists of all lives from number `from` on hold exactly what was written, in its order. */
  async assertLogs(port: number, from = 0): Promise<void> {
    const client = await connectRaw(port);
    try {
      for (const { prefix, rounds } of this.lives.slice(from)) {
        const reply = await client.ask('LRANGE', logOf(prefix), 0, -1);
        const marks = reply.split('\r\n').filter((line) => /^\d+:[asb]$/.test(line));
        assert.equal(problemIn(marks, rounds), null, prefix);
      }
    } finally {
      client.reset();
    }
  }

  /** One line for people, and what went wrong first. */
  describe(): string {
    const counts = Object.entries(this.counts).filter(([, count]) => count > 0);
    const errors = [...this.errors].map(([error, times]) => `${times} × ${error}`);
    const summary = `${this.name}: ${counts.map(([what, count]) => `${count} ${what}`).join(', ')}`;
    return [summary, ...errors, ...this.notes].join('\n  ');
  }

  private outcomeOf(i: number, replies: readonly unknown[] | Error): RoundOutcome {
    const errors = (replies instanceof Error ? [replies] : replies).filter(
      (reply) => reply instanceof Error,
    );
    if (errors.some(({ message }) => message.includes('NOSCRIPT'))) return 'noScript';
    const [first] = errors;
    if (first !== undefined) {
      const words = first.message.replace(/\d+/g, 'n').slice(0, 60);
      this.errors.set(words, (this.errors.get(words) ?? 0) + 1);
      return 'failed';
    }
    return isDeepStrictEqual(replies, repliesOf(i)) ? 'right' : 'wrong';
  }
}

function wordsOf(reply: unknown): string {
  return reply instanceof Error ? reply.message : JSON.stringify(reply);
}
