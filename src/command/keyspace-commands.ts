/**
 * The rows of the command table that work on keys, by type of value. Names: the COMMAND tables of Redis 7.0 and Valkey
 * 9.1, and what Redis 8 adds. What the columns mean, and their words, stands in `table.ts`.
 *
 * What the outage store (a Valkey 9.1) does not know is refused, readers too: its "unknown command" would be a lie.
 */
export const KEYSPACE_COMMANDS = `
  # command             outage       repeated     keys         on the connection, pace
  # strings
  append                buffer       differs      1
  decr                  refuse       differs      1
  decrby                refuse       differs      1
  delex                 refuse       differs      1
  delifeq               refuse       differs      1
  digest                refuse       reads        1
  get                   read         reads        1
  getdel                refuse       differs      1
  getex                 refuse       same         1
  getrange              read         reads        1
  getset                refuse       differs      1
  incr                  refuse       differs      1
  incrby                refuse       differs      1
  incrbyfloat           refuse       differs      1
  lcs                   read         reads        1+2
  mget                  read         reads        1..
  mset                  buffer       same         1../2
  msetex                by-argument  by-argument  #1/2
  msetnx                refuse       differs      1../2
  psetex                buffer       same         1
  set                   by-argument  by-argument  1
  setex                 buffer       same         1
  setnx                 refuse       differs      1
  setrange              buffer       same         1
  strlen                read         reads        1
  substr                read         reads        1
  # bitmaps
  bitcount              read         reads        1
  bitfield              by-argument  by-argument  1
  bitfield_ro           read         reads        1
  bitop                 refuse       by-argument  2..
  bitpos                read         reads        1
  getbit                read         reads        1
  setbit                buffer       same         1
  # HyperLogLog
  pfadd                 buffer       same         1
  pfcount               read         reads        1..
  pfdebug               refuse       differs      2
  pfmerge               refuse       same         1..
  pfselftest            refuse       differs      -
  # hashes
  hdel                  buffer       same         1
  hexists               read         reads        1
  hexpire               by-argument  by-argument  1
  hexpireat             by-argument  by-argument  1
  hexpiretime           read         reads        1
  hget                  read         reads        1
  hgetall               read         reads        1
  hgetdel               refuse       differs      1
  hgetex                refuse       same         1
  hincrby               refuse       differs      1
  hincrbyfloat          refuse       differs      1
  hkeys                 read         reads        1
  hlen                  read         reads        1
  hmget                 read         reads        1
  hmset                 buffer       same         1
  hpersist              buffer       same         1
  hpexpire              by-argument  by-argument  1
  hpexpireat            by-argument  by-argument  1
  hpexpiretime          read         reads        1
  hpttl                 read         reads        1
  hrandfield            read         reads        1
  hscan                 read         reads        1
  hset                  buffer       same         1
  hsetex                by-argument  by-argument  1
  hsetnx                refuse       differs      1
  hstrlen               read         reads        1
  httl                  read         reads        1
  hvals                 read         reads        1
  # lists
  blmove                wait         differs      1+2          blocking
  blmpop                wait         differs      #2           blocking
  blpop                 wait         differs      1..-2        blocking
  brpop                 wait         differs      1..-2        blocking
  brpoplpush            wait         differs      1+2          blocking
  lindex                read         reads        1
  linsert               refuse       differs      1
  llen                  read         reads        1
  lmove                 refuse       differs      1+2
  lmpop                 refuse       differs      #1
  lpop                  refuse       differs      1
  lpos                  read         reads        1
  lpush                 buffer       differs      1
  lpushx                refuse       differs      1
  lrange                read         reads        1
  lrem                  buffer       by-argument  1
  lset                  refuse       same         1
  ltrim                 buffer       by-argument  1
  rpop                  refuse       differs      1
  rpoplpush             refuse       differs      1+2
  rpush                 buffer       differs      1
  rpushx                refuse       differs      1
  # sets
  sadd                  buffer       same         1
  scard                 read         reads        1
  sdiff                 read         reads        1..
  sdiffstore            refuse       by-argument  1..
  sinter                read         reads        1..
  sintercard            read         reads        #1
  sinterstore           refuse       by-argument  1..
  sismember             read         reads        1
  smembers              read         reads        1
  smismember            read         reads        1
  smove                 refuse       differs      1+2
  spop                  refuse       differs      1
  srandmember           read         reads        1
  srem                  buffer       same         1
  sscan                 read         reads        1
  sunion                read         reads        1..
  sunionstore           refuse       by-argument  1..
  # sorted sets
  bzmpop                wait         differs      #2           blocking
  bzpopmax              wait         differs      1..-2        blocking
  bzpopmin              wait         differs      1..-2        blocking
  zadd                  by-argument  by-argument  1
  zcard                 read         reads        1
  zcount                read         reads        1
  zdiff                 read         reads        #1
  zdiffstore            refuse       by-argument  1+#2
  zincrby               refuse       differs      1
  zinter                read         reads        #1
  zintercard            read         reads        #1
  zinterstore           refuse       by-argument  1+#2
  zlexcount             read         reads        1
  zmpop                 refuse       differs      #1
  zmscore               read         reads        1
  zpopmax               refuse       differs      1
  zpopmin               refuse       differs      1
  zrandmember           read         reads        1
  zrange                read         reads        1
  zrangebylex           read         reads        1
  zrangebyscore         read         reads        1
  zrangestore           refuse       by-argument  1+2
  zrank                 read         reads        1
  zrem                  buffer       same         1
  zremrangebylex        buffer       same         1
  zremrangebyrank       buffer       differs      1
  zremrangebyscore      buffer       same         1
  zrevrange             read         reads        1
  zrevrangebylex        read         reads        1
  zrevrangebyscore      read         reads        1
  zrevrank              read         reads        1
  zscan                 read         reads        1
  zscore                read         reads        1
  zunion                read         reads        #1
  zunionstore           refuse       by-argument  1+#2
  # geo
  geoadd                by-argument  by-argument  1
  geodist               read         reads        1
  geohash               read         reads        1
  geopos                read         reads        1
  georadius             by-argument  by-argument  by-argument
  georadius_ro          read         reads        1
  georadiusbymember     by-argument  by-argument  by-argument
  georadiusbymember_ro  read         reads        1
  geosearch             read         reads        1
  geosearchstore        refuse       by-argument  1+2
  # streams
  xack                  buffer       same         1
  xackdel               refuse       same         1
  xadd                  by-argument  differs      1
  xautoclaim            refuse       differs      1
  xcfgset               refuse       differs      1
  xclaim                refuse       differs      1
  xdel                  buffer       same         1
  xdelex                refuse       same         1
  xgroup                refuse       by-argument  2
  xinfo                 read         reads        2
  xlen                  read         reads        1
  xpending              read         reads        1
  xrange                read         reads        1
  xread                 by-argument  reads        by-argument  by-argument
  xreadgroup            by-argument  differs      by-argument  by-argument
  xrevrange             read         reads        1
  xsetid                refuse       differs      1
  xtrim                 buffer       same         1
  # vector sets: the outage store has none
  vadd                  refuse       differs      1
  vcard                 refuse       reads        1
  vdim                  refuse       reads        1
  vemb                  refuse       reads        1
  vgetattr              refuse       reads        1
  vinfo                 refuse       reads        1
  vismember             refuse       reads        1
  vlinks                refuse       reads        1
  vrandmember           refuse       reads        1
  vrange                refuse       reads        1
  vrem                  refuse       same         1
  vsetattr              refuse       same         1
  vsim                  refuse       reads        1
  # keys of any type
  clusterscan           read         reads        ?
  copy                  refuse       by-argument  1+2
  dbsize                read         reads        ?
  del                   buffer       same         1..
  dump                  read         reads        1
  exists                read         reads        1..
  expire                by-argument  by-argument  1
  expireat              by-argument  by-argument  1
  expiretime            read         reads        1
  flushall              refuse       differs      ?            slow
  flushdb               refuse       differs      ?            slow
  keys                  read         reads        ?            slow
  migrate               refuse       differs      by-argument  slow
  move                  refuse       differs      1
  object                read         reads        2
  persist               buffer       same         1
  pexpire               by-argument  by-argument  1
  pexpireat             by-argument  by-argument  1
  pexpiretime           read         reads        1
  pttl                  read         reads        1
  randomkey             read         reads        ?
  rename                refuse       differs      1+2
  renamenx              refuse       differs      1+2
  restore               refuse       differs      1            slow
  restore-asking        refuse       differs      1
  scan                  read         reads        ?
  sort                  by-argument  by-argument  by-argument  slow
  sort_ro               read         reads        by-argument  slow
  swapdb                refuse       differs      ?
  touch                 read         reads        1..
  ttl                   read         reads        1
  type                  read         reads        1
  unlink                buffer       same         1..`;
