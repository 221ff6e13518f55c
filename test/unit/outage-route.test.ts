/** What must never happen to a command while the upstream is away, whatever else docs/routing.md says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTAGE_CLASSES, type OutageClass } from '../../src/command/outage-class.js';
import { COMMANDS, type SessionEffect } from '../../src/command/table.js';
import { outagePassTable, PUBLISHING, routeInOutage } from '../../src/proxy/outage-route.js';
import { POSITIONS, route, type Position } from '../../src/proxy/route.js';
import { routingTable } from '../helpers/routing-table.js';

const CLASSES = ['read', 'buffer', 'refuse', 'wait', 'local', 'drop'] as const;
const EFFECTS = [...routingTable('Effects × positions').keys()] as SessionEffect[];

interface Case {
  readonly effect: SessionEffect;
  readonly outageClass: OutageClass;
  readonly position: Position;
  readonly inTransaction: boolean;
}

/** A transaction can only be open on a connection of one's own. */
const PLACES = POSITIONS.flatMap((position) =>
  (position === 'pinned' ? [false, true] : [false]).map((inTransaction) => ({
    position,
    inTransaction,
  })),
);

const PRODUCT: Case[] = EFFECTS.flatMap((effect) =>
  CLASSES.flatMap((outageClass) => PLACES.map((place) => ({ effect, outageClass, ...place }))),
);

function decided({ effect, outageClass, position, inTransaction }: Case): string {
  return routeInOutage(effect, outageClass, position, inTransaction);
}

function named({ effect, outageClass, position, inTransaction }: Case): string {
  return `${effect}, ${outageClass}, ${position}${inTransaction ? ' in MULTI' : ''}`;
}

/** Holds for every case that `concerns` picks. */
function always(concerns: (one: Case) => boolean, holds: (decision: string) => boolean): void {
  const cases = PRODUCT.filter(concerns);
  assert.ok(cases.length > 0);
  for (const one of cases) assert.ok(holds(decided(one)), `${named(one)}: ${decided(one)}`);
}

const isAnyOf =
  (...words: string[]) =>
  (decision: string): boolean =>
    words.includes(decision);

/** Sent to the store, or to wait for the upstream. */
const isSent = isAnyOf('pass', 'pin', 'keep', 'buffer', 'wait');

test('routeInOutage says what the document says, for every effect, class and position', () => {
  const documented = routingTable('While the upstream is away');
  for (const effect of EFFECTS) {
    // Where the class matters each class that such a command can have has its row.
    const rows = [...documented].filter(([label]) => label.startsWith(`${effect}, class `));
    for (const outageClass of CLASSES) {
      const row = documented.get(effect) ?? documented.get(`${effect}, class ${outageClass}`);
      const decisions = PLACES.map((place) => decided({ effect, outageClass, ...place })).join();
      const allowed = row === undefined ? rows.map(([, cells]) => cells.join()) : [row.join()];
      assert.ok(allowed.includes(decisions), `${effect}, class ${outageClass}: ${decisions}`);
    }
  }
});

test('nothing that only the real data can answer is sent anywhere', () => {
  always(
    ({ effect, outageClass }) =>
      (effect === 'none' || effect === 'blocking' || effect === 'sticky') &&
      outageClass === 'refuse',
    isAnyOf('unavailable', 'refuse'),
  );
});

test('I3: nothing is written that is not journaled, but what EXEC will journal', () => {
  const isWrite = ({ effect, outageClass }: Case): boolean =>
    effect === 'none' && outageClass === 'buffer';
  always((one) => isWrite(one) && !one.inTransaction, isAnyOf('buffer', 'unavailable', 'refuse'));
  always((one) => isWrite(one) && one.inTransaction, isAnyOf('pass'));
  always(({ effect, inTransaction }) => effect === 'exec' && inTransaction, isAnyOf('buffer'));
});

