/**
 * The corpus of scripts on one server: each snippet begins with the same keys, and all that comes
 * back for it is kept byte for byte, what it has left in the key space included. Two such runs are
 * compared here as bytes; `script-differences.ts` knows what may differ on the embedded engine.
 */
import { createHash } from 'node:crypto';
import { connectRaw, encodeCommand } from '../helpers/raw-client.js';
import type { Words } from './fixture.js';
import type { Protocol } from './lock-step.js';
import { escaped, type Difference } from './report.js';
import { CORPUS } from './scripts/all.js';
import type { Snippet } from './scripts/snippet.js';

/** What a client received for each snippet, by its name. */
export type ScriptRun = ReadonlyMap<string, readonly Buffer[]>;

/** Every snippet of the corpus, by its name. */
export const SNIPPETS: ReadonlyMap<string, Snippet> = new Map(
  Object.values(CORPUS).flatMap((snippets) =>
    Object.entries(snippets).map(([name, snippet]) => [
      name,
      typeof snippet === 'string' ? { source: snippet } : snippet,
    ]),
  ),
);

const KEYS_BEFORE: readonly Words[] = [
  ['FLUSHALL'],
  ['MSET', 'str', 'hello', 'num', '10'],
  ['HSET', 'hash', 'field', 'value'],
  ['RPUSH', 'list', 'a', 'b', 'c'],
  ['SADD', 'set', 'one'],
  ['ZADD', 'zset', '1', 'a', '2.5', 'b'],
  ['XADD', 'stream', '1-1', 'f', 'v'],
];

/** Sent together with the call: what it has written, and whether what follows is answered. */
const LOOK_BACK: readonly Words[] = [['DBSIZE'], ['MGET', 'str', 'num', 'out']];

/** Runs the whole corpus on a connection of its own. The server's keys are lost. */
export async function runScripts(port: number, protocol: Protocol): Promise<ScriptRun> {
  const client = await connectRaw(port);
  if (protocol === 3) await client.command('HELLO', '3');
  const run = new Map<string, readonly Buffer[]>();
  const send = (commands: readonly Words[]): Promise<Buffer[]> => {
    client.write(Buffer.concat(commands.map((words) => encodeCommand(...words))));
    return client.readFrames(commands.length);
  };
  for (const [name, snippet] of SNIPPETS) {
    try {
      const { load, call } = wordsOf(snippet);
      await send([...KEYS_BEFORE, ...(snippet.before ?? [])]);
      run.set(name, [...(await send(load)), ...(await send([call, ...LOOK_BACK]))]);
    } catch (error) {
      throw new Error(`RESP${protocol}, ${name}`, { cause: error });
    }
  }
  await client.close();
  return run;
}

/** The snippets whose bytes differ. `mode` says which two runs these are. */
export function differencesBetween(mode: string, one: ScriptRun, other: ScriptRun): Difference[] {
  const shown = (frames: readonly Buffer[] = []): string => frames.map(escaped).join(' ');
  return [...one].flatMap(([name, frames]) => {
    const [direct, through] = [frames, other.get(name) ?? []];
    if (Buffer.concat(direct).equals(Buffer.concat(through))) return [];
    const sent = escaped(SNIPPETS.get(name)?.source ?? '');
    return [{ mode, command: name, sent, direct: shown(direct), through: shown(through) }];
  });
}

/** What is sent and answered before the call, and the call. */
function wordsOf(snippet: Snippet): { load: Words[]; call: Words } {
  const { source, call = 'EVAL', keys = [], args = [] } = snippet;
  const rest = [snippet.numkeys ?? String(keys.length), ...keys, ...args];
  switch (call) {
    case 'EVAL':
    case 'EVAL_RO':
      return { load: [], call: [call, source, ...rest] };
    case 'EVALSHA': {
      const sha = createHash('sha1').update(source).digest('hex');
      return { load: [['SCRIPT', 'LOAD', source]], call: [call, sha, ...rest] };
    }
    case 'FCALL':
    case 'FCALL_RO':
      return { load: [['FUNCTION', 'LOAD', 'REPLACE', source]], call: [call, 'f', ...rest] };
  }
}
