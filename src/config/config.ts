/**
 * The configuration as the rest of the program sees it: typed, complete, checked, units last. Made once at start by
 * `resolve.ts` and never changed. Options of later versions have no field here: nothing could act on them.
 */
import type { LogFormat, LogLevel } from '../base/logger.js';
import type { OutageRules } from '../command/rules.js';
import type { ListenAddress, TcpAddress } from './addresses.js';
import type { Values } from './options.js';
import type { ListenerTls, ListenerTlsPaths } from './pem.js';
import type { Login, Upstream, UpstreamUrl } from './upstream-url.js';

/** TLS towards the upstream, in PEM. Null leaves Node's default, a null servername the URL's host. */
export interface UpstreamTls {
  readonly ca: Buffer | null;
  readonly cert: Buffer | null;
  /** Secret: never print it. */
  readonly key: Buffer | null;
  readonly servername: string | null;
}

export interface BreakerConfig {
  /** Consecutive failures. */
  readonly failures: number;
  /** Null: only consecutive failures count. */
  readonly rate: {
    readonly ratio: number;
    readonly windowMs: number;
    readonly minimumCalls: number;
  } | null;
  readonly recoveryMs: number;
}

export interface JournalConfig {
  /** Null: in memory. */
  readonly directory: string | null;
  readonly fsync: 'always' | 'everysec' | 'no';
  readonly maxBytes: number;
  /** Commands per second; null is as fast as it goes. */
  readonly replayRate: number | null;
  readonly cursorPrefix: string;
}

export interface CommandLogConfig {
  /** Commands that took the upstream so long are logged; null: none are. */
  readonly slowMs: number | null;
  /** The share of commands that are logged; null: none. */
  readonly sample: number | null;
  /** Their keys are named. */
  readonly showsKeys: boolean;
}

export interface ScriptsConfig {
  readonly mode: 'heal' | 'pass';
  /** Of `.lua` files that are known from the start. */
  readonly directory: string | null;
  readonly maxBytes: number;
}

/** Everything that was decided at start. Holds secrets: never log it as a whole. */
export interface Config {
  /** At least one address. */
  readonly listen: readonly ListenAddress[];
  /** For all TCP addresses of `listen`; null: plain text. */
  readonly tls: ListenerTls | null;
  /** Where `tls` was read from, and is read again on SIGHUP. */
  readonly tlsPaths: ListenerTlsPaths;
  /** Holds the upstream's password: print it with `describeUpstream` only. */
  readonly upstream: Upstream;
  /** What `upstream` needs when it speaks TLS; all null otherwise. */
  readonly upstreamTls: UpstreamTls;
  /** Null: no admin server. */
  readonly admin: TcpAddress | null;
  readonly upstreamTimeoutMs: number;
  readonly holdMs: number;
  readonly sharedLanes: number;
  readonly maxPinned: number;
  readonly embeddedEngine: 'wasm' | 'process';
  readonly embeddedMaxMemoryBytes: number;
  /** Null: the embedded engine's data is lost on exit. */
  readonly embeddedSnapshotPath: string | null;
  readonly breaker: BreakerConfig;
  readonly outageReads: 'answer' | 'refuse';
  readonly outageWrites: 'buffer' | 'refuse';
  /** What becomes of commands whose reply was lost. */
  readonly ambiguous: 'repeat' | 'report';
  readonly journal: JournalConfig;
  /** Where the rules are read from again on SIGHUP; null: there are none. */
  readonly rulesPath: string | null;
  readonly rules: OutageRules;
  readonly maxClients: number;
  /** Secret: the password of clients, or null when none is asked for. */
  readonly requirepass: string | null;
  /** Names in lower case; see `proxy/command-policy.ts`. */
  readonly commands: { readonly deny: readonly string[]; readonly allow: readonly string[] | null };
  /** Null: clients are not slowed down. */
  readonly clientRate: { readonly perSecond: number; readonly burst: number } | null;
  readonly scripts: ScriptsConfig;
  /** How long commands wait for a script that keeps the upstream busy; 0: not at all. */
  readonly busyWaitMs: number;
  readonly clientOutputLimitBytes: number;
  readonly maxBulkBytes: number;
  readonly drainMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly commandLog: CommandLogConfig;
  /** Spans: where to, and for which share of the commands; null: none. */
  readonly spans: { readonly endpoint: string; readonly sample: number } | null;
}

