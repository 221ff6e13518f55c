import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PasswordGate } from '../../src/proxy/password-gate.js';

/** What a locked gate says to a command, and whether it is open afterwards. */
function said(command: string, gate = new PasswordGate(Buffer.from('secret'))): string {
  const verdict = gate.check(command.split(' ').map((word) => Buffer.from(word, 'latin1')));
  const state = gate.isOpen ? 'open' : 'locked';
  switch (verdict.kind) {
    case 'reply':
      return `${verdict.reply.toString('latin1').slice(0, 10).trim()} ${state}`;
    case 'upstream':
      return `upstream ${state}`;
    case 'go-on':
      return `${verdict.rewritten.toString('latin1').replaceAll('\r\n', '|')} ${state}`;
  }
}

test('without a password there is no gate', () => {
  const gate = new PasswordGate(null);
  assert.ok(gate.isOpen);
  gate.lock();
  assert.ok(gate.isOpen);
});

test('AUTH opens the gate with the password, alone or as the default user', () => {
  assert.equal(said('AUTH secret'), '+OK open');
  assert.equal(said('auth default secret'), '+OK open');
  assert.equal(said('AUTH wrong'), '-WRONGPASS locked');
  assert.equal(said('AUTH default wrong'), '-WRONGPASS locked');
  assert.equal(said('AUTH'), '-ERR wrong locked');
  assert.equal(said('AUTH a b c'), '-ERR synta locked');
});

test('another user is for the upstream to judge', () => {
  assert.equal(said('AUTH ann secret'), 'upstream locked');
  assert.equal(said('HELLO 3 AUTH ann secret'), 'upstream locked');
});

test('HELLO goes on without the credentials that were checked here', () => {
  assert.equal(
    said('HELLO 3 AUTH default secret SETNAME me'),
    '*4|$5|HELLO|$1|3|$7|SETNAME|$2|me| open',
  );
  assert.equal(
    said('HELLO 2 SETNAME x auth default secret'),
    '*4|$5|HELLO|$1|2|$7|SETNAME|$1|x| open',
  );
});

test('HELLO without good credentials leaves the gate locked, for the first reason that Redis finds', () => {
  assert.equal(said('HELLO'), '-NOAUTH HE locked');
  assert.equal(said('HELLO 3'), '-NOAUTH HE locked');
  assert.equal(said('HELLO 3 AUTH default'), '-ERR Synta locked');
  assert.equal(said('HELLO 3 AUTH default wrong'), '-WRONGPASS locked');
  assert.equal(said('HELLO 4 AUTH default secret'), '-NOPROTO u locked');
  assert.equal(said('HELLO three AUTH default secret'), '-ERR Proto locked');
});

test('credentials of the default user are always ours to judge, those of others never', () => {
  const gate = new PasswordGate(Buffer.from('secret'));
  const concerns = (command: string, judge = gate): boolean =>
    judge.concerns(command.split(' ').map((word) => Buffer.from(word)));
  for (const command of ['AUTH x', 'AUTH default x', 'AUTH', 'HELLO 3 AUTH default x']) {
    assert.ok(concerns(command), command);
    assert.ok(!concerns(command, new PasswordGate(null)), command);
  }
  for (const command of ['AUTH ann x', 'HELLO', 'HELLO 3', 'HELLO 3 AUTH ann x']) {
    assert.ok(!concerns(command), command);
  }
});

test('passwords are compared as bytes, of any length', () => {
  const gate = (): PasswordGate => new PasswordGate(Buffer.from('p\xff', 'latin1'));
  assert.equal(said('AUTH p\xff', gate()), '+OK open');
  assert.equal(said('AUTH p', gate()), '-WRONGPASS locked');
  assert.equal(said(`AUTH ${'p'.repeat(10_000)}`, gate()), '-WRONGPASS locked');
});

test('the gate can be locked again', () => {
  const gate = new PasswordGate(Buffer.from('secret'));
  gate.open();
  assert.ok(gate.isOpen);
  gate.lock();
  assert.ok(!gate.isOpen);
});
