/**
 * The checker is checked: with nothing in between it finds nothing, so its masks hide enough; with
 * proxies that are wrong on purpose it finds them, so its masks do not hide too much.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCuts } from './cuts.js';
import { everyNth, prepare } from './expectations.js';
import { runPipelines, runSingle, runTransactions } from './generated-runs.js';
import { startPair } from './lock-step.js';
import { sameExec, sameReply } from './masks.js';
import { seededRandom } from './random.js';
import { encodeReply, parseFrame } from './reply-tree.js';
import { report } from './report.js';
import { SCENARIOS } from './scenarios/all.js';
import { PASSWORD, passwordScenarios } from './scenarios/password.js';
import { runCrowds, runSessions } from './session-fuzz.js';
import { runScenarios } from './stage.js';
import * as targets from './targets.js';

test('two servers with nothing in between do not differ', async (t) => {
  const { pair, groups } = await prepare(t, targets.plainForwarder);
  const differences = [
    ...(await runSingle(pair, everyNth(groups, 4))),
    ...(await runTransactions(pair.speaking(3), everyNth(groups, 6))),
    ...(await runPipelines(pair, groups, { count: 30, depth: 100, random: seededRandom(7) })),
    ...(await runSessions(pair, { count: 60, length: 40, random: seededRandom(8) })),
    ...(await runCrowds(pair, { count: 3, length: 60, random: seededRandom(9), members: 20 })),
    ...(await runScenarios(pair, SCENARIOS)),
  ];
  assert.equal(differences.length, 0, report(differences));
});

test('two servers with a password and nothing in between do not differ', async (t) => {
  const pair = await startPair(t, targets.plainForwarder, PASSWORD);
  const differences = await runScenarios(pair, passwordScenarios);
  assert.equal(differences.length, 0, report(differences));
});

for (const [fault, target, command] of [
  ['a null array becomes a null bulk', targets.nullConfusingForwarder, 'blpop'],
  ['a status becomes a bulk string', targets.statusConfusingForwarder, 'set'],
  ['an integer above 2^53 is rounded', targets.roundingForwarder, 'incrby'],
  ['a write reaches another key', targets.changingForwarder, 'set'],
  ['set replies in RESP3 become arrays', targets.flatteningForwarder, 'smembers'],
] as const) {
  test(`the checker notices when ${fault}`, async (t) => {
    const { pair, groups } = await prepare(t, target);
    const chosen = groups.filter(({ entry }) => entry.name === command);
    const found = [
      ...(await runSingle(pair, chosen)),
      ...(await runSingle(pair.speaking(3), chosen)),
    ];
    assert.ok(found.length > 0, 'found nothing');
  });
}

test('the checker notices when a closed connection stays open', async (t) => {
  const { pair, groups } = await prepare(t, targets.clingingForwarder);
  const quit = groups.filter(({ entry }) => entry.name === 'quit');
  const once = quit.map((group) => ({ ...group, cases: group.cases.slice(0, 1) }));
  assert.ok((await runSingle(pair, once)).length > 0, 'found nothing');
});

test('the checker notices when a request that comes in pieces is garbled', async (t) => {
  const { pair } = await prepare(t, targets.chunkBoundForwarder);
  assert.ok((await runCuts(pair)).length > 0, 'found nothing');
});

test('masks hide values, never types, errors or the number of elements', () => {
  const same = (command: string, a: string, b: string): boolean =>
    sameReply(command, Buffer.from(a), Buffer.from(b));
  assert.ok(same('time', '*2\r\n$1\r\n1\r\n$1\r\n2\r\n', '*2\r\n$1\r\n3\r\n$2\r\n44\r\n'));
  assert.ok(!same('time', '*2\r\n$1\r\n1\r\n$1\r\n2\r\n', '*2\r\n:3\r\n:44\r\n'));
  assert.ok(same('spop', '$1\r\na\r\n', '$3\r\nbcd\r\n'));
  assert.ok(!same('spop', '$1\r\na\r\n', '$-1\r\n'));
  assert.ok(!same('spop', '$1\r\na\r\n', '+a\r\n'));
  assert.ok(!same('spop', '-ERR a\r\n', '-ERR b\r\n'));
  assert.ok(!same('get', '$1\r\na\r\n', '$1\r\nb\r\n'));
  assert.ok(same('smembers', '~2\r\n+a\r\n+b\r\n', '~2\r\n+b\r\n+a\r\n'));
  assert.ok(!same('smembers', '~2\r\n+a\r\n+b\r\n', '*2\r\n+b\r\n+a\r\n'));
  assert.ok(!same('smembers', '*2\r\n+a\r\n+b\r\n', '*2\r\n+b\r\n+b\r\n'));
  assert.ok(!same('ttl', ':-1\r\n', ':-2\r\n'));
  const [one, other] = [Buffer.from('*2\r\n:1\r\n:5\r\n'), Buffer.from('*2\r\n:1\r\n:6\r\n')];
  assert.ok(sameExec(['get', 'ttl'], one, other));
  assert.ok(!sameExec(['ttl', 'get'], one, other));
});

test('a reply read as a tree is written back byte for byte', () => {
  for (const frame of [
    ...['+OK\r\n', '-ERR x\r\n', ':1\r\n', '$-1\r\n', '$0\r\n\r\n', '*-1\r\n', '*0\r\n', '_\r\n'],
    ...['%1\r\n+a\r\n~1\r\n,1.5\r\n', '=7\r\ntxt:abc\r\n', '(123\r\n', '#t\r\n', '!5\r\nERR x\r\n'],
    ...[
      '|1\r\n+a\r\n:1\r\n+OK\r\n',
      '*2\r\n|1\r\n+a\r\n*1\r\n+b\r\n:1\r\n:2\r\n',
      '>2\r\n+x\r\n_\r\n',
    ],
  ]) {
    assert.equal(encodeReply(parseFrame(Buffer.from(frame))), frame);
  }
});
