/**
 * The column "repeated" of the command table: what may be said again when the connection died before the reply (I5).
 * Repeating may overwrite what another writer wrote in between; it never does twice what was asked for once, and never
 * gives a reply that decides something and is untrue (SET NX: "somebody else has the lock").
 */
import { subcommand } from './effect.js';
import { keysOf } from './keys.js';
import { hasAny, optionsOf } from './options.js';
import { COMMANDS, type Repeated } from './table.js';

type Arguments = readonly Buffer[];
type Decide = (args: Arguments, id: number) => Repeated;

/** Whether the command `id` called with `args` (the name first) changes nothing, so that it may always be said again. */
export function isRead(id: number, args: readonly Buffer[]): boolean {
  return DECIDERS[id]!(args, id) === 'reads';
}

/** Whether running it twice leaves Redis as running it once does, and nobody branches on its reply; reads are. */
export function isRepeatable(id: number, args: readonly Buffer[]): boolean {
  return DECIDERS[id]!(args, id) !== 'differs';
}

/** Subcommands that change nothing. */
const READERS: Readonly<Record<string, ReadonlySet<string>>> = {
  acl: words('cat dryrun genpass getuser help list users whoami'),
  client: words('getname getredir help id info list trackinginfo'),
  cluster: words(
    'count-failure-reports countkeysinslot getkeysinslot help info keyslot links myid myshardid nodes replicas shards ' +
      'slaves slot-stats slots',
  ),
  commandlog: words('get help len'),
  config: words('get help'),
  function: words('dump help list stats'),
  latency: words('doctor graph help histogram history latest'),
  memory: words('doctor help malloc-stats stats usage'),
  module: words('help list'),
  script: words('exists help show'),
  slowlog: words('get help len'),
  xgroup: words('help'),
};

/** Subcommands that leave what running them once leaves. */
const REPEATABLE: Readonly<Record<string, ReadonlySet<string>>> = {
  client: words('caching capa no-evict no-touch pause setinfo setname tracking unpause'),
  commandlog: words('reset'),
  config: words('resetstat set'),
  latency: words('reset'),
  memory: words('purge'),
  script: words('load'),
  slowlog: words('reset'),
};

const EXPIRE: Decide = (args) => sameUnless(hasAny(optionsOf('expire', args), ...CONDITION));
const HEXPIRE: Decide = (args) => sameUnless(hasAny(optionsOf('hexpire', args), ...CONDITION));
const CONDITION = ['NX', 'XX', 'GT', 'LT'] as const;

/** By name: every command whose row says `by-argument` and that has no subcommands. */
const DECISIONS: Readonly<Record<string, Decide>> = {
  set: (args) => sameUnless(args.length !== 3 && isConditional('set', args)),
  msetex: (args) => sameUnless(isConditional('msetex', args)),
  hsetex: (args) => sameUnless(isConditional('hsetex', args)),
  bitfield: (args) => {
    const operations = optionsOf('bitfield', args);
    if (hasAny(operations, 'INCRBY')) return 'differs';
    return hasAny(operations, 'SET') ? 'same' : 'reads';
  },
  expire: EXPIRE,
  expireat: EXPIRE,
  pexpire: EXPIRE,
  pexpireat: EXPIRE,
  hexpire: HEXPIRE,
  hexpireat: HEXPIRE,
  hpexpire: HEXPIRE,
  hpexpireat: HEXPIRE,
  // Another one of the kind would go with each run, unless all of them go.
  lrem: (args) => sameUnless(String(args[2]) !== '0'),
  // The first n or the last n are the same after a second run.
  ltrim: (args) => sameUnless(!keepsAnEnd(String(args[2]), String(args[3]))),
  zadd: (args) => sameUnless(hasAny(optionsOf('zadd', args), 'NX', 'INCR')),
  geoadd: (args) => sameUnless(hasAny(optionsOf('geoadd', args), 'NX')),
  copy: (args) => sameUnless(!hasAny(optionsOf('copy', args), 'REPLACE')),
  georadius: (args, id) => storing('georadius', args, id),
  georadiusbymember: (args, id) => storing('georadiusbymember', args, id),
  sort: (args, id) => storing('sort', args, id),
  bitop: derived,
  geosearchstore: derived,
  sdiffstore: derived,
  sinterstore: derived,
  sunionstore: derived,
  zdiffstore: derived,
  zinterstore: derived,
  zrangestore: derived,
  zunionstore: derived,
};

const DECIDERS: readonly Decide[] = COMMANDS.map(({ name, repeated }) => {
  if (repeated !== 'by-argument') return () => repeated;
  return DECISIONS[name] ?? ((args) => bySubcommand(name, subcommand(args)));
});

function words(list: string): ReadonlySet<string> {
  return new Set(list.split(' '));
}

function sameUnless(isDifferent: boolean): Repeated {
  return isDifferent ? 'differs' : 'same';
}

function bySubcommand(name: string, word: string): Repeated {
  if (READERS[name]!.has(word)) return 'reads';
  return sameUnless(REPEATABLE[name]?.has(word) !== true);
}

/** Its reply says whether it did anything, or what was there before. */
function isConditional(syntax: 'set' | 'msetex' | 'hsetex', args: Arguments): boolean {
  const { at, end } = optionsOf(syntax, args);
  return end !== args.length || [...at.keys()].some((name) => !EXPIRY.has(name));
}

const EXPIRY: ReadonlySet<string> = new Set(['EX', 'PX', 'EXAT', 'PXAT', 'KEEPTTL']);

/** The destination comes first, then the sources; a destination that is a source is another one the second time. */
function derived(args: Arguments, id: number): Repeated {
  const [destination, ...sources] = keysOf(id, args) ?? [];
  return sameUnless(destination === undefined || sources.some((key) => key.equals(destination)));
}

function storing(
  syntax: 'sort' | 'georadius' | 'georadiusbymember',
  args: Arguments,
  id: number,
): Repeated {
  if (!hasAny(optionsOf(syntax, args), 'STORE', 'STOREDIST')) return 'reads';
  const [source, ...destinations] = keysOf(id, args) ?? [];
  return sameUnless(source === undefined || destinations.some((key) => key.equals(source)));
}

function keepsAnEnd(start: string, stop: string): boolean {
  if (stop === '-1') return start === '0' || start.startsWith('-');
  return start === '0' && !stop.startsWith('-');
}
