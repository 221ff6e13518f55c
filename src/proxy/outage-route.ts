/**
 * Where a command goes while the upstream is away: `route`'s other half, as pure and as synchronous. What passes, passes
 * to the outage store; what writes is journaled before it is answered; what only the real data can answer is refused.
 * The whole of it is printed in docs/routing.md.
 */
import { OUTAGE_CLASSES, type OutageClass } from '../command/outage-class.js';
import { COMMANDS, type SessionEffect } from '../command/table.js';
import { route, type Position, type Route } from './route.js';

/**
 * The routes of `route`, which lead to the outage store, and besides:
 * - `buffer` to the outage store, and answered when the journal has it.
 * - `wait` held until the upstream is back, or answered nil when its own time is over.
 * - `log-in` credentials are compared with those that the upstream has accepted.
 * - `nobody` answered here: `:0`, nobody received the message.
 * - `unavailable` answered here with -UNAVAILABLE.
 */
export type OutageRoute = Route | 'buffer' | 'wait' | 'log-in' | 'nobody' | 'unavailable';

/** `outageClass` as the table or a rule says; `inTransaction`: MULTI was accepted. */
export function routeInOutage(
  effect: SessionEffect,
  outageClass: OutageClass,
  position: Position,
  inTransaction: boolean,
): OutageRoute {
  if (ENDS.has(effect) || position === 'locked' || position === 'broken')
    return route(effect, position, inTransaction);
  switch (position) {
    case 'kept':
      return routeKept(effect, outageClass);
    case 'shared':
    case 'pinned':
      return inTransaction ? routeQueued(effect, outageClass) : routeByEffect(effect, outageClass);
  }
}

/** The end of the connection or of its state: the same everywhere. */
const ENDS: ReadonlySet<SessionEffect> = new Set(['hang-up', 'quit', 'reset']);

/** A connection with subscriptions stands between the client and the store; nothing on it could be journaled. */
function routeKept(effect: SessionEffect, outageClass: OutageClass): OutageRoute {
  if (effect === 'subscribe') return 'keep';
  const isHarmless = outageClass === 'read' || outageClass === 'local';
  return effect === 'none' && isHarmless ? 'pass' : 'unavailable';
}

/** Between MULTI and EXEC. */
function routeQueued(effect: SessionEffect, outageClass: OutageClass): OutageRoute {
  switch (effect) {
    case 'exec':
      return 'buffer';
    case 'multi':
    case 'discard':
    case 'unwatch':
      return 'pin';
    case 'own':
      return 'pass';
    case 'none':
      return outageClass === 'refuse' || outageClass === 'wait' ? 'unavailable' : 'pass';
    default:
      return 'unavailable';
  }
}

function routeByEffect(effect: SessionEffect, outageClass: OutageClass): OutageRoute {
  switch (effect) {
    case 'none':
      return routeByClass(outageClass);
    case 'own':
      return 'answer';
    case 'multi':
    case 'exec':
    case 'discard':
    case 'unwatch':
    case 'select':
    case 'name':
    case 'library':
      return 'pin';
    case 'auth':
    case 'hello':
      return 'log-in';
    case 'blocking':
      return outageClass === 'refuse' ? 'unavailable' : 'wait';
    case 'subscribe':
    case 'monitor':
      return 'keep';
    case 'tied':
      return outageClass === 'local' ? 'pin' : 'unavailable';
    case 'sticky':
      return outageClass === 'local' ? 'keep' : 'unavailable';
    default:
      return 'unavailable';
  }
}

function routeByClass(outageClass: OutageClass): OutageRoute {
  switch (outageClass) {
    case 'buffer':
      return 'buffer';
    case 'wait':
      return 'wait';
    case 'refuse':
      return 'unavailable';
    case 'read':
    case 'local':
    case 'drop':
      return 'pass';
  }
}

/** Their receivers are with the upstream. */
export const PUBLISHING: ReadonlySet<string> = new Set(['publish', 'spublish']);

/** By command id: 1 where a read needs no look in an outage, whatever its arguments. */
export function outagePassTable(position: Position): Uint8Array {
  return Uint8Array.from(COMMANDS, ({ name, effect }, id) => {
    const outageClass = OUTAGE_CLASSES[id]!;
    if (effect !== 'none' || outageClass === 'by-argument' || PUBLISHING.has(name)) return 0;
    const isHarmless = outageClass === 'read' || outageClass === 'local';
    return isHarmless && routeInOutage(effect, outageClass, position, false) === 'pass' ? 1 : 0;
  });
}
