import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import { outageClassOf, type OutageClass } from '../../src/command/outage-class.js';
import { allowedClasses, OutageRules, type OutageRule } from '../../src/command/rules.js';
import { COMMANDS } from '../../src/command/table.js';
import { parseRules } from '../../src/config/rules-file.js';
import { readProjectFile } from '../helpers/project.js';

function rule(command: string | null, prefix: string | null, to: OutageRule['class']): OutageRule {
  return { command, prefix, class: to };
}

function classOf(rules: OutageRules, call: string): OutageClass {
  const args = call.split(' ').map((word) => Buffer.from(word));
  const id = classify(args[0]!, 0, args[0]!.length);
  const byTable = outageClassOf(id, args);
  const ruled = rules.classOf(id, args, byTable);
  if (!rules.touches(id)) assert.equal(ruled, byTable, call);
  return ruled;
}

function areAs(
  rules: readonly OutageRule[],
  expected: Readonly<Record<string, OutageClass>>,
): void {
  const all = new OutageRules(rules);
  // Their order in the file has no meaning.
  const reversed = new OutageRules([...rules].reverse());
  for (const [call, outageClass] of Object.entries(expected)) {
    assert.equal(classOf(all, call), outageClass, call);
    assert.equal(classOf(reversed, call), outageClass, call);
  }
}

test('without rules the table holds, and nobody need ask', () => {
  const rules = new OutageRules([]);
  assert.ok(rules.isEmpty);
  COMMANDS.forEach((_, id) => assert.ok(!rules.touches(id)));
  assert.equal(classOf(rules, 'INCR k'), 'refuse');
});

test('a rule for a command holds whatever its keys are', () => {
  areAs(
    [rule('incr', null, 'buffer'), rule('publish', null, 'refuse'), rule('get', null, 'refuse')],
    {
      'INCR k': 'buffer',
      'INCRBY k 1': 'refuse',
      'PUBLISH c m': 'refuse',
      'GET k': 'refuse',
      'MGET k': 'read',
    },
  );
});

test('a rule for a prefix holds for every command that names such a key', () => {
  areAs([rule(null, 'lock:', 'refuse')], {
    'GET lock:a': 'refuse',
    'GET lock': 'read',
    'SET lock:a v': 'refuse',
    'BLPOP lock:a 0': 'refuse',
    'BLPOP a 0': 'wait',
    'DEL a lock:a': 'refuse',
    'KEYS lock:*': 'read',
    PING: 'local',
  });
});

test('the longest prefix wins; of the same prefix, the rule that names the command', () => {
  areAs(
    [
      rule('incr', null, 'buffer'),
      rule(null, 'a:', 'refuse'),
      rule('set', 'a:', 'drop'),
      rule(null, 'a:b:', 'buffer'),
    ],
    {
      'INCR k': 'buffer',
      'INCR a:k': 'refuse',
      'SET a:k v': 'drop',
      'HSET a:k f v': 'refuse',
      'SET a:b:k v': 'buffer',
      'INCR a:b:k': 'buffer',
      'GET a:b:k': 'read',
      'GET a:k': 'refuse',
    },
  );
});

test('several keys get the strictest of their classes', () => {
  areAs([rule(null, 'cache:', 'drop'), rule(null, 'lock:', 'refuse')], {
    'MSET cache:a 1 cache:b 2': 'drop',
    'MSET cache:a 1 b 2': 'buffer',
    'MSET cache:a 1 b 2 lock:c 3': 'refuse',
    'MGET cache:a lock:c': 'refuse',
    'MGET cache:a b': 'read',
  });
});

test('a lock is never faked, a pop never promised, a transaction never bent', () => {
  const loose = COMMANDS.flatMap(({ name }, id) =>
    id > 0 && allowedClasses(name).includes('buffer') ? [rule(name, null, 'buffer')] : [],
  );
  for (const to of ['buffer', 'drop'] as const) {
    areAs([...loose, rule(null, 'k', to)], {
      'SET k v NX': 'refuse',
      'SETNX k v': 'refuse',
      'SET k v GET': 'refuse',
      'HSETNX k f v': 'refuse',
      'MSETEX 1 k v NX': 'refuse',
      'LPOP k': 'refuse',
      'SPOP k': 'refuse',
      'LMPOP 1 k LEFT': 'refuse',
      'RENAME k k2': 'refuse',
      'WATCH k': 'refuse',
      'EVAL s 1 k': 'refuse',
      'BLPOP k 0': 'wait',
      'GET k': 'read',
      'NO.SUCH.COMMAND k': 'refuse',
    });
  }
});

test('what cannot be answered by the store can only be refused, or takes no rule', () => {
  for (const name of ['multi', 'exec', 'auth', 'hello', 'subscribe', 'watch', 'client', 'debug'])
    assert.deepEqual(allowedClasses(name), [], name);
  for (const name of ['get', 'setnx', 'lpop', 'eval', 'flushall', 'config', 'blpop', 'xread'])
    assert.deepEqual(allowedClasses(name), ['refuse'], name);
  for (const name of ['set', 'incr', 'hset', 'xadd', 'zadd'])
    assert.deepEqual(allowedClasses(name), ['buffer', 'refuse', 'drop'], name);
});

test('docs/rules.md has an example that does what the page says', () => {
  const page = readProjectFile('docs/rules.md');
  const { rules, problems } = parseRules(/```yaml\n([\s\S]*?)```/.exec(page)![1]!, 'rules.yaml');
  assert.deepEqual(problems, []);
  areAs(rules, {
    'INCR page:7': 'buffer',
    'INCR lock:7': 'refuse',
    'GET lock:7': 'refuse',
    'SET cache:keep:a 1': 'buffer',
    'SET cache:a 1': 'drop',
    'MSET cache:a 1 b 2': 'buffer',
    'SET lock:7 x NX': 'refuse',
  });
});

test('docs/rules.md lists the commands that may be loosened', () => {
  const page = readProjectFile('docs/rules.md').replace(/\s+/g, ' ');
  const list = /and these, which (.*?)\. Their replies/.exec(page)![1]!;
  const listed = [...list.matchAll(/`([A-Z]+)`/g)].map(([, name]) => name!.toLowerCase());
  const loosened = COMMANDS.filter(
    ({ name, outage }) =>
      outage === 'refuse' && allowedClasses(name).includes('buffer') && !listed.includes(name),
  );
  assert.deepEqual(loosened, []);
  for (const name of listed) assert.ok(allowedClasses(name).includes('buffer'), name);
});
