/** What `respool check` makes of facts that a test cannot bring about: old servers, proxies, disks, limits. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeFailure } from '../../src/cli/check-failure.js';
import { judgeSurroundings } from '../../src/cli/check-here.js';
import { judgeUpstream } from '../../src/cli/check-upstream.js';
import type { Finding } from '../../src/cli/finding.js';
import type { Config } from '../../src/config/config.js';
import { resolveConfig } from '../../src/config/resolve.js';
import type { JournalPlace, Surroundings } from '../../src/sidecar/surroundings.js';
import type { Answer } from '../../src/upstream/interview.js';
import { GENEROUS, refused, upstreamFacts } from '../helpers/sample-upstream.js';

function configWith(options: Record<string, string> = {}): Config {
  const flags = Object.entries({ upstream: 'redis://h', ...options });
  const resolution = resolveConfig({
    flags: Object.fromEntries(flags.map(([name, value]) => [name, [value]])),
    env: {},
    readFile: () => '',
    readDirectory: () => [],
    isTTY: false,
  });
  assert.ok(resolution.ok);
  return resolution.config;
}

const codesOf = (findings: readonly Finding[]): string[] =>
  findings.map(({ severity, code }) => `${severity} ${code}`);

const LOST: Answer = { kind: 'lost', text: 'the upstream closed the connection' };

test('an upstream that lacks nothing has no findings', () => {
  assert.deepEqual(judgeUpstream(upstreamFacts(), configWith()), []);
});

test('a server that is too old, and one that is older than what is tested', () => {
  const found = (version: string): string[] =>
    codesOf(judgeUpstream(upstreamFacts({}, [`redis_version:${version}`]), configWith()));
  assert.deepEqual(found('5.0.14'), ['error version']);
  assert.deepEqual(found('6.0.20'), ['error version']);
  assert.deepEqual(found('6.2.14'), ['warning version']);
  assert.deepEqual(['7.0.0', '7.4.1', '8.2.0', '255.255.255'].flatMap(found), []);
});

test('a proxy in between is one finding, whether it says so or hangs up', () => {
  const unknown = refused("ERR unknown command 'MULTI'");
  for (const answers of [
    { multi: LOST },
    { multi: unknown },
    { info: LOST, multi: LOST, fence: LOST },
  ])
    assert.deepEqual(codesOf(judgeUpstream(upstreamFacts(answers), configWith())), ['error proxy']);
  const [found] = judgeUpstream(upstreamFacts({ info: LOST, name: LOST }), configWith());
  assert.match(found!.found, /does not pass INFO, CLIENT: a proxy such as twemproxy/);
});

test('states in which a server takes no writes are errors that say what to do', () => {
  for (const [reply, advice] of [
    ['MISCONF Redis is configured to save', /its disk/],
    ['LOADING Redis is loading', /Wait until it has loaded/],
    ['BUSY Redis is busy running a script.', /SCRIPT KILL/],
  ] as const) {
    const [found] = judgeUpstream(upstreamFacts({ moveCursor: refused(reply) }), configWith());
    assert.deepEqual(codesOf([found!]), ['error not-serving']);
    assert.match(found!.advice!, advice);
  }
});

test('a clock that differs, and by how much', () => {
  const found = (skewMs: number): Finding[] =>
    judgeUpstream(upstreamFacts({}, [], skewMs), configWith());
  assert.deepEqual([found(1500), found(-1500)], [[], []]);
  assert.match(found(61_000)[0]!.found, /is 61 s ahead of this machine's/);
  assert.match(found(-7000)[0]!.found, /is 7 s behind/);
});

test('what the upstream does not tell is not held against it', () => {
  const noperm = refused('NOPERM this user has no permissions');
  const facts = upstreamFacts({ save: noperm, appendfsync: noperm });
  assert.deepEqual(judgeUpstream(facts, configWith()), []);
  const silent = upstreamFacts({ save: noperm, appendfsync: noperm }, ['aof_enabled:0']);
  assert.match(judgeUpstream(silent, configWith())[0]!.found, /does not tell whether it takes/);
});

test('who cannot be reached: each reason has its advice', () => {
  for (const [cause, advice] of [
    ['getaddrinfo ENOTFOUND nowhere', /Correct the host/],
    ['connect EACCES /run/redis.sock', /unixsocketperm/],
    ['self-signed certificate in certificate chain', /upstream-tls-ca/],
    ['no connection within 2000 ms', /frozen, busy/],
  ] as const)
    assert.match(judgeFailure(cause).advice!, advice, cause);
  assert.equal(judgeFailure('something else').advice, null);
});

/** Findings of a machine that differs from a generous one. */
function here(differences: Partial<Surroundings>, options: Record<string, string> = {}): Finding[] {
  return judgeSurroundings({ ...GENEROUS, ...differences }, configWith(options));
}

