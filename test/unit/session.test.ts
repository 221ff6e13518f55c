import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRESH_STATE, IdentityRegister } from '../../src/command/connection-state.js';
import type { SessionEffect } from '../../src/command/table.js';
import { decodeArguments } from '../../src/resp/decoder.js';
import { Session } from '../../src/session/session.js';
import { Subscriptions } from '../../src/session/subscriptions.js';

function newSession(): Session {
  const identities = new IdentityRegister();
  return new Session(identities.identityOf(null), FRESH_STATE, identities);
}

/** The client said `command`, the upstream answered `reply`. */
function answered(session: Session, effect: SessionEffect, command: string, reply: string): void {
  const args = command.split(' ').map((word) => Buffer.from(word, 'latin1'));
  session.confirm(effect, args, Buffer.from(reply, 'latin1'));
}

const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';

test('a transaction opens with MULTI and ends with EXEC or DISCARD', () => {
  const session = newSession();
  assert.ok(session.isClean);
  answered(session, 'multi', 'MULTI', OK);
  assert.equal(session.transaction, 'open');
  assert.ok(!session.isClean);
  answered(session, 'multi', 'MULTI', '-ERR MULTI calls can not be nested\r\n');
  assert.equal(session.transaction, 'open');
  answered(session, 'exec', 'EXEC', '*0\r\n');
  assert.ok(session.isClean);
  answered(session, 'multi', 'MULTI', OK);
  answered(session, 'discard', 'DISCARD', OK);
  assert.ok(session.isClean);
});

test('EXEC ends the transaction unless it was refused as a command', () => {
  for (const [reply, after] of [
    ['*2\r\n+OK\r\n:1\r\n', 'none'],
    ['*-1\r\n', 'none'],
    ['_\r\n', 'none'],
    ['-EXECABORT Transaction discarded', 'none'],
    ['-NOAUTH Authentication required.', 'open'],
  ] as const) {
    const session = newSession();
    answered(session, 'multi', 'MULTI', OK);
    answered(session, 'exec', 'EXEC', reply);
    assert.equal(session.transaction, after, reply);
  }
});

test('EXEC and DISCARD without MULTI leave a WATCH as it is', () => {
  const session = newSession();
  answered(session, 'watch', 'WATCH k', OK);
  answered(session, 'exec', 'EXEC', '-ERR EXEC without MULTI\r\n');
  answered(session, 'discard', 'DISCARD', '-ERR DISCARD without MULTI\r\n');
  assert.equal(session.transaction, 'watching');
});

test('WATCH holds until UNWATCH or the end of the transaction', () => {
  const session = newSession();
  answered(session, 'watch', 'WATCH k', OK);
  assert.equal(session.transaction, 'watching');
  answered(session, 'unwatch', 'UNWATCH', OK);
  assert.ok(session.isClean);
  answered(session, 'watch', 'WATCH', "-ERR wrong number of arguments for 'watch' command\r\n");
  assert.ok(session.isClean);
});

test('what is only queued has not happened', () => {
  const session = newSession();
  answered(session, 'watch', 'WATCH k', OK);
  answered(session, 'multi', 'MULTI', OK);
  answered(session, 'unwatch', 'UNWATCH', QUEUED);
  answered(session, 'watch', 'WATCH k', '-ERR WATCH inside MULTI is not allowed\r\n');
  assert.equal(session.transaction, 'open');
  answered(session, 'select', 'SELECT 5', QUEUED);
  answered(session, 'name', 'CLIENT SETNAME x', QUEUED);
  answered(session, 'library', 'CLIENT SETINFO LIB-NAME x', QUEUED);
  assert.deepEqual(session.state, FRESH_STATE);
});

test('a setting counts once the upstream has confirmed it', () => {
  const session = newSession();
  const before = session.identity;
  answered(session, 'select', 'SELECT 99', '-ERR DB index is out of range\r\n');
  answered(session, 'auth', 'AUTH x', '-WRONGPASS no\r\n');
  answered(session, 'hello', 'HELLO 3', '-NOPROTO unsupported protocol version\r\n');
  assert.deepEqual([session.state, session.identity], [FRESH_STATE, before]);
  answered(session, 'select', 'SELECT 7', OK);
  answered(session, 'name', 'CLIENT SETNAME me\xff', OK);
  answered(session, 'name', 'CLIENT GETNAME', '$3\r\nme\xff\r\n');
  answered(session, 'library', 'CLIENT SETINFO lib-Name lib', OK);
  answered(session, 'library', 'CLIENT SETINFO LIB-VER 1.0', OK);
  assert.deepEqual(session.state, {
    db: 7,
    resp: 2,
    name: 'me\xff',
    libraryName: 'lib',
    libraryVersion: '1.0',
  });
});

