/**
 * docs/compatibility.md, made from the tables of the conformance tests, so that it names every
 * difference that they accept and everything that they do not look at.
 */
import { markdownTable } from '../../src/base/markdown-table.js';
import { ACCEPTED_DIFFERENCES } from './accepted-differences.js';
import { ONLY_BY_HAND } from './only-by-hand.js';
import { MASKS } from './masks.js';
import { SCRIPT_DIFFERENCES } from './script-differences.js';
import { SNIPPETS } from './script-runs.js';
import { CORPUS } from './scripts/all.js';

const INTRODUCTION = `# Compatibility

<!-- Generated from the tables in test/conformance by \`npm run docs\`. -->

A client that speaks to Redis through Respool cannot tell the difference. This page says how that is shown, and lists
what differs all the same.

Two redis-servers of the same version hold the same keys. One client speaks to the first one directly, another one to
the second through the sidecar; both send the same bytes, and every byte that comes back is compared, and after each
command that may write the digest of both key spaces. The commands come from the upstream's own COMMAND table: each of
them, subcommands included, with arguments made from the grammar of COMMAND DOCS (valid, of another type, too few, too
many, out of range, empty, binary, very long, misspelt), in RESP2 and RESP3, alone, inside MULTI … EXEC, in pipelines of
100, and, for selected pipelines, cut in two at every byte. What takes several connections or several steps (sessions,
transactions, subscriptions, blocking commands, tracking, protocol errors) is scripted.

The same comparison with nothing but a pipe in place of the sidecar finds no difference, and with proxies that are wrong
on purpose it finds them: otherwise it would prove nothing.

\`npm run test:redis-suite\` runs Redis' own external test suite, directly and through the sidecar. On 2026-11-21 (7.0.15) 2,019
of 2,023 tests ended alike. Two failed because a script that was flushed is run all the same, one because a client keeps its
socket when connections are killed, and one on ports of its own, without the sidecar; in other runs up to two fail because
MONITOR also shows what the sidecar says for itself. Some of those that
end alike are left out both ways: a client that waits for -BUSY, which the sidecar waits out, and REPLICAOF inside MULTI, after
which READONLY is an outage.
`;

const ADDED = `## Added

The command \`RESPOOL\` and the section \`# Respool\` of INFO, for operators. Errors of its own begin with
\`-UNAVAILABLE\` or \`-UNKNOWNOUTCOME\` and appear only while the upstream is away, cannot serve, or was lost in the
middle of a command. What else an outage changes is in [what-clients-notice.md](what-clients-notice.md).
`;

const SCRIPTS = `## Scripts on the embedded engine

${SNIPPETS.size} Lua scripts (${Object.keys(CORPUS).join(', ')})
run directly on Redis 7.0, through the sidecar, and on the embedded engine, in RESP2 and RESP3. The sidecar adds
nothing. The embedded engine, a Valkey 9.1 as WebAssembly, gives the same bytes but for these:
`;

const LEFT_OUT = `Left out, because one of the two does not survive it: \`redis.acl_check_cmd\` ends the embedded engine, which begins
again with no data; \`error(…)\` with a table that has no \`err\` ends Redis 7.0; and a pattern that recurses hundreds of
thousands of times ends both.
`;

/** The whole text of docs/compatibility.md. */
export function renderCompatibilityDoc(): string {
  return [
    INTRODUCTION,
    '## Different on purpose\n',
    markdownTable(
      ['what', 'Redis', 'Respool', 'why'],
      ACCEPTED_DIFFERENCES.map(({ what, redis, respool, reason }) => [
        what,
        redis,
        respool,
        reason,
      ]),
    ),
    SCRIPTS,
    markdownTable(
      ['what', 'Redis', 'embedded', 'why'],
      SCRIPT_DIFFERENCES.map(({ what, redis, embedded, reason }) => [
        what,
        redis,
        embedded,
        reason,
      ]),
    ),
    LEFT_OUT,
    ADDED,
    '## Not compared\n',
    'Fields that depend on time, chance or the process, so that even two Redis differ; everything else in these\nreplies is compared, and errors always are.\n',
    markdownTable(
      ['commands', 'what is masked', 'why'],
      MASKS.map(({ commands, what, reason }) => [commands.map(code).join(', '), what, reason]),
    ),
    'Commands that are called with chosen arguments only, because generated ones could stop the server, the connection\nor the test:\n',
    markdownTable(
      ['command', 'why'],
      Object.entries(ONLY_BY_HAND).map(([name, { why }]) => [code(name), why]),
    ),
  ].join('\n');
}

function code(name: string): string {
  return `\`${name.replace('|', ' ').toUpperCase()}\``;
}
