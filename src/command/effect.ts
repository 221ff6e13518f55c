/** The effect of a command whose arguments decide it, and the few facts about arguments that a session needs. */
import { splitArguments } from '../resp/arguments.js';
import { blockOptionAt } from './blocking-timeout.js';
import { COMMANDS, type SessionEffect } from './table.js';

/** CLIENT subcommands that are not here neither leave anything on the connection nor speak of it. */
export const CLIENT_EFFECTS: ReadonlyMap<string, SessionEffect> = new Map(
  Object.entries({
    setname: 'name',
    getname: 'name',
    setinfo: 'library',
    // These name the connection they run on, so the client keeps the one it was told about.
    id: 'tied',
    info: 'tied',
    list: 'tied',
    // From here on replies do not come, or one of them does not.
    reply: 'sticky',
    tracking: 'tied',
    trackinginfo: 'tied',
    caching: 'tied',
    getredir: 'tied',
    'no-evict': 'tied',
    'no-touch': 'tied',
    // May mean the connection it runs on: kept apart from the shared ones for its duration.
    kill: 'apart',
    // Must not stand behind what the pause holds back.
    unpause: 'urgent',
    capa: 'tied',
    'import-source': 'tied',
  } as const satisfies Record<string, SessionEffect>),
);

/** The same for SCRIPT and FUNCTION. KILL must not stand behind the script that it is to end, STATS tells which it is. */
export const SCRIPTING_EFFECTS: ReadonlyMap<string, SessionEffect> = new Map([
  ['debug', 'sticky'],
  ['kill', 'urgent'],
  ['stats', 'urgent'],
]);

/** The effect of the command `id` called with `args` (the name first). */
export function effectOf(id: number, args: readonly Buffer[]): SessionEffect {
  const { effect, name } = COMMANDS[id]!;
  // RESET with an argument is an error, and the upstream's to make.
  if (effect === 'reset' && args.length > 1) return 'none';
  if (effect !== 'by-argument') return effect;
  switch (name) {
    case 'client':
      return CLIENT_EFFECTS.get(subcommand(args)) ?? 'none';
    case 'script':
    case 'function':
      return SCRIPTING_EFFECTS.get(subcommand(args)) ?? 'none';
    case 'info':
    case 'replicaof':
    case 'slaveof':
      // Nothing; but INFO gets a section more, and of a replica other errors are expected: they must not pass unseen.
      return 'none';
    default:
      return blockOptionAt(args) === -1 ? 'none' : 'blocking';
  }
}

/** CLIENT subcommands that only ask about the connection: on another one they are asked anew. */
export function asksAboutConnection(args: readonly Buffer[]): boolean {
  return ABOUT_CONNECTION.has(subcommand(args));
}

const ABOUT_CONNECTION: ReadonlySet<string> = new Set([
  ...['id', 'info', 'list', 'getname', 'trackinginfo', 'getredir'],
]);

/** The first argument in lower case; empty when there is none. */
export function subcommand(args: readonly Buffer[]): string {
  return args[1]?.toString('latin1').toLowerCase() ?? '';
}

/** Said to end what keeps the upstream from serving: SCRIPT KILL, FUNCTION KILL, SHUTDOWN. `frame`: the whole command. */
export function endsScripts(id: number, frame: Buffer): boolean {
  const { name } = COMMANDS[id]!;
  if (name === 'shutdown') return true;
  const mayKill = name === 'script' || name === 'function';
  return mayKill && subcommand(splitArguments(frame)) === 'kill';
}
