/**
 * What two servers in the same state may answer differently, by command: time, chance, ids,
 * addresses and the order of hash tables (their seed differs per process). Each mask is as narrow
 * as it can be, carries its reason, and never touches an error reply. docs/compatibility.md prints
 * the table.
 */
import { encodeReply, isError, parseFrame, type Reply } from './reply-tree.js';

/** One row: for the replies of `commands`, `hide` makes equal what may differ. */
export interface Mask {
  readonly commands: readonly string[];
  readonly what: string;
  readonly reason: string;
  readonly hide: (reply: Reply) => Reply;
}

const TIME = 'the clock moves between the two calls';
const CHANCE = 'random by definition';
const HASH_ORDER = 'order of a hash table, whose seed differs per process';
const PROCESS = 'describes the process, of which there are two';
const CONNECTION = 'describes the connection, of which there are two';

/** All masks; a command may be in several. */
export const MASKS: readonly Mask[] = [
  {
    commands: ['time', 'lastsave', 'ttl', 'pttl', 'expiretime', 'pexpiretime', 'object|idletime'],
    what: 'digits of numbers that are not negative',
    reason: TIME,
    hide: scalars((text) => (/^\d+$/.test(text) ? '<n>' : text)),
  },
  {
    commands: [
      'xadd',
      'xgroup|create',
      'xinfo|stream',
      'xread',
      'xreadgroup',
      'xrange',
      'xrevrange',
    ],
    what: 'ids made from the clock',
    reason: TIME,
    hide: scalars((text) => text.replace(/\b\d{13}-\d+/g, '<id>')),
  },
  {
    commands: ['xinfo|consumers', 'xinfo|stream'],
    what: 'idle, inactive, seen-time, active-time',
    reason: TIME,
    hide: fields('idle', 'inactive', 'seen-time', 'active-time'),
  },
  {
    commands: ['xpending', 'xinfo|stream'],
    what: 'idle and delivery time of each pending entry',
    reason: TIME,
    hide: pendingTimes,
  },
  {
    commands: ['randomkey', 'srandmember', 'hrandfield', 'zrandmember', 'spop', 'acl|genpass'],
    what: 'the values, not their types, lengths of lists or nulls',
    reason: CHANCE,
    hide: scalars(() => '<random>'),
  },
  {
    commands: ['lolwut'],
    what: 'the drawing',
    reason: CHANCE,
    hide: scalars((text) => text.replace(/[^\n]*\n/g, '')),
  },
  {
    commands: [
      ...[
        'smembers',
        'sinter',
        'sunion',
        'sdiff',
        'keys',
        'pubsub|channels',
        'pubsub|shardchannels',
      ],
      ...['command', 'command|list', 'command|docs', 'command|info', 'acl|cat', 'function|list'],
      ...['config|get', 'hgetall', 'hkeys', 'hvals'],
    ],
    what: 'order of elements',
    reason: HASH_ORDER,
    hide: unordered,
  },
  {
    commands: ['scan', 'sscan', 'hscan', 'zscan'],
    what: 'cursor and elements of one page; a scenario compares whole iterations',
    reason: HASH_ORDER,
    hide: page,
  },
  {
    commands: ['dump', 'function|dump'],
    what: 'order inside the payload, so only its length counts',
    reason: HASH_ORDER,
    hide: scalars((text) => 'x'.repeat(text.length)),
  },
  {
    commands: ['config|get'],
    what: 'port, dir, logfile, pidfile',
    reason: PROCESS,
    hide: processSettings,
  },
  {
    commands: ['info'],
    what: 'values, and lines that count commands and errors',
    reason: PROCESS,
    hide: scalars(infoFields),
  },
  {
    commands: ['memory|stats', 'memory|usage', 'memory|malloc-stats', 'memory|doctor'],
    what: 'digits',
    reason: 'allocations differ with the connections and the order of hash tables',
    hide: memory,
  },
  {
    commands: ['client|id', 'client|getredir'],
    what: 'the id',
    reason: CONNECTION,
    hide: positiveNumbers,
  },
  {
    commands: ['client|trackinginfo', 'hello'],
    what: 'id, redirect',
    reason: CONNECTION,
    hide: fields('id', 'redirect'),
  },
  {
    commands: ['client|list', 'client|info', 'acl|log'],
    what: 'id, addr, laddr, fd, age, idle, buffer sizes',
    reason: CONNECTION,
    hide: scalars(clientFields),
  },
  {
    commands: ['monitor'],
    what: 'time and address',
    reason: CONNECTION,
    hide: scalars((text) => text.replace(/^[\d.]+ \[(\d+) [^\]]*\]/, '* [$1 *]')),
  },
  {
    commands: ['acl|log'],
    what: 'age-seconds',
    reason: TIME,
    hide: fields('age-seconds'),
  },
  {
    commands: ['debug'],
    what: 'addresses, lru clock, hash table statistics, ids made by chance',
    reason: PROCESS,
    hide: scalars(debugFields),
  },
  {
    commands: ['role', 'psync', 'latency|latest', 'latency|history', 'latency|graph'],
    what: 'digits',
    reason: TIME,
    hide: scalars((text) => text.replace(/\d+/g, '<n>')),
  },
];

const BY_COMMAND = new Map<string, Mask[]>();
for (const mask of MASKS) {
  for (const name of mask.commands) BY_COMMAND.set(name, [...(BY_COMMAND.get(name) ?? []), mask]);
}

