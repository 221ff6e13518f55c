/**
 * The one table of options. Flags, environment variables, file keys, validation, `--help`, `respool check` and
 * docs/configuration.md are all made from it, so an option is added by adding a line here and a field in `config.ts`.
 * An option is called NAME in files, --NAME on the command line and RESPOOL_NAME in the environment.
 */
import { LOG_LEVELS } from '../base/logger.js';
import { listenAddress, tcpAddress } from './addresses.js';
import { collectorUrl } from './collector-url.js';
import {
  choice,
  commandNames,
  duration,
  integer,
  orWord,
  path,
  ratio,
  size,
  text,
  yesOrNo,
  type Kind,
} from './kinds.js';
import { LATER_OPTIONS } from './later-options.js';
import type { Option, Source } from './option.js';
import { upstreamUrl } from './upstream-url.js';

/** Every option by its name. The order is that of help, documentation and problems. */
export const OPTIONS = {
  listen: {
    group: 'Clients',
    kind: listenAddress,
    default: '127.0.0.1:6380',
    repeatable: true,
    help: 'where clients connect; may be given several times',
  },
  'max-clients': {
    group: 'Clients',
    kind: integer(1, 1_000_000),
    default: '10000',
    help: 'client connections at a time; one more gets "-ERR max number of clients reached"',
  },
  'requirepass-file': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    help: 'file with the password that clients must AUTH with',
  },
  requirepass: {
    group: 'Clients',
    kind: text('password'),
    default: null,
    givenIn: ['environment'],
    secret: true,
    help: 'the password that clients must AUTH with, instead of requirepass-file',
  },
  'protected-mode': {
    group: 'Clients',
    kind: yesOrNo,
    default: 'yes',
    help:
      'refuse to start when others could use the upstream credentials: listening beyond this machine, ' +
      'without a password for clients, with credentials for the upstream',
  },
  'tls-cert': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    help: 'certificate (PEM, with its chain) with which all host:port addresses of listen speak TLS',
  },
  'tls-key': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    help: 'key (PEM) of tls-cert',
  },
  'tls-ca': {
    group: 'Clients',
    kind: path('file'),
    default: null,
    help: 'authorities (PEM) of which clients must show a certificate; without it any client is let in',
  },
  'allow-commands': {
    group: 'Clients',
    kind: orWord(commandNames, 'all'),
    default: 'all',
    help: 'commands that clients may use, besides those about their own connection',
  },
  'deny-commands': {
    group: 'Clients',
    kind: orWord(commandNames, 'none'),
    default: 'none',
    help: 'commands that clients may not use, whatever allow-commands says',
  },
  'client-rate': {
    group: 'Clients',
    kind: orWord(integer(1, 10_000_000), 'unlimited'),
    default: 'unlimited',
    help: 'commands per second of one client; one that sends more is read more slowly',
  },
  'client-burst': {
    group: 'Clients',
    kind: integer(1, 10_000_000),
    default: null,
    defaultHelp: 'those of one second',
    help: 'commands that a client may send at once before client-rate slows it down',
  },
  'client-output-limit': {
    group: 'Clients',
    kind: size('64kb', '64gb'),
    default: '256mb',
    help: 'a client that leaves more than this unread is disconnected, like client-output-buffer-limit',
  },
  'max-bulk-bytes': {
    group: 'Clients',
    kind: size('64kb', '4gb'),
    default: '512mb',
    help: 'longest single value in a request, like proto-max-bulk-len',
  },
  upstream: {
    group: 'Upstream',
    kind: upstreamUrl,
    default: 'embedded:',
    help: 'the Redis behind the sidecar; embedded: runs a Valkey inside this process',
  },
  'upstream-password-file': {
    group: 'Upstream',
    kind: path('file'),
    default: null,
    help: 'file with the password for the upstream',
  },
  'upstream-password': {
    group: 'Upstream',
    kind: text('password'),
    default: null,
    givenIn: ['environment'],
    secret: true,
    help: 'the password for the upstream, instead of upstream-password-file',
  },
  'upstream-timeout': {
    group: 'Upstream',
    kind: duration('10ms', '1h'),
    default: '2s',
    help: 'time for a connection to be made, and for the reply to a command that does not block',
  },
  hold: {
    group: 'Upstream',
    kind: duration('0', '1h'),
    default: '1s',
    help: 'how long commands wait for a lost connection to return',
  },
  'shared-lanes': {
    group: 'Upstream',
    kind: integer(1, 64),
    default: '1',
    help: 'upstream connections shared by all clients of one user, database and protocol',
  },
  'max-pinned': {
    group: 'Upstream',
    kind: integer(1, 1_000_000),
    default: '10000',
    help: 'upstream connections that belong to one client each (transactions, subscriptions, blocking commands)',
  },
  'upstream-tls-ca': {
    group: 'Upstream',
    kind: path('file'),
    default: null,
    defaultHelp: "Node's own list",
    help: "authorities (PEM) that the upstream's certificate is checked against",
  },
  'upstream-tls-cert': {
    group: 'Upstream',
    kind: path('file'),
    default: null,
    help: 'client certificate (PEM) shown to the upstream',
  },
  'upstream-tls-key': {
    group: 'Upstream',
    kind: path('file'),
    default: null,
    help: 'key (PEM) of upstream-tls-cert',
  },
  'upstream-tls-servername': {
    group: 'Upstream',
    kind: text('name'),
    default: null,
    defaultHelp: 'the host of the URL',
    help: "name expected in the upstream's certificate, and sent to it (SNI)",
  },
  'embedded-engine': {
    group: 'Embedded engine',
    kind: choice('wasm', 'process'),
    default: 'wasm',
    help: 'wasm runs Valkey inside this process; process starts the valkey-server or redis-server found on PATH',
  },
  'embedded-max-memory': {
    group: 'Embedded engine',
    kind: size('8mb', '1tb'),
    default: '64mb',
    help: 'memory for the data of the embedded engine (at most 2gb with wasm)',
  },
  'embedded-snapshot': {
    group: 'Embedded engine',
    kind: path('file'),
    default: null,
    defaultHelp: 'data is lost on exit',
    help: 'file into which the data is saved on exit and from which it is restored on start',
  },
  'breaker-failures': {
    group: 'Outages',
    kind: integer(1, 10_000),
    default: '5',
    help: 'consecutive failures after which the upstream counts as away',
  },
  'breaker-rate': {
    group: 'Outages',
    kind: orWord(integer(1, 100), 'off'),
    default: 'off',
    help: 'per cent of failures within breaker-window at which the upstream counts as away, besides breaker-failures',
  },
  'breaker-window': {
    group: 'Outages',
    kind: duration('100ms', '10m'),
    default: '10s',
    help: 'the time over which breaker-rate is taken',
  },
  'breaker-minimum-calls': {
    group: 'Outages',
    kind: integer(1, 1_000_000),
    default: '20',
    help: 'with fewer replies and failures than this in breaker-window, breaker-rate says nothing',
  },
  'breaker-recovery': {
    group: 'Outages',
    kind: duration('250ms', '1h'),
    default: '10s',
    help: 'longest pause between two probes of an upstream that is away',
  },
  'outage-reads': {
    group: 'Outages',
    kind: choice('answer', 'refuse'),
    default: 'answer',
    help: 'what happens to reads in an outage',
  },
  'outage-writes': {
    group: 'Outages',
    kind: choice('buffer', 'refuse'),
    default: 'buffer',
    help: 'what happens to writes in an outage',
  },
  ambiguous: {
    group: 'Outages',
    kind: choice('repeat', 'report'),
    default: 'repeat',
    help: 'repeat what is safe to repeat when a connection died before the reply, or report all of it',
  },
  'busy-wait': {
    group: 'Outages',
    kind: duration('0', '24h'),
    default: '120s',
    help: 'how long commands wait for the end of a script that keeps the upstream busy; 0 passes -BUSY on',
  },
  rules: {
    group: 'Outages',
    kind: path('file'),
    default: null,
    help: 'YAML file with rules per command or key prefix',
  },
  'journal-dir': {
    group: 'Journal',
    kind: path('directory'),
    default: './respool-data',
    help: 'where writes are kept while the upstream is away; memory keeps them until exit only',
  },
  'journal-fsync': {
    group: 'Journal',
    kind: choice('always', 'everysec', 'no'),
    default: 'always',
    help: 'when the journal is forced to disk',
  },
  'journal-max-bytes': {
    group: 'Journal',
    kind: size('1mb', '1tb'),
    default: '256mb',
    help: 'largest journal; then writes are refused',
  },
  'replay-rate': {
    group: 'Journal',
    kind: orWord(integer(1, 10_000_000), 'unlimited'),
    default: 'unlimited',
    help: 'journaled commands per second that are replayed at most',
  },
  'cursor-prefix': {
    group: 'Journal',
    kind: text('prefix'),
    default: 'respool:',
    help: 'prefix of the key in which the upstream keeps how far replay has come',
  },
  scripts: {
    group: 'Scripts and cache',
    kind: choice('heal', 'pass'),
    default: 'heal',
    help: 'heal runs a script that the upstream has forgotten with the source that was learned; pass hands NOSCRIPT on',
  },
  'scripts-dir': {
    group: 'Scripts and cache',
    kind: path('directory'),
    default: null,
    help: 'directory with .lua files that are known from the start',
  },
  'scripts-max-bytes': {
    group: 'Scripts and cache',
    kind: size('64kb', '4gb'),
    default: '16mb',
    help: 'memory for the sources of scripts; those that were not used for longest go first',
  },
  admin: {
    group: 'Operation',
    kind: orWord(tcpAddress, 'off'),
    default: '127.0.0.1:9380',
    help: 'where HTTP answers /livez, /readyz, /metrics and /status',
  },
  drain: {
    group: 'Operation',
    kind: duration('0', '1h'),
    default: '10s',
    help: 'time for commands in flight to finish after SIGTERM',
  },
  'log-level': {
    group: 'Operation',
    kind: choice(...LOG_LEVELS),
    default: 'info',
    help: 'least severe events that are logged',
  },
  'log-format': {
    group: 'Operation',
    kind: choice('pretty', 'json'),
    default: null,
    defaultHelp: 'pretty on a terminal, else json',
    help: 'one line per event, for people or for machines',
  },
  'slow-log': {
    group: 'Operation',
    kind: orWord(duration('1ms', '1h'), 'off'),
    default: 'off',
    help: 'log a line for each command that took the upstream this long or longer',
  },
  'access-log': {
    group: 'Operation',
    kind: orWord(ratio, 'off'),
    default: 'off',
    help: 'the share of commands that are logged with a line each; at most 20 lines a second',
  },
  'log-keys': {
    group: 'Operation',
    kind: choice('hashed', 'named'),
    default: 'hashed',
    help: 'how keys appear in slow-log and access-log',
  },
  'trace-endpoint': {
    group: 'Operation',
    kind: collectorUrl,
    default: null,
    defaultHelp: 'no spans',
    help: 'OpenTelemetry collector (OTLP over HTTP) that gets a span for a share of the commands',
  },
  'trace-sample': {
    group: 'Operation',
    kind: ratio,
    default: '0.01',
    help: 'the share of commands that become a span',
  },
  config: {
    group: 'Operation',
    kind: path('file'),
    default: null,
    givenIn: ['flag', 'environment'],
    help: 'YAML file with options; the environment and flags are stronger',
  },
  ...LATER_OPTIONS,
} as const satisfies Record<string, Option>;

