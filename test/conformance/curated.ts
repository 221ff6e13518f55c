/**
 * What the generator must not or cannot make up: argument lists written by hand. `ONLY_BY_HAND`
 * are commands that would stop the server, the connection or the test when called with generated
 * arguments; `MORE_BY_HAND` adds combinations that the grammar does not reach. Words are separated
 * by spaces; `""` is an empty word.
 */

/** Commands that get exactly these argument lists, and why the generator keeps off them. */
export const ONLY_BY_HAND: Readonly<
  Record<string, { readonly why: string; readonly lines: readonly string[] }>
> = {
  bgrewriteaof: { why: 'forks; scripted in full', lines: ['x'] },
  bgsave: { why: 'forks; scripted in full', lines: ['x', 'SCHEDULE x', 'LATER'] },
  'client|kill': {
    why: 'ends connections of the test; scripted in full',
    lines: [
      ...['127.0.0.1:1', 'x', 'ID 999999', 'ID abc', 'ID -1', 'ID', 'ADDR 127.0.0.1:1', ''],
      ...['TYPE nosuch', 'TYPE replica', 'TYPE slave', 'TYPE master', 'USER nobody', 'USER alice'],
      ...['LADDR 127.0.0.1:1', 'SKIPME maybe ID 999999', 'ID 999999 SKIPME no', 'FOO bar', 'ID 1 x'],
    ],
  },
  'client|pause': {
    why: 'stops every client of the server',
    lines: ['', 'abc', '-1', '1.5', '0', '0 WRITE', '0 ALL', '0 FOO', '0 WRITE x'],
  },
  'client|reply': { why: 'silences the connection; scripted in full', lines: ['', 'ON', 'x', 'ON x'] },
  'config|set': {
    why: 'arbitrary parameters can stop the server',
    lines: [
      ...['', 'hz', 'hz 20', 'hz abc', 'hz 10 hz 20', 'nosuch 1', 'hz 10 nosuch 2', 'HZ 15'],
      ...['maxmemory-policy allkeys-lru', 'maxmemory-policy foo', 'maxmemory-policy ""', 'port x'],
      ...['maxmemory abc', 'list-max-listpack-size 999999999999', 'save 1', 'hz 10 maxmemory-policy'],
    ],
  },
  debug: {
    why: 'has no grammar in COMMAND DOCS and can kill the server',
    lines: [
      ...['', 'nosuch', 'HELP', 'HELP x', 'OBJECT', 'OBJECT missing', 'OBJECT str', 'OBJECT zset'],
      ...['SDSLEN str', 'SDSLEN list', 'SDSLEN missing', 'ZIPLIST list', 'LISTPACK list', 'JMAP'],
      ...['LISTPACK str', 'LISTPACK missing', 'QUICKLIST list', 'QUICKLIST str', 'DIGEST', 'DIGEST x'],
      ...['DIGEST-VALUE', 'DIGEST-VALUE str list missing', 'SLEEP 0', 'SLEEP', 'ERROR', 'ERROR x'],
      ...['STRUCTSIZE', 'STRINGMATCH-LEN', 'STRINGMATCH-LEN 5 a*', 'SET-ACTIVE-EXPIRE 1', 'RELOAD'],
      ...['POPULATE 10', 'POPULATE 3 pre 20', 'POPULATE x', 'LOG hello', 'HTSTATS-KEY hash', 'object'],
      ...['HTSTATS-KEY str', 'SET-DISABLE-DENY-SCRIPTS 0', 'CHANGE-REPL-ID', 'STREAM', 'MALLCTL x'],
      ...['PROTOCOL', 'PROTOCOL nosuch', 'PROTOCOL string', 'PROTOCOL integer', 'PROTOCOL double'],
      ...['PROTOCOL null', 'PROTOCOL array', 'PROTOCOL set', 'PROTOCOL map', 'PROTOCOL attrib'],
      ...['PROTOCOL verbatim', 'PROTOCOL true', 'PROTOCOL false', 'PROTOCOL bignum', 'protocol NULL'],
    ],
  },
  failover: {
    why: 'takes a timeout and an address',
    lines: ['', 'ABORT', 'ABORT x', 'FORCE', 'TO 127.0.0.1 1', 'TO 127.0.0.1 x', 'TIMEOUT -1', 'x'],
  },
  migrate: {
    why: 'resolves names and waits for other servers',
    lines: [
      ...['', 'x', '127.0.0.1 1 missing 0 10', '127.0.0.1 1 str 0 10', '127.0.0.1 x str 0 10'],
      ...['127.0.0.1 1 str abc 10', '127.0.0.1 1 str 0 abc', '127.0.0.1 1 "" 0 10 KEYS str int'],
      ...['127.0.0.1 1 str 0 10 KEYS a b', '127.0.0.1 1 str 0 10 COPY REPLACE', '127.0.0.1 1 str 0 10 x'],
      ...['127.0.0.1 1 str 0 10 AUTH pw', '127.0.0.1 1 str 0 10 AUTH2 u p', '127.0.0.1 1 str 0 10 AUTH'],
    ],
  },
  monitor: { why: 'turns the connection into a stream; scripted in full', lines: ['x'] },
  pfselftest: { why: 'takes seconds and no argument', lines: ['x'] },
  psubscribe: { why: 'changes the connection; scripted in full', lines: [''] },
  psync: { why: 'turns the connection into a replica', lines: ['', 'x', 'a b c'] },
  punsubscribe: { why: 'scripted in full', lines: ['pattern*'] },
  replconf: {
    why: 'turns the connection into a replica',
    lines: ['', 'x', 'listening-port', 'listening-port 1', 'listening-port abc', 'nosuch 1', 'capa eof'],
  },
  replicaof: {
    why: 'would empty the server',
    lines: ['', 'NO', 'NO ONE', 'no one', 'NO ONE x', '127.0.0.1 abc', '127.0.0.1 -1', '127.0.0.1 70000'],
  },
  'script|debug': { why: 'forks a debugging session', lines: ['', 'NO', 'no', 'x', 'NO x'] },
  shutdown: {
    why: 'stops the server',
    lines: ['ABORT', 'abort', 'x', 'NOSAVE SAVE', 'ABORT NOW', 'NOSAVE x', 'NOSAVE NOW FORCE x'],
  },
  slaveof: { why: 'would empty the server', lines: ['', 'NO', 'NO ONE', '127.0.0.1 abc', 'x y z'] },
  ssubscribe: { why: 'changes the connection; scripted in full', lines: [''] },
  subscribe: { why: 'changes the connection; scripted in full', lines: [''] },
  sunsubscribe: { why: 'scripted in full', lines: ['shard'] },
  sync: { why: 'turns the connection into a replica', lines: ['x'] },
  unsubscribe: { why: 'scripted in full', lines: ['channel'] },
};

