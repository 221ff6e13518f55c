/**
 * docs/configuration.md, made from the table of options, so that it cannot say what the program does not do. `npm run
 * docs` writes the file; a test compares it.
 */
import { markdownTable } from '../base/markdown-table.js';
import { mayBeGivenIn, OPTION_NAMES, optionOf, variableOf, type OptionName } from './options.js';
import { GROUPS } from './option.js';

const INTRODUCTION = `# Configuration

<!-- Generated from src/config/options.ts by \`npm run docs\`. -->

Every option can be given in three ways, which beat each other in this order:

1. a flag: \`--upstream redis://127.0.0.1:6379\`
2. an environment variable: \`RESPOOL_UPSTREAM=redis://127.0.0.1:6379\` (an empty one counts as not set; lists are separated by commas)
3. a line in the YAML file that \`--config FILE\` names: \`upstream: redis://127.0.0.1:6379\` (lists as YAML lists)

\`respool check\` prints what was resolved and where each value came from, and tries the upstream. Mistakes are reported
all at once, each with the option, the value and what would be allowed; the exit code is then 2.

An option is called \`upstream-timeout\` in the file, \`--upstream-timeout\` on the command line and
\`RESPOOL_UPSTREAM_TIMEOUT\` in the environment. The tables below say the exceptions.

Options marked *later* are accepted and validated, so that a configuration written for the next version starts with this
one too, but **have no effect yet**; the log names those that were set.

## Secrets

Passwords are read from files (\`requirepass-file\`, \`upstream-password-file\`: one line each) or from the environment
(\`RESPOOL_REQUIREPASS\`, \`RESPOOL_UPSTREAM_PASSWORD\`), or for the upstream from its URL; there is no flag for them, since
command lines are visible to everybody on the machine. Where one is given in several ways, a flag beats the environment
and the environment beats the file; twice with equal strength is a mistake. They are masked wherever configuration is printed.

## Protected mode

Whoever can connect to the sidecar has the sidecar's rights at the upstream. It therefore refuses to start when it listens
beyond this machine (anything but a loopback address, \`localhost\` or a unix socket), asks clients for neither a password
nor a certificate (\`tls-ca\`), and has credentials for the upstream (a user, a password or a client certificate).
\`--no-protected-mode\` overrides.

## TLS for clients

With \`tls-cert\` and \`tls-key\` every \`host:port\` of \`listen\` speaks TLS 1.2 or 1.3, and nothing else; unix sockets stay
plain, for their file says who may connect. With \`tls-ca\` a client must show a certificate of one of these authorities.
On SIGHUP the files are read again: new connections get the new certificate, those that stand go on. Files that cannot be
used change nothing, and the log says why. A command then costs the sidecar about 7 µs more when it comes alone, and 0.8 µs
more in pipelines of 16 (measured with 50 clients on Node 20).

## Commands and rate

\`deny-commands\` and \`allow-commands\` name commands (\`flushall\`), or one of their subcommands (\`config|set\`), in any
letter case and also those of modules. A command that does not pass gets \`-NOPERM this sidecar does not pass the command …\`
in its place, in every condition; in a transaction EXEC aborts. What is denied is denied, also when it is allowed. With
\`allow-commands\` everything that is not named is refused but for what concerns the client's own connection: \`AUTH\`,
\`HELLO\`, \`PING\`, \`ECHO\`, \`QUIT\`, \`RESET\`, \`SELECT\`, \`CLIENT\` \`ID\`, \`GETNAME\`, \`SETNAME\`, \`SETINFO\` and \`REPLY\`,
\`MULTI\`, \`EXEC\`, \`DISCARD\`, \`WATCH\` and \`UNWATCH\`. ioredis asks \`INFO\` before it is ready, unless
\`enableReadyCheck\` is off. Scripts are not looked into: what may not be called must not be callable from \`EVAL\`, \`EVALSHA\` and \`FCALL\` either,
so deny these too, or give the sidecar a user of the upstream whose ACL denies the command.

\`client-rate\` slows down a client that sends more commands per second, by not reading its connection for a while; it never
gets an error. \`client-burst\` is how many it may send at once after a pause.
`;

const NOTES = `## Notes

- \`upstream\`: reserved characters in user and password may be written as they are, except \`%\` (write \`%25\`). The port
  defaults to 6379. \`sentinel://\` and \`cluster://\` are understood but refused: this version does not speak them yet.
- \`listen\`, \`admin\`: port 0 takes a free one; the log says which. The path of a unix socket is absolute.
- Relative paths start at the working directory, also those in a file.
- Durations: \`500ms\`, \`10s\`, \`2m\`, \`1h\`. Sizes: \`64kb\`, \`256mb\`, \`2gb\` (powers of 1024), or plain bytes.
- In YAML, \`embedded:\` needs quotes: \`upstream: "embedded:"\`.
`;

/** The whole text of docs/configuration.md. */
export function renderConfigurationDoc(): string {
  const groups = GROUPS.map((group) => {
    const rows = OPTION_NAMES.filter((name) => optionOf(name).group === group).map(rowOf);
    return `## ${group}\n\n${markdownTable(['option', 'default', 'allowed', 'meaning'], rows)}`;
  });
  return [INTRODUCTION, ...groups, NOTES].join('\n');
}

function rowOf(name: OptionName): string[] {
  const { default: fallback, defaultHelp, later, kind, help } = optionOf(name);
  const called = mayBeGivenIn(name, 'flag') ? name : variableOf(name);
  const shownDefault = fallback === null ? (defaultHelp ?? '–') : `\`${fallback}\``;
  return [`\`${called}\``, shownDefault, kind.allowed, later ? `*later:* ${help}` : help];
}