test('only writes and the end of a transaction are journaled', () => {
  for (const one of PRODUCT.filter((each) => decided(each) === 'buffer')) {
    const isWrite = one.effect === 'none' && one.outageClass === 'buffer';
    assert.ok(isWrite || (one.effect === 'exec' && one.inTransaction), named(one));
  }
});

test('nothing is written on a connection that is kept', () => {
  always(
    ({ position, effect, outageClass }) =>
      position === 'kept' && !(effect === 'none' && ['read', 'local'].includes(outageClass)),
    isAnyOf('unavailable', 'keep', 'leave', 'hang-up'),
  );
  always(
    ({ position, effect }) => position === 'kept' && effect !== 'subscribe',
    (decision) => decision !== 'keep',
  );
});

test('what is locked stays locked, and nothing of a broken transaction runs', () => {
  for (const one of PRODUCT) {
    if (one.position !== 'locked' && one.position !== 'broken') continue;
    assert.equal(decided(one), route(one.effect, one.position), named(one));
    assert.ok(!isSent(decided(one)), named(one));
  }
});

test('what waits for data is never sent to the store, which will not have any', () => {
  always(
    ({ effect, outageClass }) =>
      effect === 'blocking' || (effect === 'none' && outageClass === 'wait'),
    isAnyOf('wait', 'unavailable', 'refuse'),
  );
});

test('no key is watched: only the real data could tell that it has changed', () => {
  always(({ effect }) => effect === 'watch', isAnyOf('unavailable', 'refuse'));
});

test('what may disturb others, or speaks of the real server, is not sent to the store', () => {
  always(
    ({ effect }) => ['apart', 'urgent', 'wait', 'replicate'].includes(effect),
    isAnyOf('unavailable', 'refuse'),
  );
});

test('credentials are never the store’s to judge', () => {
  always(
    ({ effect }) => effect === 'auth' || effect === 'hello',
    isAnyOf('log-in', 'unlock', 'unavailable', 'refuse'),
  );
});

test('settings do not change in the midst of a transaction: its record is of one database', () => {
  always(
    ({ effect, inTransaction }) => inTransaction && ['select', 'auth', 'hello'].includes(effect),
    isAnyOf('unavailable'),
  );
});

test('QUIT, RESET and stray HTTP mean the same as ever', () => {
  always(({ effect }) => effect === 'quit' || effect === 'reset', isAnyOf('leave'));
  always(({ effect }) => effect === 'hang-up', isAnyOf('hang-up'));
});

test('nobody looks away from a command that may write, wait, or be refused', () => {
  for (const position of POSITIONS) {
    const passes = outagePassTable(position);
    assert.equal(passes.length, COMMANDS.length);
    COMMANDS.forEach(({ name, effect }, id) => {
      if (passes[id] === 0) return;
      const outageClass = OUTAGE_CLASSES[id]!;
      assert.ok(outageClass === 'read' || outageClass === 'local', `${name}: ${outageClass}`);
      assert.equal(effect, 'none', name);
      assert.ok(!PUBLISHING.has(name), name);
      assert.equal(routeInOutage(effect, outageClass, position, false), 'pass', name);
    });
  }
  assert.ok(![...outagePassTable('locked'), ...outagePassTable('broken')].includes(1));
});

test('what passes unseen outside a transaction may be queued inside one', () => {
  const passes = outagePassTable('pinned');
  COMMANDS.forEach(({ name }, id) => {
    const outageClass = OUTAGE_CLASSES[id]!;
    if (passes[id] === 0 || outageClass === 'by-argument') return;
    assert.equal(routeInOutage('none', outageClass, 'pinned', true), 'pass', name);
  });
});

test('plain reads pass unseen where a client is served from the store', () => {
  const passes = outagePassTable('shared');
  for (const name of ['get', 'hgetall', 'lrange', 'zrange', 'exists', 'ping', 'echo']) {
    const id = COMMANDS.findIndex((command) => command.name === name);
    assert.equal(passes[id], 1, name);
  }
});
