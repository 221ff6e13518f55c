/** The arguments of `respool journal`: which look at the journal is wanted, or which dead letters are meant. */
import type { Command } from 'commander';

const ACTIONS = {
  ls: 'list the segments and what is pending in them',
  show: 'print the records that are still to be replayed, for people',
  export: 'print them as RESP, for redis-cli --pipe',
  'dead-letters': 'print what Redis answered with an error when it was replayed, with the reason',
  retry: 'put dead letters at the end of the journal again (no sidecar may be running)',
  drop: 'remove dead letters for good (no sidecar may be running)',
} as const;

export type JournalAction = keyof typeof ACTIONS;

/** What `respool journal` is asked to do. */
export interface JournalRequest {
  readonly action: JournalAction;
  /** Records up to and with this number are left out; null for those that had been replayed. */
  readonly afterSeq: number | null;
  /** At most so many are shown. */
  readonly limit: number;
  /** Ids of dead letters, or `all`. */
  readonly ids: readonly string[];
}

/** Texts of the flags as commander hands them over. */
interface Flags {
  readonly dir?: string;
  readonly after?: string;
  readonly limit?: string;
}

const DEFAULT_LIMIT = 100;

/**
 * Adds `journal` and what is below it to the program. `choose` is told what was asked for, the directory that was named if
 * one was, and what is wrong with it.
 */
export function addJournalCommand(
  program: Command,
  choose: (
    request: JournalRequest,
    directory: string | undefined,
    problems: string[],
    command: Command,
  ) => void,
): void {
  const journal = program
    .command('journal')
    .description('look into a journal directory, and settle its dead letters');
  for (const action of Object.keys(ACTIONS) as JournalAction[]) {
    const takesIds = action === 'retry' || action === 'drop';
    const command = journal.command(action).description(ACTIONS[action]);
    command.option('--dir <path>', "the journal directory (default: the sidecar's journal-dir)");
    if (takesIds) command.argument('<ids...>', 'ids of dead letters, or all');
    if (action === 'show' || action === 'export')
      command.option('--after <seq>', 'only records behind this one (0: also what was replayed)');
    if (action === 'show' || action === 'dead-letters')
      command.option('--limit <count>', `at most so many (default: ${DEFAULT_LIMIT})`);
    command.action(() => {
      const flags = command.opts<Flags>();
      const problems: string[] = [];
      const ids = takesIds ? command.args.filter((arg) => !arg.startsWith('-')) : [];
      for (const id of ids)
        if (id !== 'all' && wholeNumber(id) === null)
          problems.push(`${JSON.stringify(id)} is no id of a dead letter; allowed: a number, all`);
      const request = {
        ...{ action, ids },
        afterSeq: numberOf('--after', flags.after, null, problems),
        limit: numberOf('--limit', flags.limit, DEFAULT_LIMIT, problems) ?? DEFAULT_LIMIT,
      };
      choose(request, flags.dir, problems, command);
    });
  }
}

function numberOf(
  flag: string,
  text: string | undefined,
  fallback: number | null,
  problems: string[],
): number | null {
  if (text === undefined) return fallback;
  const number = wholeNumber(text);
  if (number === null) problems.push(`${flag}: ${JSON.stringify(text)} is not a whole number`);
  return number ?? fallback;
}

function wholeNumber(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}
