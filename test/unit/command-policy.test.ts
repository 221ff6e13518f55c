import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classify } from '../../src/command/classify.js';
import { COMMANDS } from '../../src/command/table.js';
import { ALWAYS_ALLOWED, policyOf, type PolicyOptions } from '../../src/proxy/command-policy.js';
import { refusalsOf } from '../../src/sidecar/refusals.js';

const ALL_PASS = new Uint8Array(COMMANDS.length).fill(1);

/** What a client that says `words` is told; null: it passes. */
function answer(options: Partial<PolicyOptions>, words: string): string | null {
  const policy = policyOf({ deny: [], allow: null, ...options });
  const args = words.split(' ').map((word) => Buffer.from(word));
  const id = classify(args[0]!, 0, args[0]!.length);
  const refused = policy?.refuses(id, args) ?? null;
  // What may pass unseen must never be something that would have been refused.
  if (policy !== null && policy.filter(ALL_PASS)[id] === 1) assert.equal(refused, null, words);
  return refused;
}

test('without lists there is no policy at all', () => {
  assert.equal(policyOf({ deny: [], allow: null }), null);
});

test('a denied command is refused in any letter case, and others pass unseen', () => {
  for (const words of ['FLUSHALL', 'flushall', 'FlushAll ASYNC']) {
    assert.equal(
      answer({ deny: ['flushall'] }, words),
      "NOPERM this sidecar does not pass the command 'flushall' (option deny-commands)",
    );
  }
  assert.equal(answer({ deny: ['flushall'] }, 'FLUSHDB'), null);
  const policy = policyOf({ deny: ['flushall'], allow: null })!;
  assert.equal(policy.filter(ALL_PASS).filter((passes) => passes === 0).length, 1);
});

test('a subcommand can be denied by itself, and a command with all of them', () => {
  const deny = ['config|set', 'debug'];
  assert.match(
    answer({ deny }, 'CONFIG SeT maxmemory 1')!,
    /'config\|set' \(option deny-commands\)/,
  );
  assert.equal(answer({ deny }, 'CONFIG GET maxmemory'), null);
  assert.equal(answer({ deny }, 'CONFIG'), null);
  assert.match(answer({ deny }, 'DEBUG SLEEP 1')!, /'debug'/);
});

test('a command of a module, which the table does not know, can be listed too', () => {
  assert.match(answer({ deny: ['ft.drop'] }, 'FT.DROP idx')!, /'ft\.drop'/);
  assert.equal(answer({ deny: ['ft.drop'] }, 'FT.SEARCH idx'), null);
  assert.equal(answer({ allow: ['ft.search'] }, 'FT.SEARCH idx'), null);
  assert.match(answer({ allow: ['ft.search'] }, 'ft.drop idx')!, /'ft\.drop' \(option allow-/);
});

test('a list of allowed commands refuses all others, and what clients need to begin with passes', () => {
  const allow = ['get', 'set', 'config|get'];
  assert.equal(answer({ allow }, 'GET k'), null);
  assert.match(answer({ allow }, 'DEL k')!, /'del' \(option allow-commands\)/);
  assert.match(answer({ allow }, 'CONFIG SET a b')!, /'config\|set' \(option allow-commands\)/);
  assert.equal(answer({ allow }, 'CONFIG GET a'), null);
  for (const name of ALWAYS_ALLOWED) assert.equal(answer({ allow }, name.replace('|', ' ')), null);
  assert.match(answer({ allow }, 'CLIENT KILL ID 1')!, /'client\|kill'/);
  assert.match(answer({ allow: ['other'] }, 'NOSUCHCOMMAND')!, /'nosuchcommand'/);
});

test('what is denied is denied, also when it is allowed', () => {
  const lists = { allow: ['config', 'get'], deny: ['config|set', 'ping'] };
  assert.equal(answer(lists, 'CONFIG GET a'), null);
  assert.match(answer(lists, 'CONFIG SET a b')!, /deny-commands/);
  assert.match(answer(lists, 'PING')!, /deny-commands/);
});

test('HTTP that strayed here is still hung up on, for an error would let its body be read', () => {
  assert.equal(answer({ allow: ['get'] }, 'POST /'), null);
  assert.equal(answer({ deny: ['post'], allow: ['get'] }, 'Host: x'), null);
});

test('a name of any length and any bytes is said back in one short line', () => {
  const refused = answer({ allow: ['get'] }, `${'x'.repeat(100_000)}\r\n-ERR`)!;
  assert.ok(refused.length < 200 && /^[\x20-\x7e]+$/.test(refused));
  assert.match(answer({ allow: ['get'] }, 'a\r\n\x00é')!, /'a\?\?\?\?\?'/);
});

test('the filtered table is made once for each table', () => {
  const lists = { deny: ['flushall'], allow: null };
  const { filterPassing } = refusalsOf(lists, { isEmbedded: false, seesScripts: true });
  assert.equal(filterPassing(ALL_PASS), filterPassing(ALL_PASS));
});
