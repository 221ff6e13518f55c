/**
 * Commands that would stop the server, the connection or the test when called with generated
 * arguments: they get exactly the argument lists below. Words are separated by spaces; `""` is an
 * empty word. docs/compatibility.md prints the reasons.
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
      ...[
        'LADDR 127.0.0.1:1',
        'SKIPME maybe ID 999999',
        'ID 999999 SKIPME no',
        'FOO bar',
        'ID 1 x',
      ],
    ],
  },
  'client|pause': {
    why: 'stops every client of the server',
    lines: ['', 'abc', '-1', '1.5', '0', '0 WRITE', '0 ALL', '0 FOO', '0 WRITE x'],
  },
  'client|reply': {
    why: 'silences the connection; scripted in full',
    lines: ['', 'ON', 'x', 'ON x'],
  },
  'config|set': {
    why: 'arbitrary parameters can stop the server',
    lines: [
      ...['', 'hz', 'hz 20', 'hz abc', 'hz 10 hz 20', 'nosuch 1', 'hz 10 nosuch 2', 'HZ 15'],
      ...['maxmemory-policy allkeys-lru', 'maxmemory-policy foo', 'maxmemory-policy ""', 'port x'],
      ...[
        'maxmemory abc',
        'list-max-listpack-size 999999999999',
        'save 1',
        'hz 10 maxmemory-policy',
      ],
    ],
  },
  debug: {
    why: 'has no grammar in COMMAND DOCS and can kill the server',
    lines: [
      ...['', 'nosuch', 'HELP', 'HELP x', 'OBJECT', 'OBJECT missing', 'OBJECT str', 'OBJECT zset'],
      ...['SDSLEN str', 'SDSLEN list', 'SDSLEN missing', 'ZIPLIST list', 'LISTPACK list', 'JMAP'],
      ...[
        'LISTPACK str',
        'LISTPACK missing',
        'QUICKLIST list',
        'QUICKLIST str',
        'DIGEST',
        'DIGEST x',
      ],
      ...['DIGEST-VALUE', 'DIGEST-VALUE str list missing', 'SLEEP 0', 'SLEEP', 'ERROR', 'ERROR x'],
      ...['STRUCTSIZE', 'STRINGMATCH-LEN', 'STRINGMATCH-LEN 5 a*', 'SET-ACTIVE-EXPIRE 0', 'RELOAD'],
      ...[
        'POPULATE 10',
        'POPULATE 3 pre 20',
        'POPULATE x',
        'LOG hello',
        'HTSTATS-KEY hash',
        'object',
      ],
      ...['HTSTATS-KEY str', 'SET-DISABLE-DENY-SCRIPTS 0', 'CHANGE-REPL-ID', 'STREAM', 'MALLCTL x'],
      ...['PROTOCOL', 'PROTOCOL nosuch', 'PROTOCOL string', 'PROTOCOL integer', 'PROTOCOL double'],
      ...['PROTOCOL null', 'PROTOCOL array', 'PROTOCOL set', 'PROTOCOL map', 'PROTOCOL attrib'],
      ...[
        'PROTOCOL verbatim',
        'PROTOCOL true',
        'PROTOCOL false',
        'PROTOCOL bignum',
        'protocol NULL',
      ],
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
      ...[
        '127.0.0.1 1 str 0 10 KEYS a b',
        '127.0.0.1 1 str 0 10 COPY REPLACE',
        '127.0.0.1 1 str 0 10 x',
      ],
      ...[
        '127.0.0.1 1 str 0 10 AUTH pw',
        '127.0.0.1 1 str 0 10 AUTH2 u p',
        '127.0.0.1 1 str 0 10 AUTH',
      ],
    ],
  },
  monitor: { why: 'turns the connection into a stream; scripted in full', lines: ['x'] },
  pfselftest: { why: 'takes seconds and no argument', lines: ['x'] },
  psubscribe: { why: 'changes the connection; scripted in full', lines: [''] },
  psync: { why: 'turns the connection into a replica', lines: ['', 'x', 'a b c'] },
  punsubscribe: { why: 'scripted in full', lines: ['pattern*'] },
  replconf: {
    why: 'turns the connection into a replica',
    lines: [
      '',
      'x',
      'listening-port',
      'listening-port 1',
      'listening-port abc',
      'nosuch 1',
      'capa eof',
    ],
  },
  replicaof: {
    why: 'would empty the server; without a primary scripted',
    lines: [
      '',
      'NO',
      'NO ONE',
      'no one',
      'NO ONE x',
      '127.0.0.1 abc',
      '127.0.0.1 -1',
      '127.0.0.1 70000',
    ],
  },
  'script|debug': { why: 'forks a debugging session', lines: ['', 'NO', 'no', 'x', 'NO x'] },
  shutdown: {
    why: 'stops the server',
    lines: ['ABORT', 'abort', 'x', 'NOSAVE SAVE', 'ABORT NOW', 'NOSAVE x', 'NOSAVE NOW FORCE x'],
  },
  slaveof: {
    why: 'would empty the server; without a primary scripted',
    lines: ['', 'NO', 'NO ONE', '127.0.0.1 abc', 'x y z'],
  },
  ssubscribe: { why: 'changes the connection; scripted in full', lines: [''] },
  subscribe: { why: 'changes the connection; scripted in full', lines: [''] },
  sunsubscribe: { why: 'scripted in full', lines: ['shard'] },
  sync: { why: 'turns the connection into a replica', lines: ['x'] },
  unsubscribe: { why: 'scripted in full', lines: ['channel'] },
};
