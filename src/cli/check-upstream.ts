/**
 * What an upstream's answers mean for a sidecar with this configuration. Pure: `upstream/dial` has asked. Each finding
 * says what will not work, and what to do about it.
 */
import type { Config } from '../config/config.js';
import type { Answer } from '../upstream/interview.js';
import type { UpstreamFacts } from '../upstream/dial.js';
import { finding, type Finding } from './finding.js';

type Judge = (facts: UpstreamFacts, config: Config) => Finding | null;

/** Findings about an upstream that could be reached. */
export function judgeUpstream(facts: UpstreamFacts, config: Config): Finding[] {
  // What stands in the way of everything would be found once more for each command.
  const inTheWay = strangerTo(facts, config) ?? proxyInBetween(facts);
  if (inTheWay !== null) return [inTheWay];
  const judges = buffersWrites(config) ? [...ALWAYS, ...WITH_JOURNAL] : ALWAYS;
  return judges.map((judge) => judge(facts, config)).filter((found) => found !== null);
}

const isNoPermission = (answer: Answer): boolean =>
  answer.kind === 'error' && answer.text.startsWith('NOPERM');
const isUnknown = (answer: Answer): boolean =>
  answer.kind === 'error' && /unknown (sub)?command|unsupported|not supported/i.test(answer.text);
/** A proxy that does not know a command says so, or hangs up. */
const isNotPassed = (answer: Answer): boolean => answer.kind === 'lost' || isUnknown(answer);
const says = (answer: Answer, words: RegExp): boolean =>
  answer.kind === 'error' && words.test(answer.text);
const textOf = (answer: Answer): string => (answer.kind === 'value' ? '' : answer.text);

function buffersWrites({ outageWrites, upstream }: Config): boolean {
  return outageWrites === 'buffer' && upstream.kind !== 'embedded';
}

function strangerTo({ answers }: UpstreamFacts, config: Config): Finding | null {
  if (!says(answers.info, /^NOAUTH/)) return null;
  return finding(
    buffersWrites(config) ? 'error' : 'warning',
    'no-password',
    'The upstream asks for a password, and the sidecar has none: it passes on what clients say who bring their own, and ' +
      'journals nothing.',
    'Give it one: upstream-password-file or RESPOOL_UPSTREAM_PASSWORD.',
  );
}

function proxyInBetween({ answers, info }: UpstreamFacts): Finding | null {
  const { multi, name, info: told, infoAgain } = answers;
  const missing = [
    ...(isNotPassed(multi) ? ['MULTI'] : []),
    ...(isNotPassed(told) ? ['INFO'] : []),
    ...(name.kind === 'lost' ? ['CLIENT'] : []),
  ];
  if (missing.length > 0)
    return finding(
      'error',
      'proxy',
      `What answers does not pass ${missing.join(', ')}: a proxy such as twemproxy or Envoy is in between. Transactions, ` +
        "subscriptions and replay need connections that are the server's own.",
      'Let upstream point to the server itself.',
    );
  const again = runIdOf(infoAgain);
  if (again === null || again === info.get('run_id')) return null;
  return finding(
    'error',
    'several-servers',
    'Two connections were answered by two different servers: something in between distributes connections. One client ' +
      'would read on one server what it has not written there.',
    'Let upstream point to one server.',
  );
}

function runIdOf(answer: Answer): string | null {
  if (answer.kind !== 'value' || !Buffer.isBuffer(answer.value)) return null;
  return /^run_id:(\w+)/m.exec(answer.value.toString('latin1'))?.[1] ?? null;
}

const ALWAYS: readonly Judge[] = [
  version,
  cluster,
  database,
  replica,
  cannotServe,
  outOfMemory,
  scripts,
  fences,
];

const WITH_JOURNAL: readonly Judge[] = [cursor, eviction, persistence, everySecond, clockSkew];

function version({ info }: UpstreamFacts): Finding | null {
  const told = info.get('redis_version');
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(told ?? '') ?? [];
  if (major === undefined) return null;
  const number = Number(major) * 100 + Number(minor);
  if (number < 602)
    return finding(
      'error',
      'version',
      `Redis ${told} is too old: it does not know CLIENT INFO and SET with PXAT, which replay needs.`,
      'Use Redis 6.2 or newer (7.0 is what is tested), or any Valkey.',
    );
  if (number >= 700) return null;
  return finding(
    'warning',
    'version',
    `Redis ${told} is older than what is tested (7.0).`,
    'Use Redis 7.0 or newer, or any Valkey.',
  );
}

