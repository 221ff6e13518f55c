/**
 * A client library that runs rounds (`script-round.ts`) until it is told that it is enough. What differs between
 * libraries and their ways (one command at a time, in one tick, in a pipeline, in a transaction) is one function that
 * says the steps of one round; `script-client-*.ts` have those.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Cleanup } from './child-process.js';
import type { ScriptRecord } from './script-record.js';
import { stepsOf, type Step } from './script-round.js';

/** What a run asks of a client; its record says how it went. */
export interface ScriptClient {
  readonly record: ScriptRecord;
  /** Rounds, one after the other, until `isEnough`. Never rejects because of a reply. */
  run(isEnough: () => boolean): Promise<void>;
  /** The next round begins a new life: what stood under the old keys is gone. */
  renew(): void;
}

/** A way of a library: how it is called, and how it is connected. */
export interface Way {
  readonly name: string;
  /**
   * A client that is told NOSCRIPT and can say the script again by itself, with nothing behind it that would be
   * overtaken, or that hands over the source each time: it needs no sidecar, and is here so that none disturbs it.
   */
  readonly needsNoSidecar?: true;
  connect(t: Cleanup, port: number): Promise<ScriptClient>;
}

/** Says the steps of one round and resolves with the replies, errors among them. */
export type Say = (steps: readonly Step[]) => Promise<readonly unknown[]>;

/** A connection that was lost is back soon; who asks in between is refused. */
const AGAIN_AFTER_MS = 20;

/** A client of this process. */
export class LocalScriptClient implements ScriptClient {
  #mayGoOn = false;

  constructor(
    readonly record: ScriptRecord,
    private readonly say: Say,
  ) {}

  async run(isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      const life = this.record.begin();
      this.#mayGoOn = true;
      while (this.#mayGoOn && !isEnough()) {
        const steps = stepsOf(life.prefix, life.rounds + 1);
        const replies = await this.say(steps).catch(asError);
        const outcome = this.record.judge(life, replies);
        if (outcome !== 'right') this.#mayGoOn = false;
        if (outcome === 'failed') await pause(AGAIN_AFTER_MS);
      }
    }
  }

  renew(): void {
    this.#mayGoOn = false;
  }
}

/** Results of promises that were made in one tick, errors as values. */
export async function settled(replies: readonly Promise<unknown>[]): Promise<unknown[]> {
  return Promise.all(replies.map((reply) => reply.catch(asError)));
}

function asError(problem: unknown): Error {
  return problem instanceof Error ? problem : new Error(String(problem));
}
