/** What the table in docs/routing.md must never say, whatever else it says; docs.test.ts compares the table itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, type SessionEffect } from '../../src/command/table.js';
import {
  countedAs,
  passTable,
  POSITIONS,
  route,
  type Position,
  type Route,
} from '../../src/proxy/route.js';
import { routingTable } from '../helpers/routing-table.js';

const documented = routingTable('Effects × positions') as Map<SessionEffect, Route[]>;
const effects = [...documented.keys()];

/** `position` → the route of each effect in it. */
function routesIn(position: Position): [SessionEffect, Route][] {
  return effects.map((effect) => [effect, route(effect, position)]);
}

test('route says what the document says, for every effect in every position', () => {
  for (const [effect, documentedHere] of documented) {
    const routes = POSITIONS.flatMap((position) =>
      position === 'pinned'
        ? [route(effect, position, false), route(effect, position, true)]
        : [route(effect, position)],
    );
    assert.deepEqual(routes, documentedHere, effect);
  }
});

/** What these bring about, they bring about in the middle of EXEC's reply. */
const TAKE_EFFECT_INSIDE: ReadonlySet<SessionEffect> = new Set(['auth', 'hello', 'tied']);

test('an open transaction changes only what EXEC cannot be followed through, and nothing is answered out of turn', () => {
  for (const effect of effects) {
    const [before, inside] = [route(effect, 'pinned', false), route(effect, 'pinned', true)];
    const expected = before === 'answer' ? 'pass' : before;
    assert.equal(inside, TAKE_EFFECT_INSIDE.has(effect) ? 'keep' : expected, effect);
  }
});

test('the document knows every effect of the command table', () => {
  for (const { name, effect } of COMMANDS) {
    if (effect !== 'by-argument') assert.ok(documented.has(effect), name);
  }
});

test('I7: nothing but what leaves nothing behind passes on a shared connection', () => {
  for (const [effect, decision] of routesIn('shared')) {
    assert.equal(decision === 'pass', effect === 'none', effect);
  }
});

test('nothing passes before the password is given, and only AUTH and HELLO can give it', () => {
  for (const [effect, decision] of routesIn('locked')) {
    assert.notEqual(decision, 'pass', effect);
    assert.equal(decision === 'unlock', effect === 'auth' || effect === 'hello', effect);
  }
});

test('nothing of a broken transaction is sent, and only its end is accepted', () => {
  for (const [effect, decision] of routesIn('broken')) {
    assert.ok(!['pass', 'pin', 'keep'].includes(decision), effect);
    assert.equal(decision === 'abort', effect === 'exec' || effect === 'discard', effect);
  }
});

test('a connection that is kept stays: nothing asks for another one', () => {
  for (const [effect, decision] of routesIn('kept')) assert.notEqual(decision, 'pin', effect);
});

test('QUIT, RESET and stray HTTP mean the same everywhere', () => {
  for (const position of POSITIONS) {
    assert.equal(route('quit', position), 'leave');
    assert.equal(route('reset', position), 'leave');
    assert.equal(route('hang-up', position), 'hang-up');
  }
});

test('what the hot path lets pass is what route lets pass, whatever the arguments', () => {
  for (const position of POSITIONS) {
    const passes = passTable(position);
    assert.equal(passes.length, COMMANDS.length);
    COMMANDS.forEach(({ name, effect }, id) => {
      const expected = effect !== 'by-argument' && route(effect, position) === 'pass';
      assert.equal(passes[id] === 1, expected, `${name} ${position}`);
    });
  }
});

test('a command is counted where it was sent, or as answered or refused here', () => {
  const labels = new Set<string | null>();
  for (const position of POSITIONS) {
    for (const [, decision] of routesIn(position)) labels.add(countedAs(decision));
  }
  assert.deepEqual([...labels].map(String).sort(), ['local', 'null', 'pinned', 'refused']);
  assert.equal(countedAs('pass'), null);
  assert.equal(countedAs('refuse'), 'refused');
});
