/**
 * What a command is, in one table: the only place that knows commands by name. Everything else asks for a column.
 * The position of a name is its id; id 0 stands for every name that is not in the table (a module's, a typing error).
 * Names: the COMMAND tables of Redis 7.0 and Valkey 9.1, and what Redis 8 adds.
 */

/**
 * What a command does to the connection that it runs on:
 * - `none` nothing: it may share a connection with other clients.
 * - `multi` … `unwatch` the transaction it opens, runs, drops or guards.
 * - `blocking` it waits for something to happen, and would make everybody behind it wait too.
 * - `wait` it blocks too, and speaks of the writes of its own connection (WAIT).
 * - `apart` it may disturb whoever shares its connection, for as long as it runs.
 * - `urgent` it must get through while the upstream is busy with a script, whatever the client's settings.
 * - `auth` `hello` `select` `name` `library` a setting that must be re-applied on any other connection; true once the
 *   upstream has said so.
 * - `subscribe` `monitor` `sticky` state that stays, or bytes that come unasked: the client keeps the connection.
 * - `replicate` from here on the upstream speaks the replication protocol, which is not RESP.
 * - `quit` `reset` `hang-up` the end of the connection or of its state (`hang-up`: HTTP that strayed here).
 * - `by-argument` one of these, decided by the arguments: see `effectOf`.
 */
export type SessionEffect =
  | 'none'
  | 'multi'
  | 'exec'
  | 'discard'
  | 'watch'
  | 'unwatch'
  | 'blocking'
  | 'wait'
  | 'apart'
  | 'urgent'
  | 'auth'
  | 'hello'
  | 'select'
  | 'name'
  | 'library'
  | 'subscribe'
  | 'monitor'
  | 'sticky'
  | 'replicate'
  | 'quit'
  | 'reset'
  | 'hang-up';

/** `slow` commands may rightly keep the upstream busy for long: silence meanwhile does not mean that it is gone. */
export type Pace = 'quick' | 'slow';

export interface CommandSpec {
  /** Lower case. */
  readonly name: string;
  readonly effect: SessionEffect | 'by-argument';
  readonly pace: Pace;
}

const QUICK_WITHOUT_EFFECT = `
  acl append asking bgrewriteaof bgsave bitcount bitfield bitfield_ro bitop bitpos cluster clusterscan command
  commandlog config copy dbsize decr decrby del delex delifeq digest dump echo exists expire expireat expiretime failover
  geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
  get getbit getdel getex getrange getset hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby
  hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex
  hsetnx hstrlen httl hvals incr incrby incrbyfloat info lastsave latency lcs lindex linsert llen lmove lmpop lolwut lpop
  lpos lpush lpushx lrange lrem lset ltrim memory mget move mset msetex msetnx object persist pexpire pexpireat
  pexpiretime pfadd pfcount pfdebug pfmerge pfselftest ping psetex pttl publish pubsub randomkey rename renamenx
  replicaof restore-asking role rpop rpoplpush rpush rpushx sadd scan scard sdiff sdiffstore set setbit setex setnx
  setrange sinter sintercard sinterstore sismember slaveof slowlog smembers smismember smove spop spublish srandmember srem
  sscan strlen substr sunion sunionstore swapdb time touch ttl type unlink vadd vcard vdim vemb vgetattr vinfo vismember
  vlinks vrandmember vrange vrem vsetattr vsim xack xackdel xadd xautoclaim xcfgset xclaim xdel xdelex xgroup xinfo xlen
  xpending xrange xrevrange xsetid xtrim zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore
  zlexcount zmpop zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem
  zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion
  zunionstore`;

const SLOW_WITHOUT_EFFECT = `
  eval eval_ro evalsha evalsha_ro fcall fcall_ro flushall flushdb keys migrate module restore save sort
  sort_ro`;

const WITH_EFFECT: Readonly<Record<string, SessionEffect | 'by-argument'>> = {
  multi: 'multi',
  exec: 'exec',
  discard: 'discard',
  watch: 'watch',
  unwatch: 'unwatch',

  blmove: 'blocking',
  blmpop: 'blocking',
  blpop: 'blocking',
  brpop: 'blocking',
  brpoplpush: 'blocking',
  bzmpop: 'blocking',
  bzpopmax: 'blocking',
  bzpopmin: 'blocking',
  wait: 'wait',
  waitaof: 'wait',
  // DEBUG can sleep, reload and stop the server.
  debug: 'apart',
  xread: 'by-argument',
  xreadgroup: 'by-argument',

  auth: 'auth',
  hello: 'hello',
  select: 'select',
  client: 'by-argument',
  script: 'by-argument',
  function: 'by-argument',

  subscribe: 'subscribe',
  psubscribe: 'subscribe',
  ssubscribe: 'subscribe',
  unsubscribe: 'subscribe',
  punsubscribe: 'subscribe',
  sunsubscribe: 'subscribe',
  monitor: 'monitor',
  // READONLY and READWRITE set the mode of a connection to a cluster node.
  readonly: 'sticky',
  readwrite: 'sticky',
  replconf: 'sticky',
  shutdown: 'sticky',
  sync: 'replicate',
  psync: 'replicate',

  quit: 'quit',
  reset: 'reset',
  // Redis hangs up on these two, so that a web page cannot talk to it (`securityWarningCommand`).
  post: 'hang-up',
  'host:': 'hang-up',
};

function words(list: string): string[] {
  return list.trim().split(/\s+/);
}

function spec(name: string, effect: CommandSpec['effect'], pace: Pace): CommandSpec {
  return { name, effect, pace };
}

/** What runs apart may take its time (DEBUG SLEEP); what only changes a setting is answered at once. */
function paceOf(effect: CommandSpec['effect']): Pace {
  return effect === 'apart' ? 'slow' : 'quick';
}

/** By id. */
export const COMMANDS: readonly CommandSpec[] = [
  // A command nobody knows may do anything to its connection; it gets one to itself.
  spec('other', 'apart', 'slow'),
  ...words(QUICK_WITHOUT_EFFECT).map((name) => spec(name, 'none', 'quick')),
  ...words(SLOW_WITHOUT_EFFECT).map((name) => spec(name, 'none', 'slow')),
  ...Object.entries(WITH_EFFECT).map(([name, effect]) => spec(name, effect, paceOf(effect))),
];

/** By id; index 0 is `other`. The bounded set of values of the label `command`. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map((command) => command.name);

export const OTHER_COMMAND = 0;
