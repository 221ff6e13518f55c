/**
 * Rules that concern several options at once. Each check looks at the typed values and says what is wrong, and with
 * which options; none of them reads a file or knows the order in which options are resolved.
 */
import { MAX_EMBEDDED_MEMORY_BYTES } from '../embedded/engine.js';
import { COMMAND_NAMES } from '../command/table.js';
import { formatAddress, isLocal, type ListenAddress } from './addresses.js';
import { isSpoken, loginOf, type ReadMaterial } from './config.js';
import { suggestion } from './nearest.js';
import type { OptionName, Values } from './options.js';
import { describeUpstream } from './upstream-url.js';

/** What a check sees. */
export interface Subject {
  readonly values: Values;
  readonly read: ReadMaterial;
  /** Whether somebody gave this option, even with a bad value. */
  readonly isGiven: (name: OptionName) => boolean;
}

type Check = (subject: Subject) => string | null;

/** All that is wrong with the options together, in the order of the checks. */
export function findProblems(subject: Subject): string[] {
  return CHECKS.map((check) => check(subject)).filter((problem) => problem !== null);
}

/** What is allowed but probably not what was meant. */
export function findWarnings({ values, read, isGiven }: Subject): string[] {
  const warnings: string[] = [];
  const { upstream } = values;
  const tls = UPSTREAM_TLS.filter(isGiven);
  if (tls.length > 0 && upstream.kind !== 'tcp') {
    warnings.push(
      `${tls.join(', ')}: without effect, because upstream is ${describeUpstream(upstream)}`,
    );
  }
  if (
    upstream.kind === 'embedded' &&
    (isGiven('upstream-password') || isGiven('upstream-password-file'))
  ) {
    warnings.push('upstream-password: without effect, because upstream is embedded:');
  }
  const unknown = [...(values['deny-commands'] ?? []), ...(values['allow-commands'] ?? [])].filter(
    (name) => !COMMAND_NAMES.includes(name.split('|')[0]!),
  );
  for (const name of unknown)
    warnings.push(
      `deny-commands, allow-commands: ${name} is not in the command table: a module's, or mistyped` +
        suggestion(name, COMMAND_NAMES),
    );
  const starred = read.rules.rules.flatMap(({ prefix }) => (prefix?.includes('*') ? [prefix] : []));
  if (starred.length > 0)
    warnings.push(
      `rules: prefix ${starred.map((one) => JSON.stringify(one)).join(', ')}: ` +
        'a * matches only a star in the key, for prefixes are literal',
    );
  if (values['client-rate'] === null && isGiven('client-burst'))
    warnings.push('client-burst: without effect, because client-rate is unlimited');
  if (isGiven('tls-cert') && values.listen.every(({ kind }) => kind === 'unix'))
    warnings.push('tls-cert, tls-key: without effect, because listen has only unix sockets');
  if (values['trace-endpoint'] === null && isGiven('trace-sample'))
    warnings.push('trace-sample: without effect, because there is no trace-endpoint');
  if (values['slow-log'] === null && values['access-log'] === null && isGiven('log-keys'))
    warnings.push('log-keys: without effect, because slow-log and access-log are off');
  const idle = FOR_OUTAGES.filter(isGiven);
  if (upstream.kind === 'embedded' && idle.length > 0)
    warnings.push(`${idle.join(', ')}: without effect, because upstream is embedded:`);
  return warnings;
}

/** What deals with an upstream that can go away. */
const FOR_OUTAGES = [
  'breaker-failures',
  'breaker-rate',
  'breaker-window',
  'breaker-minimum-calls',
  'breaker-recovery',
  'outage-reads',
  'outage-writes',
  'ambiguous',
  'rules',
  'journal-dir',
  'journal-fsync',
  'journal-max-bytes',
  'replay-rate',
  'cursor-prefix',
] as const satisfies OptionName[];

const UPSTREAM_TLS = [
  'upstream-tls-ca',
  'upstream-tls-cert',
  'upstream-tls-key',
  'upstream-tls-servername',
] as const satisfies OptionName[];

const CHECKS: readonly Check[] = [
  upstreamIsSpoken,
  (subject) => certificateHasKey(subject, 'tls-cert', 'tls-key'),
  clientCertificatesNeedTls,
  userHasPassword,
  protectedMode,
  listenIsUnambiguous,
  upstreamIsNotOurselves,
  (subject) => certificateHasKey(subject, 'upstream-tls-cert', 'upstream-tls-key'),
  tlsIsAskedFor,
  wasmFitsItsAddressSpace,
];

