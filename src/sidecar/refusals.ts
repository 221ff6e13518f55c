/**
 * Which commands are not passed on, and what is done in their place: those that the operator does not let pass, and those
 * that make no sense on the embedded engine. Says also what must be looked at besides: scripts.
 */
import { COMMANDS } from '../command/table.js';
import {
  bringsScript,
  mayBeRefused,
  refusedInProcess,
  refusedScript,
} from '../embedded/refused.js';
import { policyOf, type PolicyOptions } from '../proxy/command-policy.js';
import type { ProxyContext } from '../proxy/context.js';
import { sayingError } from '../proxy/errors.js';
import { withoutScripting } from '../proxy/scripting.js';
import { encodeError } from '../resp/encoder.js';

/** What dispatchers ask about each command that does not pass unseen. */
export type Refusals = Pick<ProxyContext, 'refusal' | 'filterPassing'>;

/** `isEmbedded`: the upstream lives in this process; `seesScripts`: they do not pass unseen. */
export function refusalsOf(
  lists: PolicyOptions,
  { isEmbedded, seesScripts }: { readonly isEmbedded: boolean; readonly seesScripts: boolean },
): Refusals {
  const policy = policyOf(lists);
  const ofUpstream = isEmbedded ? NEEDS_A_SERVER : PASS_EVERYTHING;
  const filters = [ofUpstream.filterPassing];
  if (policy !== null) filters.push((passes) => policy.filter(passes));
  if (seesScripts) filters.push(withoutScripting);
  return {
    refusal(commandId, args) {
      const text = policy?.refuses(commandId, args) ?? null;
      return text === null ? ofUpstream.refusal(commandId, args) : { reply: encodeError(text) };
    },
    filterPassing: remembering((passes) => filters.reduce((left, filter) => filter(left), passes)),
  };
}

/** `filter` is asked each time that a client's position changes, and only ever about a few tables. */
function remembering(filter: Refusals['filterPassing']): Refusals['filterPassing'] {
  const known = new Map<Uint8Array, Uint8Array>();
  return (passes) => {
    const filtered = known.get(passes) ?? filter(passes);
    known.set(passes, filtered);
    return filtered;
  };
}

const PASS_EVERYTHING: Refusals = { refusal: () => null, filterPassing: (passes) => passes };

/** The embedded engine answers in the refused command's place, and so in its order, with the error that says why. */
const NEEDS_A_SERVER: Refusals = {
  refusal(commandId, args) {
    const { name } = COMMANDS[commandId]!;
    const text = refusedScript(name, args) ?? refusedCommand(name, args);
    return text === null ? null : { reply: null, frame: sayingError(encodeError(text)) };
  },
  filterPassing: (passes) =>
    passes.map((passing, id) => (mustBeSeen(COMMANDS[id]!.name) ? 0 : passing)),
};

function refusedCommand(name: string, args: readonly Buffer[]): string | null {
  if (!mayBeRefused(name)) return null;
  const subcommand = args[1]?.toString('latin1').toLowerCase() ?? null;
  const settings = args.slice(2).map((argument) => argument.toString('latin1'));
  return refusedInProcess(name, subcommand, settings);
}

function mustBeSeen(name: string): boolean {
  return mayBeRefused(name) || bringsScript(name);
}
