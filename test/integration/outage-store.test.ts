/** The outage store over real engines: what it begins with, what becomes of it when its engine dies, and how it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { HeldJournal } from '../helpers/held-journal.js';
import { StoreUnderTest, whyClosed } from '../helpers/outage-stores.js';

/** A journal with records in two databases, the first of which have been replayed. */
function someJournal(): HeldJournal {
  const journal = new HeldJournal();
  journal.add(0, 'SET', 'old', 'replayed');
  journal.release(1);
  journal.add(0, 'SET', 'a', '1');
  journal.add(2, 'RPUSH', 'list', 'x');
  journal.addTransaction(2, ['RPUSH', 'list', 'y'], ['RPUSH', 'list', 'z']);
  journal.add(0, 'APPEND', 'a', '2');
  return journal;
}

test('commands that come before it answers wait, and then see what the journal holds', async (t) => {
  const { store, ask } = new StoreUnderTest(t, someJournal());
  store.begin();
  assert.equal(store.isReady, false);
  const replies = await Promise.all([
    ask(0, 'GET', 'a'),
    ask(2, 'LRANGE', 'list', 0, -1),
    ask(0, 'EXISTS', 'old'),
  ]);
  assert.deepEqual(replies, ['$2\r\n12\r\n', '*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n', ':0\r\n']);
  assert.equal(store.isReady, true);
});

test('a record that is on its way to the disk when the store is made belongs in it', async (t) => {
  const journal = new HeldJournal();
  journal.add(0, 'SET', 'settled', '1');
  const { store, ask } = new StoreUnderTest(t, journal);
  journal.isSettling = true;
  journal.add(0, 'SET', 'later', '1');
  store.begin();
  const reply = ask(0, 'EXISTS', 'settled', 'later');
  await assert.rejects(eventually('it is ready', () => store.isReady, { withinMs: 400 }));
  journal.isSettling = false;
  assert.equal(await reply, ':2\r\n');
});

test('a store that is ahead of the journal is made again from it', async (t) => {
  const { store, ask } = new StoreUnderTest(t, someJournal());
  store.begin();
  assert.equal(await ask(0, 'APPEND', 'a', 'refused by the journal'), ':24\r\n');
  const lost = ask(5, 'BLPOP', 'nothing', 0);
  await eventually('it waits', async () => /blocked_clients:1/.test(await ask(0, 'INFO')));
  store.rebuild();
  assert.equal(await lost, 'lost');
  assert.equal(await ask(0, 'GET', 'a'), '$2\r\n12\r\n');
});

test('an engine that dies takes nothing with it that the journal has', async (t) => {
  const under = new StoreUnderTest(t, someJournal());
  const { store, ask } = under;
  store.begin();
  assert.equal(await ask(0, 'GET', 'a'), '$2\r\n12\r\n');
  // There is no TLS in this build: Valkey calls through a null pointer, which WebAssembly traps.
  assert.equal(await ask(0, 'CONFIG', 'SET', 'tls-port', 1), 'lost');
  assert.equal(await ask(0, 'GET', 'a'), '$2\r\n12\r\n');
  assert.equal(await ask(2, 'LLEN', 'list'), ':3\r\n');
  assert.equal(under.engines.length, 2);
  assert.ok(under.logger.lines.some((line) => line.startsWith('the outage store died')));
});

test('an engine that cannot be started is tried again while commands wait', async (t) => {
  const under = new StoreUnderTest(t, someJournal());
  under.failuresLeft = 2;
  const { store, ask } = under;
  store.begin();
  assert.equal(await ask(0, 'GET', 'a'), '$2\r\n12\r\n');
  assert.equal(under.engines.length, 3);
});

test('its end tells everybody, and the next one begins anew', async (t) => {
  const { store, ask } = new StoreUnderTest(t);
  store.begin();
  await ask(0, 'SET', 'a', '1');
  const waiting = ask(5, 'BLPOP', 'nothing', 0);
  await eventually('it waits', async () => /blocked_clients:1/.test(await ask(0, 'INFO')));
  store.end();
  store.end();
  assert.equal(await waiting, 'lost');
  assert.equal(store.backend, null);
  store.begin();
  store.begin();
  assert.equal(await ask(0, 'EXISTS', 'a'), ':0\r\n');
});

test('one that ends before it has booted refuses who waits and leaves nothing running', async (t) => {
  const under = new StoreUnderTest(t);
  const { store, ask } = under;
  store.begin();
  const waiting = ask(0, 'PING');
  store.end();
  assert.equal(await waiting, 'refused');
  await eventually('its engine is stopped', async () => {
    const [engine] = under.engines;
    return (await whyClosed(engine!)).includes('stopped');
  });
});

test('a prepared engine is used, and one that nobody needed is thrown away', async (t) => {
  const under = new StoreUnderTest(t, someJournal());
  const { store, ask } = under;
  store.prepare();
  store.prepare();
  assert.equal(under.engines.length, 1);
  await eventually('it has booted', () =>
    under.logger.lines.some((line) => line.startsWith('embedded engine ready')),
  );
  const startedMs = performance.now();
  store.begin();
  assert.equal(await ask(0, 'GET', 'a'), '$2\r\n12\r\n');
  t.diagnostic(`${(performance.now() - startedMs).toFixed(1)} ms from begin to the first answer`);
  assert.equal(under.engines.length, 1);
  store.end();
  store.prepare();
  store.end();
  assert.equal(under.engines.length, 2);
  await eventually('it is stopped', async () =>
    (await whyClosed(under.engines[1]!)).includes('stop'),
  );
});

test('from begin to the first answer', async (t) => {
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const { store, ask } = new StoreUnderTest(t);
    const startedMs = performance.now();
    store.begin();
    await ask(0, 'GET', 'a');
    times.push(performance.now() - startedMs);
    store.end();
  }
  t.diagnostic(`${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  assert.ok(Math.min(...times) < 5_000);
});