/** Whether two frames that answer `command` (`name` or `container|sub`) say the same. */
export function sameReply(command: string, left: Buffer, right: Buffer): boolean {
  if (left.equals(right)) return true;
  if (!BY_COMMAND.has(command)) return false;
  return sameTree(command, parseFrame(left), parseFrame(right));
}

/** Whether two EXEC replies say the same, element by element, each masked as its own command. */
export function sameExec(commands: readonly string[], left: Buffer, right: Buffer): boolean {
  if (left.equals(right)) return true;
  const [one, other] = [parseFrame(left), parseFrame(right)];
  if (one.type !== '*' || other.type !== '*' || one.items === null || other.items === null) {
    return false;
  }
  const [these, those] = [one.items, other.items];
  if (these.length !== those.length) return false;
  return these.every((item, i) => {
    const twin = those[i];
    return twin !== undefined && sameTree(commands[i] ?? '', item, twin);
  });
}

function sameTree(command: string, left: Reply, right: Reply): boolean {
  return encodeReply(masked(command, left)) === encodeReply(masked(command, right));
}

function masked(command: string, reply: Reply): Reply {
  if (isError(reply)) return reply;
  return (BY_COMMAND.get(command) ?? []).reduce((hidden, mask) => mask.hide(hidden), reply);
}

/** Applies `edit` to the text of every scalar, however deep. Nulls stay. */
function scalars(edit: (text: string) => string): (reply: Reply) => Reply {
  const walk = (reply: Reply): Reply => {
    if ('items' in reply) return { ...reply, items: reply.items?.map(walk) ?? null };
    if (reply.text === null || reply.type === '-') return reply;
    return { ...reply, text: edit(reply.text) };
  };
  return walk;
}

function positiveNumbers(reply: Reply): Reply {
  return scalars((text) => (/^[1-9]\d*$/.test(text) ? '<n>' : text))(reply);
}

function page(reply: Reply): Reply {
  if (!('items' in reply) || reply.items === null) return reply;
  const hidden = reply.items.map((item) =>
    'items' in item ? { ...item, items: [] } : { ...item, text: '<cursor>' },
  );
  return { ...reply, items: hidden };
}

/** Elements in a fixed order; pairs of a map stay together, nested lists are sorted first. */
function unordered(reply: Reply): Reply {
  if (!('items' in reply) || reply.items === null) return reply;
  const items = reply.items.map(unordered);
  const step = reply.type === '%' || reply.type === '|' ? 2 : 1;
  const groups: Reply[][] = [];
  for (let i = 0; i < items.length; i += step) groups.push(items.slice(i, i + step));
  const key = (group: Reply[]): string => group.map(encodeReply).join('');
  groups.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  return { ...reply, items: groups.flat() };
}

/** Hides numbers and doubles that follow one of these names in a list of pairs, however deep. */
function fields(...names: string[]): (reply: Reply) => Reply {
  const isNamed = (reply: Reply | undefined): boolean =>
    reply !== undefined && 'text' in reply && names.includes(reply.text ?? '');
  const walk = (reply: Reply): Reply => {
    if (!('items' in reply) || reply.items === null) return reply;
    const items = reply.items.map(walk);
    return {
      ...reply,
      items: items.map((item, i) => (isNamed(items[i - 1]) ? hidden(item) : item)),
    };
  };
  return walk;
}

function hidden(reply: Reply): Reply {
  if ('items' in reply || reply.text === null || reply.text.startsWith('-')) return reply;
  return { ...reply, text: '<n>' };
}

/** In what XPENDING and XINFO STREAM FULL list as pending, the number before the last is a time. */
function pendingTimes(reply: Reply): Reply {
  if (!('items' in reply) || reply.items === null) return reply;
  const items = reply.items.map(pendingTimes);
  const isPending =
    (items.length === 3 || items.length === 4) &&
    items[0]?.type === '$' &&
    items.slice(-2).every(({ type }) => type === ':');
  const at = isPending ? items.length - 2 : -1;
  return { ...reply, items: items.map((item, i) => (i === at ? hidden(item) : item)) };
}

function processSettings(reply: Reply): Reply {
  if (!('items' in reply) || reply.items === null) return reply;
  // After `unordered` a flat RESP2 list has lost its pairs: the values are known by their look.
  return scalars((text) => (/^\/|^\d{4,5}$/.test(text) ? '<own>' : text))(reply);
}

function infoFields(text: string): string {
  const lines = text
    .split('\r\n')
    .filter((line) => !/^(cmdstat|errorstat|latency_|db\d)/.test(line));
  return lines.map((line) => line.replace(/:.*/, ':')).join('\r\n');
}

function memory(reply: Reply): Reply {
  if ('items' in reply && reply.items !== null) return { ...reply, items: [] };
  return scalars((text) => text.replace(/[\s\S]+/, '<memory>'))(reply);
}

function clientFields(text: string): string {
  const own =
    'id|addr|laddr|fd|age|idle|qbuf|qbuf-free|argv-mem|rbs|rbp|obl|oll|omem|tot-mem|events';
  return text.replace(new RegExp(`\\b(${own})=[^ \\n]*`, 'g'), '$1=*');
}

function debugFields(text: string): string {
  return text
    .replace(/at:0x[0-9a-f]+/, 'at:*')
    .replace(/\blru(_seconds_idle)?:\d+/g, 'lru$1:*')
    .replace(/^(\[Dictionary HT\]|Hash table)[\s\S]*/, '$1');
}
