/**
 * Where a command goes: one pure, synchronous function of what the command does to its connection and what the client
 * holds. The dispatcher performs the answer; the hot path uses it precomputed, as a table of the commands that simply
 * pass. The whole of it is printed in docs/routing.md.
 */
import { COMMANDS, type SessionEffect } from '../command/table.js';
import type { RouteName } from './observer.js';

/**
 * What the client's next command finds:
 * - `shared` nothing of its own: a lane, together with others.
 * - `pinned` a connection of its own for the time being (a transaction, a blocking command, a large value), or until it
 *   leaves (tracking).
 * - `kept` a connection of its own until it leaves, on which bytes go through as a stream (subscriptions, MONITOR).
 * - `broken` a transaction whose connection was lost: nothing of it will run.
 * - `locked` it has yet to give the sidecar's password.
 */
export const POSITIONS = ['shared', 'pinned', 'kept', 'broken', 'locked'] as const;
export type Position = (typeof POSITIONS)[number];

/**
 * - `pass` as it came, on the connection that the client has.
 * - `pin` on a connection of its own; its reply says whether the client goes on needing it.
 * - `keep` on a connection of its own from now on.
 * - `leave` answered here: the client leaves (QUIT) or begins anew (RESET).
 * - `abort` answered here: the end of a transaction that cannot run.
 * - `unlock` checked here: the sidecar's password.
 * - `refuse` answered here with the error that the position calls for.
 * - `hang-up` the connection is closed without a word, as Redis does.
 * - `answer` answered here: it is the sidecar that was asked.
 */
export type Route =
  'pass' | 'pin' | 'keep' | 'leave' | 'abort' | 'unlock' | 'refuse' | 'hang-up' | 'answer';

/** `inTransaction`: MULTI was accepted, and EXEC decides whether what is said now takes effect. */
export function route(effect: SessionEffect, position: Position, inTransaction = false): Route {
  if (effect === 'hang-up') return 'hang-up';
  if (effect === 'quit' || effect === 'reset') return 'leave';
  switch (position) {
    case 'locked':
      return effect === 'auth' || effect === 'hello' ? 'unlock' : 'refuse';
    case 'broken':
      return effect === 'exec' || effect === 'discard' ? 'abort' : 'refuse';
    case 'kept':
      return effect === 'subscribe' ? 'keep' : 'pass';
    case 'shared':
    case 'pinned':
      // In a transaction the upstream says what it thinks of a command that it does not know.
      if (inTransaction && effect === 'own') return 'pass';
      return inTransaction && takesEffectInside(effect) ? 'keep' : routeByEffect(effect);
  }
}

function routeByEffect(effect: Exclude<SessionEffect, 'hang-up' | 'quit' | 'reset'>): Route {
  switch (effect) {
    case 'none':
      return 'pass';
    case 'own':
      return 'answer';
    case 'multi':
    case 'exec':
    case 'discard':
    case 'watch':
    case 'unwatch':
    case 'blocking':
    case 'wait':
    case 'apart':
    case 'urgent':
    case 'auth':
    case 'hello':
    case 'select':
    case 'name':
    case 'library':
    case 'tied':
      return 'pin';
    case 'subscribe':
    case 'monitor':
    case 'sticky':
    case 'replicate':
      return 'keep';
  }
}

/** It changes what must be re-applied on any other connection. */
export function isSetting(effect: SessionEffect): boolean {
  return SETTINGS.has(effect);
}

/** From the middle of EXEC's reply on it is another user's, in another protocol, or mixed with what comes unasked. */
function takesEffectInside(effect: SessionEffect): boolean {
  return effect === 'auth' || effect === 'hello' || effect === 'tied';
}

const SETTINGS: ReadonlySet<SessionEffect> = new Set([
  'auth',
  'hello',
  'select',
  'name',
  'library',
]);

/** The label under which a command of this route is counted; null: where the client's other commands go. */
export function countedAs(decision: Route): RouteName | null {
  switch (decision) {
    case 'pass':
      return null;
    case 'pin':
    case 'keep':
      return 'pinned';
    case 'refuse':
    case 'hang-up':
      return 'refused';
    case 'leave':
    case 'abort':
    case 'unlock':
    case 'answer':
      return 'local';
  }
}

/** By command id: 1 where the command passes in this position whatever its arguments, so that nobody need look. */
export function passTable(position: Position): Uint8Array {
  return Uint8Array.from(COMMANDS, ({ effect }) =>
    effect !== 'by-argument' && route(effect, position) === 'pass' ? 1 : 0,
  );
}