/** The name of an option, as in files: `upstream-timeout`. */
export type OptionName = keyof typeof OPTIONS;
export const OPTION_NAMES = Object.keys(OPTIONS) as readonly OptionName[];

type ValueOf<O> = O extends { kind: Kind<infer T>; default: infer D }
  ? O extends { repeatable: true }
    ? readonly T[]
    : D extends string
      ? T
      : T | null
  : never;

/** The typed value of every option. */
export type Values = { readonly [N in OptionName]: ValueOf<(typeof OPTIONS)[N]> };

/** The table's line for `name`, with every optional column present in its type. */
export function optionOf(name: OptionName): Option {
  return OPTIONS[name];
}

/** Whether option `name` may be given as a flag, in the environment or in the file. */
export function mayBeGivenIn(name: OptionName, source: Source): boolean {
  return optionOf(name).givenIn?.includes(source) ?? true;
}

/** `upstream-timeout` → `RESPOOL_UPSTREAM_TIMEOUT`. */
export function variableOf(name: OptionName): string {
  return `RESPOOL_${name.toUpperCase().replaceAll('-', '_')}`;
}

/** Whether `name` is yes or no: its flags are `--name` and `--no-name`. */
export function isSwitch(name: OptionName): boolean {
  return optionOf(name).kind === yesOrNo;
}

/** Whether the table has an option `name`. */
export function isOptionName(name: string): name is OptionName {
  return Object.hasOwn(OPTIONS, name);
}
