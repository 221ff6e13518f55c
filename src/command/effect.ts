/** The effect of a command whose arguments decide it, and the few facts about arguments that a session needs. */
import { COMMANDS, type SessionEffect } from './table.js';

/** CLIENT subcommands that are not here neither leave anything on the connection nor speak of it. */
const CLIENT_EFFECTS: Readonly<Record<string, SessionEffect>> = {
  setname: 'name',
  getname: 'name',
  setinfo: 'library',
  // These name the connection they run on, so the client keeps the one it was told about.
  id: 'sticky',
  info: 'sticky',
  list: 'sticky',
  reply: 'sticky',
  tracking: 'sticky',
  trackinginfo: 'sticky',
  caching: 'sticky',
  getredir: 'sticky',
  'no-evict': 'sticky',
  'no-touch': 'sticky',
  // May mean the connection it runs on: kept apart from the shared ones for its duration.
  kill: 'apart',
  capa: 'sticky',
  'import-source': 'sticky',
};

/** The effect of the command `id` called with `args` (the name first). */
export function effectOf(id: number, args: readonly Buffer[]): SessionEffect {
  const { effect, name } = COMMANDS[id]!;
  if (effect !== 'by-argument') return effect;
  switch (name) {
    case 'client':
      return CLIENT_EFFECTS[subcommand(args)] ?? 'none';
    case 'script':
      return subcommand(args) === 'debug' ? 'sticky' : 'none';
    default:
      return hasBlockOption(args) ? 'blocking' : 'none';
  }
}

/** The first argument in lower case; empty when there is none. */
export function subcommand(args: readonly Buffer[]): string {
  return args[1]?.toString('latin1').toLowerCase() ?? '';
}

/** XREAD and XREADGROUP wait only with BLOCK, which stands before STREAMS. */
function hasBlockOption(args: readonly Buffer[]): boolean {
  for (const argument of args) {
    const word = argument.length <= 7 ? argument.toString('latin1').toLowerCase() : '';
    if (word === 'streams') return false;
    if (word === 'block') return true;
  }
  return false;
}