test('a client with a name keeps the connection that has it', () => {
  for (const [effect, command] of [
    ['name', 'CLIENT SETNAME me'],
    ['hello', 'HELLO 3 SETNAME me'],
  ] as const) {
    const session = newSession();
    answered(session, 'name', 'CLIENT SETNAME ', OK);
    answered(session, 'name', 'CLIENT GETNAME', '$-1\r\n');
    assert.ok(session.isClean);
    answered(session, effect, command, effect === 'name' ? OK : '%7\r\n');
    assert.deepEqual([session.tie, session.isClean], ['named', false]);
  }
});

test('AUTH makes the client somebody else, with and without a user', () => {
  const session = newSession();
  const stranger = session.identity;
  answered(session, 'auth', 'AUTH secret', OK);
  assert.deepEqual(session.identity.credentials, { user: null, password: 'secret' });
  answered(session, 'auth', 'AUTH ann secret', OK);
  assert.deepEqual(session.identity.credentials, { user: 'ann', password: 'secret' });
  assert.notEqual(session.identity, stranger);
});

test('HELLO may change everything at once, or nothing', () => {
  const session = newSession();
  answered(session, 'hello', 'HELLO', '*14\r\n');
  assert.deepEqual(session.state, FRESH_STATE);
  answered(session, 'hello', 'HELLO 3 setname auth AUTH ann setname', '%7\r\n');
  assert.deepEqual(session.state, { ...FRESH_STATE, resp: 3, name: 'auth' });
  assert.deepEqual(session.identity.credentials, { user: 'ann', password: 'setname' });
  answered(session, 'hello', 'HELLO 2', '*14\r\n');
  assert.equal(session.state.resp, 2);
  assert.equal(session.state.name, 'auth');
});

test('commands without an effect change nothing', () => {
  const session = newSession();
  for (const effect of ['none', 'blocking', 'apart', 'sticky', 'subscribe'] as const) {
    answered(session, effect, 'X y', OK);
  }
  assert.deepEqual([session.state, session.transaction], [FRESH_STATE, 'none']);
});

test('a connection lost with an open transaction breaks it', () => {
  const session = newSession();
  answered(session, 'multi', 'MULTI', OK);
  session.connectionLost();
  assert.equal(session.transaction, 'broken');
  assert.ok(!session.isClean);
  session.endTransaction();
  assert.ok(session.isClean);
});

test('a connection lost with a WATCH is remembered until the transaction ends', () => {
  const session = newSession();
  answered(session, 'watch', 'WATCH k', OK);
  session.connectionLost();
  assert.deepEqual([session.transaction, session.watchLost], ['none', true]);
  answered(session, 'multi', 'MULTI', OK);
  assert.ok(session.watchLost);
  answered(session, 'discard', 'DISCARD', OK);
  assert.deepEqual([session.transaction, session.watchLost], ['none', false]);
});

test('a lost WATCH is forgotten with UNWATCH', () => {
  const session = newSession();
  answered(session, 'watch', 'WATCH k', OK);
  session.connectionLost();
  answered(session, 'unwatch', 'UNWATCH', OK);
  assert.ok(!session.watchLost);
});

test('a lost connection without a transaction means nothing', () => {
  const session = newSession();
  session.connectionLost();
  assert.deepEqual([session.transaction, session.watchLost], ['none', false]);
});

function apply(subscriptions: Subscriptions, command: string): void {
  const args = command.split(' ').map((word) => Buffer.from(word, 'latin1'));
  subscriptions.apply(args[0]!.toString().toLowerCase(), args);
}

test('channels, patterns and shard channels are three families', () => {
  const subscriptions = new Subscriptions();
  apply(subscriptions, 'SUBSCRIBE a b a');
  apply(subscriptions, 'PSUBSCRIBE a*');
  apply(subscriptions, 'SSUBSCRIBE a c');
  assert.equal(subscriptions.size, 5);
  apply(subscriptions, 'UNSUBSCRIBE a x');
  apply(subscriptions, 'SUNSUBSCRIBE a');
  const again = subscriptions.commands().map((command) => decodeArguments(command).join(' '));
  assert.deepEqual(again, ['subscribe b', 'psubscribe a*', 'ssubscribe c']);
  assert.equal(subscriptions.size, 3);
});

test('leaving without names leaves the whole family', () => {
  const subscriptions = new Subscriptions();
  apply(subscriptions, 'SUBSCRIBE a b');
  apply(subscriptions, 'PSUBSCRIBE c');
  apply(subscriptions, 'PUNSUBSCRIBE');
  assert.equal(subscriptions.size, 2);
  apply(subscriptions, 'UNSUBSCRIBE');
  assert.deepEqual([subscriptions.size, subscriptions.commands()], [0, []]);
});

test('names of channels keep their bytes', () => {
  const subscriptions = new Subscriptions();
  const name = Buffer.from([0, 255, 13, 10]);
  subscriptions.apply('subscribe', [Buffer.from('SUBSCRIBE'), name]);
  assert.deepEqual(decodeArguments(subscriptions.commands()[0]!)[1], name);
  subscriptions.clear();
  assert.equal(subscriptions.size, 0);
});