const JOURNAL: JournalPlace = {
  directory: '/data',
  problem: null,
  freeBytes: 2 ** 40,
  fileSystem: null,
  isLocked: false,
};

test('a machine that grants everything has no findings', () => {
  assert.deepEqual(here({ journal: JOURNAL }), []);
});

test('where the journal would be', () => {
  const found = (differences: Partial<JournalPlace>, options = {}): string[] =>
    codesOf(here({ journal: { ...JOURNAL, ...differences } }, options));
  assert.deepEqual(found({ problem: 'EACCES' }), ['error journal-not-writable']);
  assert.deepEqual(found({ isLocked: true }), ['note journal-in-use']);
  assert.deepEqual(found({ freeBytes: 1e6 }), ['warning journal-space']);
  assert.deepEqual(found({ fileSystem: 'memory' }), ['warning journal-on-memory']);
  assert.deepEqual(found({ fileSystem: 'network' }), ['warning journal-on-network']);
  assert.deepEqual(found({ fileSystem: 'container' }), ['warning journal-on-container']);
  assert.deepEqual(found({ fileSystem: 'memory' }, { 'outage-writes': 'refuse' }), []);
  assert.deepEqual(codesOf(here({}, { 'journal-dir': 'memory' })), ['warning journal-in-memory']);
});

test('addresses that are taken, or not of this machine, or open to others', () => {
  const at = (address: string, isLocal: boolean, problem: string | null = null) => ({
    ...{ address, isLocal, problem, isUnix: false },
  });
  const journal = JOURNAL;
  const taken = at(
    '127.0.0.1:1',
    true,
    'cannot listen on 127.0.0.1:1: another program already does.',
  );
  assert.deepEqual(codesOf(here({ journal, listen: [taken] })), ['warning address-in-use']);
  const foreign = at('10.9.9.9:1', true, 'cannot listen on 10.9.9.9:1: EADDRNOTAVAIL');
  assert.deepEqual(codesOf(here({ journal, admin: foreign })), ['error address']);
  const open = [at('0.0.0.0:1', false)];
  assert.deepEqual(codesOf(here({ journal, listen: open })), [
    'warning plain-text',
    'warning open',
  ]);
  assert.deepEqual(codesOf(here({ journal, admin: open[0]! })), ['warning admin-open']);
});

test('fewer descriptors than clients may need', () => {
  const [found] = here({ journal: JOURNAL, maxDescriptors: 1024 });
  assert.equal(found!.code, 'descriptors');
  assert.match(found!.found, /1024 descriptors .* allow for 20200/);
  const modest = { 'max-clients': '400', 'max-pinned': '400' };
  assert.deepEqual(here({ journal: JOURNAL, maxDescriptors: 1024 }, modest), []);
});

test('every finding is whole sentences, and says what to do', () => {
  const facts = upstreamFacts(
    {
      ...{ eval: refused('NOPERM'), fence: refused('NOPERM'), multi: refused('NOPERM') },
      ...{ database: refused('ERR DB index is out of range'), moveCursor: refused('OOM') },
    },
    [
      'role:slave',
      'cluster_enabled:1',
      'maxmemory:1',
      'maxmemory_policy:allkeys-lru',
      'aof_enabled:0',
    ],
    9000,
  );
  const findings = judgeUpstream(facts, configWith({ upstream: 'redis://h/7' }));
  assert.ok(findings.length >= 8, codesOf(findings).join());
  for (const { found, advice } of findings)
    for (const text of [found, advice!]) assert.match(text, /^[A-Z].*[^.]\.$/s);
});