function cluster({ info }: UpstreamFacts): Finding | null {
  if (info.get('cluster_enabled') !== '1') return null;
  return finding(
    'error',
    'cluster',
    'The upstream is a node of a cluster, and redis:// speaks to this node only: commands for keys of other nodes fail ' +
      'with MOVED, and so does replay.',
    'Use a server that is no cluster; this version does not speak cluster:// yet.',
  );
}

function database({ answers }: UpstreamFacts, { upstream }: Config): Finding | null {
  const isDefault = upstream.kind === 'embedded' || upstream.db === 0;
  if (isDefault || answers.database.kind === 'value') return null;
  return finding(
    'error',
    'database',
    `The database of upstream cannot be selected: ${textOf(answers.database)}.`,
    'Correct the number behind the slash of upstream, or grant +select.',
  );
}

function replica({ answers, info }: UpstreamFacts): Finding | null {
  if (info.get('role') !== 'slave') return null;
  const primary = `${info.get('master_host')}:${info.get('master_port')}`;
  const link =
    info.get('master_link_status') === 'up' ? '' : ', to which it has lost its connection';
  const takesWrites = !says(answers.moveCursor, /^READONLY/);
  return finding(
    'warning',
    'replica',
    takesWrites
      ? `The upstream is a replica of ${primary}${link}; it takes writes, and loses them at the next synchronisation.`
      : `The upstream is a replica of ${primary}${link}: writes are answered READONLY, and none that an outage has left can be replayed.`,
    'Let upstream point to the primary, unless clients only read.',
  );
}

const STATES: readonly (readonly [RegExp, string])[] = [
  [/^MISCONF/, 'Look at its log and its disk: it could not save, and therefore takes no writes.'],
  [/^NOREPLICAS/, 'Bring its replicas back, or lower min-replicas-to-write.'],
  [/^LOADING/, 'Wait until it has loaded its data, and check again.'],
  [/^BUSY/, 'A script is running; wait, or SCRIPT KILL, and check again.'],
  [/^MASTERDOWN/, 'It is a replica without a primary, and set to serve no stale data.'],
];

function cannotServe({ answers }: UpstreamFacts): Finding | null {
  const replies = [answers.moveCursor, answers.probe, answers.info];
  for (const [pattern, advice] of STATES) {
    const reply = replies.find((each) => says(each, pattern));
    if (reply !== undefined)
      return finding(
        'error',
        'not-serving',
        `The upstream takes no writes: ${textOf(reply)}`,
        advice,
      );
  }
  return null;
}

function outOfMemory({ answers }: UpstreamFacts): Finding | null {
  if (!says(answers.moveCursor, /^OOM/)) return null;
  return finding(
    'error',
    'out-of-memory',
    'The upstream has reached maxmemory and takes no writes that need more; what an outage has left cannot be replayed.',
    'Raise its maxmemory, or let it evict.',
  );
}

function scripts({ answers }: UpstreamFacts): Finding | null {
  const forbidden = (['eval', 'evalsha'] as const).filter((name) => isNoPermission(answers[name]));
  if (forbidden.length === 0) return null;
  const names = forbidden.map((name) => name.toUpperCase()).join(' and ');
  return finding(
    'warning',
    'no-scripts',
    `The sidecar's user may not use ${names}: clients that run scripts under it get NOPERM, and a script that the ` +
      'upstream has forgotten cannot be sent again.',
    'Grant +eval +evalsha to the user of upstream, if clients use scripts.',
  );
}

function fences({ answers }: UpstreamFacts): Finding | null {
  const { introduction, fence } = answers;
  const refused =
    introduction.kind !== 'value' ? introduction : fence.kind !== 'value' ? fence : null;
  if (refused === null) return null;
  return finding(
    'warning',
    'no-fences',
    'The sidecar cannot end a connection that it has lost with commands on their way: ' +
      `${refused === fence ? 'CLIENT KILL' : 'CLIENT INFO'} says "${textOf(refused)}". So it repeats none of them, ` +
      'and clients get -UNKNOWNOUTCOME for what would else be repeated unseen.',
    'Grant +client|info +client|kill to the user of upstream.',
  );
}