/** A list of authorities alone would look like encryption, and be none. */
function clientCertificatesNeedTls({ isGiven }: Subject): string | null {
  if (!isGiven('tls-ca') || isGiven('tls-cert') || isGiven('tls-key')) return null;
  return 'tls-ca: tls-cert and tls-key are missing; allowed: all three, or tls-cert and tls-key';
}

function upstreamIsSpoken({ values: { upstream } }: Subject): string | null {
  if (isSpoken(upstream)) return null;
  return (
    `upstream: this version does not speak ${upstream.kind}:// yet; ` +
    'allowed: redis://, rediss://, unix:// and embedded:'
  );
}

function userHasPassword({ values: { upstream }, read, isGiven }: Subject): string | null {
  if ((loginOf(upstream)?.user ?? null) === null) return null;
  if (read.upstreamPassword !== null || isGiven('upstream-password-file')) return null;
  return (
    'upstream: there is a user but no password; allowed: redis://user:password@host, ' +
    'upstream-password-file or RESPOOL_UPSTREAM_PASSWORD'
  );
}

/**
 * Redis' protected mode, for a sidecar: whoever can connect has the sidecar's rights at the upstream, so others may
 * connect only with a password or a certificate once those rights are more than an anonymous client's.
 */
function protectedMode({ values, read, isGiven }: Subject): string | null {
  const isProven = (['requirepass', 'requirepass-file', 'tls-ca'] as const).some(isGiven);
  if (!values['protected-mode'] || isProven) return null;
  const open = values.listen.find((address) => !isLocal(address));
  const login = loginOf(values.upstream);
  if (open === undefined || login === null) return null;
  if (login.user === null && read.upstreamPassword === null && !isGiven('upstream-tls-cert'))
    return null;
  return (
    `protected-mode: listen ${JSON.stringify(formatAddress(open))} is open to other machines, which would all use the ` +
    'credentials of upstream without a password; allowed: listen on 127.0.0.1, [::1] or a unix socket, ' +
    'give requirepass-file or RESPOOL_REQUIREPASS, ask for client certificates with tls-ca, or --no-protected-mode'
  );
}

function listenIsUnambiguous({ values }: Subject): string | null {
  const addresses: ListenAddress[] = [
    ...values.listen,
    ...(values.admin === null ? [] : [values.admin]),
  ];
  const texts = addresses.filter((address) => !isAnyPort(address)).map(formatAddress);
  const twice = texts.find((address, index) => texts.indexOf(address) !== index);
  return twice === undefined
    ? null
    : `listen, admin: ${JSON.stringify(twice)} is given twice; allowed: each address once`;
}

function isAnyPort(address: ListenAddress): boolean {
  return address.kind === 'tcp' && address.port === 0;
}

function upstreamIsNotOurselves({ values: { upstream, listen } }: Subject): string | null {
  if (upstream.kind !== 'tcp' && upstream.kind !== 'unix') return null;
  const target = formatAddress(upstream);
  if (!listen.some((address) => formatAddress(address) === target)) return null;
  return `upstream: ${JSON.stringify(target)} is an address the sidecar itself listens on; allowed: another server's`;
}

function certificateHasKey(
  { isGiven }: Subject,
  cert: 'tls-cert' | 'upstream-tls-cert',
  key: 'tls-key' | 'upstream-tls-key',
): string | null {
  if (isGiven(cert) === isGiven(key)) return null;
  const [present, missing] = isGiven(cert) ? [cert, key] : [key, cert];
  return `${present}: ${missing} is missing; allowed: both or neither`;
}

/** A certificate configured for a connection that is not encrypted is a mistake nobody would notice. */
function tlsIsAskedFor({ values: { upstream }, isGiven }: Subject): string | null {
  const given = UPSTREAM_TLS.filter(isGiven);
  if (upstream.kind !== 'tcp' || upstream.tls || given.length === 0) return null;
  return `${given.join(', ')}: upstream is redis://, which is not encrypted; allowed: with rediss://`;
}

function wasmFitsItsAddressSpace({ values }: Subject): string | null {
  if (
    values['embedded-engine'] !== 'wasm' ||
    values['embedded-max-memory'] <= MAX_EMBEDDED_MEMORY_BYTES
  )
    return null;
  return 'embedded-max-memory: too large for embedded-engine wasm; allowed: at most 2gb, or embedded-engine process';
}
