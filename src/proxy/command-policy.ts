/**
 * Which commands the operator lets pass: two lists of names, `config` for a command with all its subcommands and
 * `config|set` for one of them. What is denied is denied, also when it is allowed as well; a list of allowed commands
 * denies all others, but for those that concern the client's own connection only, without which no client could say
 * hello. Pure; the dispatcher puts the error in the command's place.
 *
 * A script is not looked into: who may run EVAL can call anything from it.
 */
import { COMMANDS, OTHER_COMMAND } from '../command/table.js';

export interface PolicyOptions {
  /** Names in lower case, each `command` or `command|subcommand`. */
  readonly deny: readonly string[];
  /** Null: all. */
  readonly allow: readonly string[] | null;
}

export interface CommandPolicy {
  /** The error line (without `-` and CRLF) for a command that does not pass; `args` begin with its name. */
  refuses(commandId: number, args: readonly Buffer[]): string | null;
  /** `passes`, by command id, without those that `refuses` must be asked about. */
  filter(passes: Uint8Array): Uint8Array;
}

/** A client cannot begin, end or find its way without these; a list of allowed commands need not name them. */
export const ALWAYS_ALLOWED: readonly string[] = [
  ...['auth', 'hello', 'ping', 'echo', 'quit', 'reset', 'select'],
  ...['client|getname', 'client|id', 'client|reply', 'client|setinfo', 'client|setname'],
  ...['multi', 'exec', 'discard', 'watch', 'unwatch'],
];

/** Longest name that can be listed; a client's is not looked at beyond that. */
const MAX_NAME_CHARACTERS = 64;

/** Null when everything passes: nobody need be asked. */
export function policyOf({ deny, allow }: PolicyOptions): CommandPolicy | null {
  if (deny.length === 0 && allow === null) return null;
  const denied = new Set(deny);
  const allowed = allow === null ? null : new Set([...allow, ...ALWAYS_ALLOWED]);
  const mustBeSeen = mustBeSeenUnder(denied, allowed);
  return {
    refuses(commandId, args) {
      if (mustBeSeen[commandId] === 0) return null;
      const name = commandId === OTHER_COMMAND ? wordIn(args[0]) : COMMANDS[commandId]!.name;
      const full = `${name}|${wordIn(args[1])}`;
      if (denied.has(name)) return refusal(name, 'deny-commands');
      if (denied.has(full)) return refusal(full, 'deny-commands');
      if (allowed === null || allowed.has(name) || allowed.has(full)) return null;
      const isPartlyAllowed = [...allowed].some((one) => one.startsWith(`${name}|`));
      return refusal(isPartlyAllowed ? full : name, 'allow-commands');
    },
    filter: (passes) => passes.map((passing, id) => (mustBeSeen[id] === 0 ? passing : 0)),
  };
}

/** By command id: 1 where a list speaks of the command. A name that is allowed as a whole simply passes. */
function mustBeSeenUnder(
  denied: ReadonlySet<string>,
  allowed: ReadonlySet<string> | null,
): Uint8Array {
  const names = new Set([...denied].map((name) => name.split('|')[0]!));
  const namesUnknown = [...names].some((name) => !COMMANDS.some((known) => known.name === name));
  return Uint8Array.from(COMMANDS, ({ name, effect }, id) => {
    if (id === OTHER_COMMAND) return Number(namesUnknown || allowed !== null);
    // HTTP that strayed here is hung up on: an error would let its body be read as commands.
    if (effect === 'hang-up') return 0;
    return Number(names.has(name) || allowed?.has(name) === false);
  });
}

function wordIn(argument: Buffer | undefined): string {
  return (argument ?? NOTHING)
    .toString('latin1', 0, MAX_NAME_CHARACTERS + 1)
    .toLowerCase()
    .replace(/[^\x21-\x7e]/g, '?');
}

function refusal(name: string, option: string): string {
  return `NOPERM this sidecar does not pass the command '${name}' (option ${option})`;
}

const NOTHING = Buffer.alloc(0);