function cursor({ answers }: UpstreamFacts, config: Config): Finding | null {
  const needed = [
    ['MULTI', answers.multi],
    ['EXEC', answers.exec],
    ['WATCH', answers.watchCursor],
    ['GET', answers.readCursor],
    ['SET', answers.moveCursor],
    ['DEL', answers.removeCursor],
  ] as const;
  const forbidden = needed.filter(([, answer]) => isNoPermission(answer)).map(([name]) => name);
  if (forbidden.length === 0) return null;
  const { cursorPrefix } = config.journal;
  return finding(
    'error',
    'no-cursor',
    `The sidecar's user may not use ${forbidden.join(', ')} with its cursor ${cursorPrefix}cursor:…: nothing that an ` +
      'outage leaves in the journal can be replayed.',
    `Grant ~${cursorPrefix}* +multi +exec +watch +get +set +del to the user of upstream, or say outage-writes refuse.`,
  );
}

function eviction({ info }: UpstreamFacts): Finding | null {
  const policy = info.get('maxmemory_policy') ?? '';
  if (!policy.startsWith('allkeys-') || info.get('maxmemory') === '0') return null;
  return finding(
    'warning',
    'eviction',
    `The upstream evicts any key when it is full (${policy}), also the replay cursor: if that happens while a journal is ` +
      'replayed, and the connection is lost too, writes that were replayed already are replayed again.',
    'Use a volatile- policy (the cursor has no time to live) or noeviction, or give it memory enough for an outage.',
  );
}

function persistence({ answers, info }: UpstreamFacts): Finding | null {
  if (info.get('aof_enabled') !== '0') return null;
  const save = settingIn(answers.save);
  if (save !== null && save !== '')
    return finding(
      'warning',
      'snapshots-only',
      'The upstream keeps snapshots only: when it dies, all that was written since the last one is lost, replayed writes ' +
        'among it.',
      'Set appendonly yes, unless the data is a cache.',
    );
  const doubt =
    save === null
      ? 'no append-only file, and does not tell whether it takes snapshots'
      : 'nothing on disk';
  return finding(
    'warning',
    'no-persistence',
    `The upstream keeps ${doubt}: when it is restarted what it had taken is gone. The journal holds only what came while ` +
      'it was away.',
    'Set appendonly yes, unless the data is a cache.',
  );
}

function everySecond({ answers, info }: UpstreamFacts): Finding | null {
  const fsync = settingIn(answers.appendfsync);
  if (info.get('aof_enabled') !== '1' || fsync === null || fsync === 'always') return null;
  const lost =
    fsync === 'no'
      ? 'what the system had not yet written (often 30 s)'
      : 'up to two seconds of writes';
  return finding(
    fsync === 'no' ? 'warning' : 'note',
    'appendfsync',
    `The upstream's appendfsync is ${fsync}: when its machine dies it loses ${lost} that clients were told are done. ` +
      'No sidecar can know of them.',
    'Set appendfsync always, if they must not be lost.',
  );
}

/** The value in a reply to CONFIG GET; null: it does not tell. */
function settingIn(answer: Answer): string | null {
  if (answer.kind !== 'value' || !Array.isArray(answer.value)) return null;
  const value: unknown = answer.value[1];
  return Buffer.isBuffer(value) ? value.toString('latin1') : null;
}

const TOLERATED_SKEW_MS = 2000;

function clockSkew({ clockSkewMs }: UpstreamFacts): Finding | null {
  if (clockSkewMs === null || Math.abs(clockSkewMs) < TOLERATED_SKEW_MS) return null;
  const seconds = Math.round(Math.abs(clockSkewMs) / 1000);
  return finding(
    'warning',
    'clock-skew',
    `The upstream's clock is ${seconds} s ${clockSkewMs > 0 ? 'ahead of' : 'behind'} this machine's. The sidecar allows ` +
      'for that once it has spoken to the upstream; in an outage that lasts since its start, expiry is off by as much.',
    'Let both keep time by NTP.',
  );
}
