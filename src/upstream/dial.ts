/**
 * What an upstream is and what it allows, asked with the sidecar's own rights. Nothing is written: whether a write would
 * be taken is asked with one that is refused for its form (`SET key value no-such-option`) only after everything else
 * that could refuse it.
 */
import { Interview, type Answer, type InterviewOptions } from './interview.js';

export interface DialOptions extends InterviewOptions {
  /** Database of the clients. */
  readonly db: number;
  /** Prefix of the keys that the sidecar has upstream. */
  readonly keyPrefix: string;
}

/** What the sidecar will need, by what it is for. */
export interface UpstreamAnswers {
  readonly name: Answer;
  readonly info: Answer;
  /** Which server answers on another connection. */
  readonly infoAgain: Answer;
  readonly introduction: Answer;
  readonly fence: Answer;
  readonly database: Answer;
  readonly multi: Answer;
  readonly exec: Answer;
  readonly watchCursor: Answer;
  readonly readCursor: Answer;
  /** An error in any case: a syntax error when a write of the cursor would be taken. */
  readonly moveCursor: Answer;
  readonly removeCursor: Answer;
  readonly probe: Answer;
  /** Errors in any case: that there is no such script, and that the number of keys is none. */
  readonly evalsha: Answer;
  readonly eval: Answer;
  readonly save: Answer;
  readonly appendfsync: Answer;
}

export interface UpstreamFacts {
  readonly answers: UpstreamAnswers;
  /** The lines of INFO; empty when it does not tell. */
  readonly info: ReadonlyMap<string, string>;
  /** Its wall clock minus ours; null when it does not tell. Off by at most the time that the answer took. */
  readonly clockSkewMs: number | null;
}

/** No client has this id. */
const NOBODY = '9223372036854775807';
/** No script has this sha1. */
const NO_SCRIPT = '0'.repeat(40);

/** Rejects with why it cannot be reached. */
export async function dial(options: DialOptions): Promise<UpstreamFacts> {
  const interview = new Interview(options);
  const other = new Interview(options);
  await interview.connect();
  try {
    const ask = (...words: (string | number)[]): Promise<Answer> => interview.ask(...words);
    const cursor = `${options.keyPrefix}cursor:check`;
    const info = await ask('INFO');
    const clockSkewMs = await clockSkewOf(ask, options);
    const answers: UpstreamAnswers = {
      info,
      infoAgain: await other.ask('INFO', 'server'),
      multi: await ask('MULTI'),
      exec: await ask('EXEC'),
      watchCursor: await ask('WATCH', cursor),
      readCursor: await ask('GET', cursor),
      moveCursor: await ask('SET', cursor, 0, 'no-such-option'),
      removeCursor: await ask('DEL', cursor),
      probe: await ask('DEL', `${options.keyPrefix}probe`),
      evalsha: await ask('EVALSHA', NO_SCRIPT, 0),
      eval: await ask('EVAL', 'return 1', 'no-number'),
      save: await ask('CONFIG', 'GET', 'save'),
      appendfsync: await ask('CONFIG', 'GET', 'appendfsync'),
      introduction: await ask('CLIENT', 'INFO'),
      fence: await ask('CLIENT', 'KILL', 'ID', NOBODY, 'ADDR', '127.0.0.1:0'),
      name: await ask('CLIENT', 'SETNAME', 'respool-check'),
      database: await ask('SELECT', options.db),
    };
    return { answers, info: linesOf(info), clockSkewMs };
  } finally {
    interview.close();
    other.close();
  }
}

async function clockSkewOf(
  ask: (...words: string[]) => Promise<Answer>,
  { clock }: DialOptions,
): Promise<number | null> {
  const before = clock.wallMs();
  const answer = await ask('TIME');
  const tookMs = clock.wallMs() - before;
  if (answer.kind !== 'value' || !Array.isArray(answer.value)) return null;
  const [seconds, microseconds] = answer.value.map(Number);
  const skewMs = seconds! * 1000 + microseconds! / 1000 - (before + tookMs / 2);
  return Number.isFinite(skewMs) ? Math.round(skewMs) : null;
}

/** `name:value` lines. */
export function linesOf(info: Answer): ReadonlyMap<string, string> {
  if (info.kind !== 'value' || !Buffer.isBuffer(info.value)) return new Map();
  const lines = info.value.toString('latin1').split('\r\n');
  return new Map(
    lines.flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]];
    }),
  );
}

/** `Redis 7.0.15`, `Valkey 9.1.1`, or a word for a server that does not tell. */
export function serverOf(info: ReadonlyMap<string, string>): string {
  const valkey = info.get('valkey_version');
  if (valkey !== undefined) return `Valkey ${valkey}`;
  const redis = info.get('redis_version');
  return redis === undefined ? 'a server that does not tell its version' : `Redis ${redis}`;
}
