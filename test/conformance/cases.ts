/**
 * The generated cases: for every entry of the upstream's command table, what is called and how it
 * has to be run. Which connection state a command leaves behind decides whether its cases share a
 * connection; what it may have written decides what is reset after it.
 */
import { encodeCommand } from '../helpers/raw-client.js';
import type { CommandEntry } from './command-table.js';
import { BINARY, type Words } from './fixture.js';
import { MORE_BY_HAND } from './more-by-hand.js';
import { mutantsOf, shortMutantsOf } from './mutations.js';
import { ONLY_BY_HAND } from './only-by-hand.js';
import { sentencesOf } from './sentences.js';
import type { Dumps } from './vocabulary.js';

/** One call. */
export interface Case {
  /** The table's name of what is called: the key of masks. */
  readonly command: string;
  readonly label: string;
  readonly words: Words;
  readonly bytes: Buffer;
}

/** All cases of one table entry. */
export interface CaseGroup {
  readonly entry: CommandEntry;
  readonly cases: readonly Case[];
  /** Each case gets a connection of its own, because the command changes the connection. */
  readonly connection: 'shared' | 'own';
  /** What is put back after each case. */
  readonly reset: 'nothing' | 'keys' | 'all';
  /** Whether its effect depends on chance or time, so that the key space may differ afterwards. */
  readonly diverges: boolean;
  /** Whether it may stand in a pipeline, where what it does is seen by the cases after it. */
  readonly isPipelined: boolean;
}

const CHANGES_CONNECTION =
  /^(auth|hello|select|reset|quit|multi|exec|discard|watch|unwatch|client|asking|readonly|readwrite|script\|debug|acl|replconf|psync|monitor|swapdb|.*subscribe)(\||$)/;

/** After chance decided (SPOP) or the clock named an id (XADD), the digests differ. */
const DIVERGES = /^(spop|xadd|eval|evalsha|restore|migrate|debug)$/;

/** What these leave behind depends on the millisecond in which they ran: EXPIRE … GT would see it. */
const CLOCKED = /^p?expire$/;

/** The cases of every entry, without duplicates. */
export function caseGroups(table: readonly CommandEntry[], dumps: Dumps): CaseGroup[] {
  return table.map((entry) => groupOf(entry, dumps));
}

function groupOf(entry: CommandEntry, dumps: Dumps): CaseGroup {
  const isScripting = entry.group === 'scripting' || entry.group === 'server';
  const writes = !entry.flags.has('readonly') || entry.flags.has('write');
  const connection = CHANGES_CONNECTION.test(entry.name) ? 'own' : 'shared';
  const diverges = DIVERGES.test(entry.name);
  return {
    entry,
    cases: distinct(casesOf(entry, dumps)),
    connection,
    reset: isScripting ? 'all' : writes ? 'keys' : 'nothing',
    diverges,
    isPipelined: connection === 'shared' && !diverges && !CLOCKED.test(entry.name),
  };
}

function casesOf(entry: CommandEntry, dumps: Dumps): Case[] {
  const byHand = ONLY_BY_HAND[entry.name];
  const lines = byHand?.lines ?? MORE_BY_HAND[entry.name] ?? [];
  const curated = lines.map((line) => caseOf(entry, 'by hand', wordsOf(line)));
  if (byHand !== undefined) return curated;
  if (entry.isContainer) return [...curated, ...containerCases(entry)];
  const [canonical = [], ...variants] = sentencesOf(entry, dumps);
  const plain = [canonical, ...variants];
  return [
    ...plain.map((sentence) =>
      caseOf(
        entry,
        'valid',
        sentence.map((value) => value.bytes),
      ),
    ),
    ...curated,
    ...mutantsOf(canonical).map(({ label, words }) => caseOf(entry, label, words)),
    ...variants.flatMap((sentence) =>
      shortMutantsOf(sentence).map(({ label, words }) => caseOf(entry, label, words)),
    ),
    ...spellings(entry.path).map((path) =>
      caseOf(
        entry,
        'spelling',
        canonical.map((value) => value.bytes),
        path,
      ),
    ),
  ];
}

/** `CONFIG`, `CONFIG nosuch`, …: what the container itself answers. */
function containerCases(entry: CommandEntry): Case[] {
  const subcommands: Words[] = [
    ...[[], ['nosuch'], ['nosuch', 'a', 'b'], [''], [BINARY], ['x'.repeat(200)], ['HELP']],
    ...[['help'], ['HELP', 'x'], ['HELPX'], ['he|lp'], [`${entry.name}|help`]],
  ];
  return subcommands.map((words) => caseOf(entry, 'subcommand', words));
}

function spellings(path: readonly string[]): string[][] {
  const mixed = (word: string): string =>
    [...word].map((c, i) => (i % 2 === 0 ? c.toUpperCase() : c)).join('');
  const broken = path.map((word, i) => (i === path.length - 1 ? `${word} ` : word));
  return [path.map((word) => word.toUpperCase()), path.map(mixed), broken];
}

function caseOf(
  entry: CommandEntry,
  label: string,
  args: Words,
  path: readonly string[] = entry.path,
): Case {
  const words = [...path, ...args];
  return { command: entry.name, label, words, bytes: encodeCommand(...words) };
}

function wordsOf(line: string): string[] {
  const words = line.split(' ').filter((word) => word !== '');
  return words.map((word) => (word === '""' ? '' : word));
}

function distinct(cases: readonly Case[]): Case[] {
  const seen = new Set<string>();
  return cases.filter(({ bytes }) => {
    const key = bytes.toString('latin1');
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