/** What was read from files and merged before the values can become a `Config`. Holds secrets. */
export interface ReadMaterial {
  readonly requirepass: string | null;
  readonly upstreamPassword: string | null;
  readonly listenerTls: ListenerTls | null;
  readonly upstreamTls: UpstreamTls;
  readonly rules: OutageRules;
  readonly isTTY: boolean;
}

/** Puts a `Config` together. `upstream` must be one that this version speaks. */
export function buildConfig(values: Values, upstream: Upstream, read: ReadMaterial): Config {
  return {
    listen: values.listen,
    tls: read.listenerTls,
    tlsPaths: tlsPathsOf(values),
    upstream: withPassword(upstream, read.upstreamPassword),
    upstreamTls: read.upstreamTls,
    admin: values.admin,
    upstreamTimeoutMs: values['upstream-timeout'],
    holdMs: values.hold,
    sharedLanes: values['shared-lanes'],
    maxPinned: values['max-pinned'],
    embeddedEngine: values['embedded-engine'],
    embeddedMaxMemoryBytes: values['embedded-max-memory'],
    embeddedSnapshotPath: values['embedded-snapshot'],
    breaker: breakerOf(values),
    outageReads: values['outage-reads'],
    outageWrites: values['outage-writes'],
    ambiguous: values.ambiguous,
    journal: {
      directory: values['journal-dir'] === IN_MEMORY ? null : values['journal-dir'],
      fsync: values['journal-fsync'],
      maxBytes: values['journal-max-bytes'],
      replayRate: values['replay-rate'],
      cursorPrefix: values['cursor-prefix'],
    },
    rulesPath: values.rules,
    rules: read.rules,
    maxClients: values['max-clients'],
    requirepass: read.requirepass,
    commands: { deny: values['deny-commands'] ?? [], allow: values['allow-commands'] },
    clientRate: clientRateOf(values),
    scripts: {
      mode: values.scripts,
      directory: values['scripts-dir'],
      maxBytes: values['scripts-max-bytes'],
    },
    busyWaitMs: values['busy-wait'],
    clientOutputLimitBytes: values['client-output-limit'],
    maxBulkBytes: values['max-bulk-bytes'],
    drainMs: values.drain,
    logLevel: values['log-level'],
    logFormat: values['log-format'] ?? (read.isTTY ? 'pretty' : 'json'),
    commandLog: {
      slowMs: values['slow-log'],
      sample: values['access-log'],
      showsKeys: values['log-keys'] === 'named',
    },
    spans: spansOf(values),
  };
}

/** Where the options say that the listener's certificates are. */
export function tlsPathsOf(values: Values): ListenerTlsPaths {
  return { cert: values['tls-cert'], key: values['tls-key'], ca: values['tls-ca'] };
}

/** What `journal-dir` says for no directory at all. */
export const IN_MEMORY = 'memory';

function clientRateOf(values: Values): Config['clientRate'] {
  const perSecond = values['client-rate'];
  return perSecond === null ? null : { perSecond, burst: values['client-burst'] ?? perSecond };
}

function spansOf(values: Values): Config['spans'] {
  const endpoint = values['trace-endpoint'];
  return endpoint === null ? null : { endpoint, sample: values['trace-sample'] };
}

function breakerOf(values: Values): BreakerConfig {
  const perCent = values['breaker-rate'];
  const rate =
    perCent === null
      ? null
      : {
          ratio: perCent / 100,
          windowMs: values['breaker-window'],
          minimumCalls: values['breaker-minimum-calls'],
        };
  return { failures: values['breaker-failures'], rate, recoveryMs: values['breaker-recovery'] };
}

function withPassword(upstream: Upstream, password: string | null): Upstream {
  return upstream.kind === 'embedded' ? upstream : { ...upstream, password };
}

/** The login of an upstream that can have one. */
export function loginOf(upstream: UpstreamUrl): Login | null {
  return upstream.kind === 'embedded' ? null : upstream;
}

/** Whether this version can speak to `upstream`. */
export function isSpoken(upstream: UpstreamUrl): upstream is Upstream {
  return upstream.kind !== 'sentinel' && upstream.kind !== 'cluster';
}
