import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockingTimeoutOf } from '../../src/command/blocking-timeout.js';
import { classify } from '../../src/command/classify.js';
import { effectOf } from '../../src/command/effect.js';
import { COMMANDS, type SessionEffect } from '../../src/command/table.js';
import { decodeArguments } from '../../src/resp/decoder.js';

function argumentsOf(command: string): Buffer[] {
  return command.split(' ').map((word) => Buffer.from(word, 'latin1'));
}

function effect(command: string): SessionEffect {
  const args = argumentsOf(command);
  return effectOf(classify(args[0]!, 0, args[0]!.length), args);
}

test('the effect of most commands is in the table', () => {
  const known: [string, SessionEffect][] = [
    ['GET k', 'none'],
    ['MULTI', 'multi'],
    ['BLPOP k 0', 'blocking'],
    ['WAIT 1 0', 'wait'],
    ['AUTH u p', 'auth'],
    ['SELECT 1', 'select'],
    ['SUBSCRIBE c', 'subscribe'],
    ['SUNSUBSCRIBE', 'subscribe'],
    ['MONITOR', 'monitor'],
    ['PSYNC ? -1', 'replicate'],
    ['QUIT', 'quit'],
    ['POST /', 'hang-up'],
    ['Host: localhost', 'hang-up'],
    ['NO.SUCH.COMMAND', 'apart'],
    ['DEBUG SLEEP 1', 'apart'],
  ];
  for (const [command, expected] of known) assert.equal(effect(command), expected, command);
});

test('CLIENT has the effect of its subcommand, in any case', () => {
  const known: [string, SessionEffect][] = [
    ['client setname x', 'name'],
    ['CLIENT GETNAME', 'name'],
    ['CLIENT SETINFO LIB-NAME x', 'library'],
    ['CLIENT id', 'tied'],
    ['CLIENT No-Evict on', 'tied'],
    ['CLIENT TRACKING on', 'tied'],
    ['CLIENT REPLY skip', 'sticky'],
    ['CLIENT KILL ID 1', 'apart'],
    ['CLIENT PAUSE 0', 'none'],
    ['CLIENT', 'none'],
    ['CLIENT nonsense', 'none'],
  ];
  for (const [command, expected] of known) assert.equal(effect(command), expected, command);
});

test('words that every JavaScript object knows are no subcommands', () => {
  for (const word of ['constructor', '__proto__', 'toString', 'valueOf', 'hasOwnProperty']) {
    assert.equal(effect(`CLIENT ${word}`), 'none', word);
    assert.equal(effect(`SCRIPT ${word}`), 'none', word);
  }
});

test('SCRIPT DEBUG leaves its mode behind, KILL must not wait behind the script', () => {
  assert.equal(effect('SCRIPT DEBUG yes'), 'sticky');
  assert.equal(effect('SCRIPT KILL'), 'urgent');
  assert.equal(effect('function kill'), 'urgent');
  for (const command of ['SCRIPT LOAD x', 'SCRIPT flush', 'SCRIPT', 'FUNCTION LIST', 'FUNCTION']) {
    assert.equal(effect(command), 'none', command);
  }
});

test('RESET with an argument is an error for the upstream to make', () => {
  assert.equal(effect('RESET'), 'reset');
  assert.equal(effect('RESET now'), 'none');
});

test('XREAD and XREADGROUP wait only with BLOCK among their options', () => {
  for (const command of [
    'XREAD BLOCK 0 STREAMS s $',
    'xread count 10 block 5 streams s $',
    'XREADGROUP GROUP g c BLOCK 0 NOACK STREAMS s >',
    'XREADGROUP BLOCK 0 GROUP g c STREAMS s >',
    'XREADGROUP GROUP streams streams BLOCK 0 STREAMS s >',
    'XREADGROUP GROUP g c COUNT 1 BLOCK 0 STREAMS s >',
  ]) {
    assert.equal(effect(command), 'blocking', command);
  }
  for (const command of [
    'XREAD STREAMS s 0',
    'XREAD COUNT 1 STREAMS block 0',
    'XREADGROUP GROUP block block STREAMS s >',
    'XREADGROUP GROUP g c STREAMS block block > >',
    'XREAD',
    'XREADGROUP GROUP',
    'XREAD blockade STREAMS s 0',
  ]) {
    assert.equal(effect(command), 'none', command);
  }
});

test('every command has an effect whatever its arguments are', () => {
  COMMANDS.forEach(({ name }, id) => {
    for (const rest of ['', ' x', ' BLOCK', ' GROUP', ' COUNT']) {
      assert.equal(typeof effectOf(id, argumentsOf(`${name}${rest}`)), 'string', `${name}${rest}`);
    }
  });
});

test('a timeout is found where each blocking command carries it, in milliseconds', () => {
  const known: [string, number][] = [
    ['BLPOP a b 1.5', 1500],
    ['brpop a 0', 0],
    ['BRPOPLPUSH a b 2', 2000],
    ['BLMOVE a b LEFT RIGHT 0.25', 250],
    ['BZPOPMIN z 3', 3000],
    ['BZPOPMAX z 3', 3000],
    ['BLMPOP 4 1 a LEFT', 4000],
    ['BZMPOP 4 1 z MIN COUNT 2', 4000],
    ['XREAD COUNT 5 BLOCK 700 STREAMS s $', 700],
    ['XREADGROUP GROUP block 100 BLOCK 700 STREAMS s >', 700],
    ['XREADGROUP BLOCK 700 GROUP g c STREAMS s >', 700],
  ];
  for (const [command, ms] of known) {
    assert.equal(blockingTimeoutOf(argumentsOf(command))?.ms, ms, command);
  }
});

test('what does not wait for data, or says no time, has no timeout', () => {
  for (const command of [
    'GET k',
    'WAIT 1 100',
    'WAITAOF 1 1 100',
    'XREAD STREAMS block 0',
    'XREAD BLOCK',
    'XREAD BLOCK soon STREAMS s $',
    'BLPOP k -1',
    'BLPOP k nan',
    'BLPOP k inf',
    'BLPOP k ',
    'BLPOP',
    'BLMPOP',
    'OBJECT block 5',
  ]) {
    assert.equal(blockingTimeoutOf(argumentsOf(command)), null, command);
  }
});

test('the command with another timeout is otherwise the same', () => {
  const again = (command: string, ms: number): string =>
    decodeArguments(blockingTimeoutOf(argumentsOf(command))!.withTimeout(ms)).join(' ');
  assert.equal(again('BLPOP a 5 10', 1234.4), 'BLPOP a 5 1.234');
  assert.equal(again('BLPOP a 0', 0), 'BLPOP a 0.000');
  assert.equal(again('BLMPOP 10 1 a LEFT', 1), 'BLMPOP 0.001 1 a LEFT');
  assert.equal(again('XREAD BLOCK 10 STREAMS 10 $', 2.1), 'XREAD BLOCK 3 STREAMS 10 $');
  assert.equal(again('XREAD BLOCK 0 STREAMS s $', 0), 'XREAD BLOCK 0 STREAMS s $');
});

test('bytes survive in the command with another timeout', () => {
  const key = Buffer.from([0, 255, 13, 10]);
  const timeout = blockingTimeoutOf([Buffer.from('BLPOP'), key, Buffer.from('1')])!;
  assert.deepEqual(decodeArguments(timeout.withTimeout(500))[1], key);
});