/** More argument lists, on top of the generated ones. */
export const MORE_BY_HAND: Readonly<Record<string, readonly string[]>> = {
  'acl|setuser': [
    ...['bob', 'bob on nopass', 'bob >pw ~k* +@read', 'bob +nosuch', 'bob ~* ~x', 'bob resetkeys'],
    ...['bob %R~x', 'bob (+get ~x)', 'bob (+get', 'bob #abc', 'bob <nosuch', 'bob reset', 'bob off off'],
  ],
  bitcount: ['bits 0 -1 BIT', 'bits 5 30 BIT', 'bits -2 -1', 'bits 0 -1 FOO'],
  bitfield: [
    'bits GET u4 0 SET u8 #1 200 INCRBY i8 0 10',
    'bits OVERFLOW SAT INCRBY u2 100 1 OVERFLOW FAIL INCRBY u2 102 1',
    ...['bits GET u64 0', 'bits GET i65 0', 'bits GET x8 0', 'bits SET u8 -1 1', 'bits OVERFLOW x'],
  ],
  bitop: ['NOT dst bits', 'NOT dst bits bits2', 'FOO dst bits', 'OR dst bits list', 'OR bits missing'],
  blpop: ['missing list 0', 'list 0', 'missing str 0'],
  bzpopmin: ['missing zset 0', 'zset 0'],
  'client|no-evict': ['ON', 'x'],
  copy: ['str str', 'str dst REPLACE', 'list str', 'list str REPLACE', 'str str DB 1', 'str d DB 99'],
  eval: [
    ...['return 0', 'returnx 0', 'return_1 1', 'x{ 0'],
    'return{1,2,{3,"a",false}} 0',
    'return{err="MYERR_custom"} 0',
    'return{ok="FINE"} 0',
    'return{double=3.25} 0',
    'return{map={a=1}} 0',
    'return{set={a=true}} 0',
    'return{big_number="123456789012345678901"} 0',
    'return{verbatim_string={format="txt",string="x"}} 0',
    'return(redis.setresp(3)) 0',
    'return(nil) 0',
    'return(true) 0',
    'return(3.99) 0',
    'return(redis.call("nosuch")) 0',
    'return(redis.call("get","list")) 0',
    'return(redis.pcall("get","list")) 0',
    'return(redis.call("set",KEYS[1],ARGV[1])) 1 str "x',
    'return(redis.call("hgetall","hash")) 0',
    'redis.setresp(3);return(redis.call("hgetall","hash")) 0',
    'error("boom\\r\\nbang") 0',
    'return(redis.error_reply("A\\r\\nB")) 0',
    'return(redis.status_reply("A\\r\\nB")) 0',
    'return(nosuchglobal) 0',
    'return(cjson.encode({a={1,2}})) 0',
    'return(string.rep("x",100000)) 0',
    'return(redis.call("ping")) 0',
    'return(redis.call("subscribe","x")) 0',
    'return(redis.call("multi")) 0',
  ],
  evalsha: ['ffffffffffffffffffffffffffffffffffffffff 0', 'FFFF 0', 'x'],
  expire: ['str 100000 NX', 'str 100000 XX', 'expiring 100000 GT', 'str 1 GT LT', 'str 1 NX XX'],
  geosearch: [
    'geo FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHCOORD WITHDIST WITHHASH COUNT 1 ANY',
    'geo FROMLONLAT 15 37 BYBOX 400 400 km DESC WITHDIST',
    ...['geo FROMMEMBER nosuch BYRADIUS 1 m', 'geo FROMLONLAT 200 37 BYRADIUS 1 m'],
  ],
  lcs: ['str int LEN', 'str str IDX', 'str float IDX MINMATCHLEN 1 WITHMATCHLEN', 'str str LEN IDX'],
  lpos: ['list a RANK -1', 'list a COUNT 0', 'list a RANK 0', 'list a COUNT 0 MAXLEN 1', 'list a RANK 2'],
  lrange: ['list 0 -1', 'biglist 0 -1', 'biglist -3 -1', 'biglist 100 20'],
  'object|encoding': [
    ...['str', 'int', 'list', 'biglist', 'hash', 'bighash', 'set', 'iset', 'zset', 'bigzset'],
    ...['stream', 'hll'],
  ],
  restore: ['dst 0 notadump', 'str 0 notadump', 'dst -1 x', 'dst 0 x REPLACE', 'dst 0 x FREQ 300'],
  select: ['0', '1', '15', '16', '-1', '00', '1 2'],
  set: [
    ...['str v NX GET', 'list v GET', 'missing v XX', 'missing v XX GET', 'str v EX 0', 'str v EX -1'],
    ...['str v EX 10 PX 10', 'str v KEEPTTL EX 10', 'str v NX XX', 'str v EX', 'str v EX 9223372036854775807'],
    ...['expiring v KEEPTTL', 'str v PXAT 1', 'str v foo'],
  ],
  sort: [
    ...['list2 DESC', 'list ALPHA', 'list', 'list BY weight:* ALPHA', 'list BY nosort GET # GET weight:*'],
    ...['list2 LIMIT 1 1', 'zset ALPHA DESC', 'iset', 'list2 STORE dst', 'list2 BY w->x GET hash->f1'],
    ...['list ALPHA LIMIT 0 2 STORE dst', 'str', 'missing', 'list2 GET', 'list2 LIMIT 1'],
  ],
  xadd: [
    ...['stream 0-0 f v', 'stream 1-1 f v', 'stream 5-0 f v', 'stream 5-1 f v', 'stream 5-* f v'],
    ...['stream * f', 'missing NOMKSTREAM * f v', 'stream MAXLEN = 1 9-1 f v', 'stream MAXLEN ~ 1 9-1 f v'],
    ...['stream MINID 5 9-1 f v', 'stream MAXLEN 1 LIMIT 5 9-1 f v', 'stream abc f v', 'str 9-1 f v'],
    'stream 18446744073709551615-18446744073709551615 f v',
  ],
  xread: [
    ...['STREAMS stream 0', 'COUNT 1 STREAMS stream stream2 0 0', 'STREAMS stream $', 'STREAMS stream'],
    ...['BLOCK 10 STREAMS stream $', 'BLOCK 0 STREAMS stream 0', 'BLOCK x STREAMS stream 0', 'STREAMS str 0'],
  ],
  xreadgroup: [
    ...['GROUP g c1 STREAMS stream >', 'GROUP g c1 STREAMS stream 0', 'GROUP g c1 NOACK STREAMS stream >'],
    ...['GROUP nosuch c1 STREAMS stream >', 'GROUP g new STREAMS stream >', 'GROUP g c1 STREAMS stream $'],
    ...['GROUP g c1 BLOCK 10 STREAMS stream2 >', 'STREAMS stream 0', 'GROUP g STREAMS stream >'],
  ],
  'xinfo|stream': ['stream', 'stream FULL', 'stream FULL COUNT 1', 'stream3', 'missing FULL', 'stream x'],
  xclaim: ['stream g c2 0 1-1', 'stream g c2 0 1-1 JUSTID', 'stream g c2 0 9-9', 'stream g c2 0 9-9 FORCE'],
  zadd: [
    ...['zset GT CH 5 a 0 b', 'zset NX 9 a 9 new', 'zset XX CH INCR 5 a', 'zset NX GT 1 a', 'zset INCR 1 a 2 b'],
    ...['zset inf x -inf y', 'zset INCR inf d', 'zset 1', 'zset XX 1 new', 'zset LT 0.1 a', 'zset nan a'],
  ],
  zrange: [
    ...['zset 0 -1 WITHSCORES', 'zset -inf +inf BYSCORE WITHSCORES', 'zset (1 3 BYSCORE LIMIT 0 1'],
    ...['zset2 [a (c BYLEX', 'zset2 + - BYLEX REV', 'zset 0 -1 REV WITHSCORES', 'zset 0 -1 LIMIT 0 1'],
    ...['bigzset 0 -1 WITHSCORES', 'zset 3 1 BYSCORE REV', 'zset2 [a [c BYLEX WITHSCORES'],
  ],
  zunion: ['2 zset zset2 WEIGHTS 2 3 AGGREGATE MAX WITHSCORES', '2 zset iset WITHSCORES', '0 zset', '3 zset'],
};
