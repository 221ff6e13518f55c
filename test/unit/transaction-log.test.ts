import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransactionLog } from '../../src/proxy/transaction-log.js';
import { commandsIn } from '../helpers/fake-transport.js';
import { encodeCommand } from '../helpers/raw-client.js';

function noted(log: TransactionLog, ...commands: string[]): Buffer {
  const bytes = Buffer.concat(commands.map((command) => encodeCommand(...command.split(' '))));
  log.add(bytes, 0, bytes.length, commands.length);
  return bytes;
}

function contents(log: TransactionLog): string[] | null {
  return log.requests === null ? null : commandsIn(log.requests);
}

test('a transaction is kept as it was said, whatever becomes of the bytes', () => {
  const log = new TransactionLog(7);
  noted(log, 'MULTI').fill(0);
  noted(log, 'SET a 1', 'SET b 2').fill(0);
  assert.deepEqual(contents(log), ['MULTI', 'SET a 1', 'SET b 2']);
});

test('only what was said is noted, not what stands around it', () => {
  const log = new TransactionLog(7);
  const bytes = encodeCommand('MULTI');
  log.add(Buffer.concat([Buffer.from('xx'), bytes, Buffer.from('yy')]), 2, 2 + bytes.length, 1);
  assert.deepEqual(contents(log), ['MULTI']);
});

test('what was not accepted by anybody is forgotten, to be said again', () => {
  const log = new TransactionLog(7);
  noted(log, 'MULTI');
  noted(log, 'SET a 1');
  noted(log, 'SET b 2', 'SET c 3');
  assert.equal(log.end, 11);
  log.cutAt(9);
  assert.deepEqual(contents(log), ['MULTI', 'SET a 1']);
  log.cutAt(8);
  assert.deepEqual(contents(log), ['MULTI']);
  assert.equal(log.end, 8);
  noted(log, 'SET a 1');
  assert.deepEqual(contents(log), ['MULTI', 'SET a 1']);
});

test('I6: a transaction of more than 4 MB is not kept, nor any part of it', () => {
  const log = new TransactionLog(7);
  noted(log, 'MULTI');
  const value = 'x'.repeat(1024 * 1024);
  for (let count = 0; count < 3; count += 1) noted(log, `SET k ${value}`);
  assert.equal(contents(log)!.length, 4);
  noted(log, `SET k ${value}`);
  assert.equal(contents(log), null);
  noted(log, 'SET a 1');
  log.cutAt(8);
  assert.equal(contents(log), null);
});

test('each command is found at its place, as long as it is kept', () => {
  const log = new TransactionLog(7);
  noted(log, 'MULTI');
  noted(log, 'SET a 1', 'SET b 2');
  const at = (place: number): string | undefined =>
    log.frameAt(place) === null ? undefined : commandsIn(log.frameAt(place)!)[0];
  assert.deepEqual([7, 8, 9, 10].map(at), ['MULTI', 'SET a 1', 'SET b 2', undefined]);
  log.giveUp();
  assert.equal(log.frameAt(8), null);
});

test('one of which a part went by unseen is not kept either', () => {
  const log = new TransactionLog(7);
  noted(log, 'MULTI');
  log.giveUp();
  noted(log, 'SET a 1');
  assert.equal(contents(log), null);
});
