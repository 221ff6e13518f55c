import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRules } from '../../src/config/rules-file.js';

function problemsOf(text: string): readonly string[] {
  return parseRules(text, 'rules.yaml').problems;
}

test('rules are read in their order, commands in any case', () => {
  const text = `
    - { command: INCR, class: buffer }
    - prefix: 'lock:'
      class: refuse
    - { command: set, prefix: "caché:", class: drop } # with a comment
  `;
  assert.deepEqual(parseRules(text, 'rules.yaml'), {
    rules: [
      { command: 'incr', prefix: null, class: 'buffer' },
      { command: null, prefix: 'lock:', class: 'refuse' },
      { command: 'set', prefix: 'caché:', class: 'drop' },
    ],
    problems: [],
  });
});

test('an empty file has no rules', () => {
  for (const text of ['', '# nothing yet\n', '---\n', '[]', 'null'])
    assert.deepEqual(parseRules(text, 'rules.yaml'), { rules: [], problems: [] }, text);
});

test('everything that is wrong is named, with its line, what is allowed and what was probably meant', () => {
  const text = `
- { command: inrc, class: buffer }
- { command: incr, class: bufer }
- { comand: incr, class: buffer }
- { command: get, class: drop }
- { command: multi, class: refuse }
- { class: refuse }
- { command: set }
- { prefix: 12, class: refuse }
- { prefix: '', class: refuse }
- { prefix: , class: refuse }
- { command: [set, get], class: refuse }
- refuse
-
- { prefix: 'a:', class: refuse }
- { prefix: 'a:', class: drop }
`;
  const allowed = "allowed: a list of rules, as in - {prefix: 'lock:', class: refuse}";
  assert.deepEqual(problemsOf(text), [
    'rules: rules.yaml: line 2: command "inrc" is not known; did you mean incr?; allowed: a command without its subcommand',
    'rules: rules.yaml: line 3: class "bufer" is not allowed for incr; did you mean buffer?; allowed: buffer, refuse, drop',
    'rules: rules.yaml: line 4: there is no field "comand"; did you mean command?; allowed: command, prefix, class',
    'rules: rules.yaml: line 5: class "drop" is not allowed for get; allowed: refuse',
    'rules: rules.yaml: line 6: command multi cannot have a rule; allowed: commands that work on data, and PUBLISH',
    'rules: rules.yaml: line 7: a rule for nothing; allowed: with command, prefix or both',
    'rules: rules.yaml: line 8: class is missing; allowed: buffer, refuse or drop',
    'rules: rules.yaml: line 9: prefix is not allowed; allowed: text of 1 to 1000 characters (numbers in quotes)',
    'rules: rules.yaml: line 10: prefix is not allowed; allowed: text of 1 to 1000 characters (numbers in quotes)',
    'rules: rules.yaml: line 11: prefix is empty',
    'rules: rules.yaml: line 12: command is not allowed; allowed: the name of one command',
    `rules: rules.yaml: line 13: not a rule; ${allowed}`,
    `rules: rules.yaml: line 14: not a rule; ${allowed}`,
    'rules: rules.yaml: line 16: the same command and prefix as in line 15',
  ]);
});

test('what is no list, no YAML or too much is refused as a whole', () => {
  assert.match(
    problemsOf('command: incr\nclass: buffer')[0]!,
    /line 1: not a list; allowed: a list of/,
  );
  assert.match(problemsOf('- {command: incr')[0]!, /^rules: rules\.yaml: line \d+: /);
  assert.match(problemsOf('- {a: 1, a: 2}\n- "')[0]!, /line 1: Map keys must be unique/);
  assert.match(problemsOf('x'.repeat(1_000_001))[0]!, /longer than 1000000 characters/);
  const many = Array.from({ length: 1001 }, (_, n) => `- {prefix: 'p${n}', class: drop}`).join(
    '\n',
  );
  assert.match(problemsOf(many)[0]!, /1001 rules; allowed: at most 1000/);
  assert.deepEqual(problemsOf(many.replace(/.*\n/, '')), []);
});

test('aliases and tags are no way around the rules of the file', () => {
  assert.equal(problemsOf('- &a {command: incr, class: buffer}\n- *a').length, 1);
  assert.ok(problemsOf(`- ${'['.repeat(1000)}`).length > 0);
});
