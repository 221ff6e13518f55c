/** Scripts, functions, RESP3 types, MONITOR, background saves, whole SCANs: what one reply cannot show. */
import type { Scenario, Stage } from '../stage.js';

const PROTOCOL_TYPES = [
  ...['string', 'integer', 'double', 'null', 'array', 'set', 'map', 'attrib', 'verbatim'],
  ...['true', 'false', 'bignum'],
];

/** Iterates with a small COUNT and records the sorted union: the order depends on a hash seed. */
async function scanAll(stage: Stage, ...command: string[]): Promise<void> {
  const client = await stage.open('scanning');
  const found = new Set<string>();
  let cursor = '0';
  do {
    const at = command[0] === 'SCAN' ? 1 : 2;
    const words = [...command.slice(0, at), cursor, ...command.slice(at)];
    const text = await client.number(...words);
    const parts = text.split('\r\n');
    cursor = parts[2] ?? '0';
    for (let i = 5; i < parts.length; i += 2) found.add(parts[i] ?? '');
  } while (cursor !== '0');
  await client.do('ECHO', [...found].sort().join(','));
}

/** EVAL, FUNCTION, DEBUG PROTOCOL, MONITOR, BGSAVE, SCAN. */
export const serverScenarios: readonly Scenario[] = [
  {
    title: 'DEBUG PROTOCOL: every type of reply',
    covers: ['debug'],
    run: async (stage) => {
      const client = await stage.open();
      for (const type of PROTOCOL_TYPES) await client.do('DEBUG', 'PROTOCOL', type);
      await client.do('HELLO', '3');
      client.send('DEBUG', 'PROTOCOL', 'push');
      await client.receive(2);
      client.raw(PROTOCOL_TYPES.map((type) => `DEBUG PROTOCOL ${type}\r\n`).join(''));
      await client.receive(PROTOCOL_TYPES.length);
      client.raw('GET str\r\nDEBUG PROTOCOL push\r\nDEBUG PROTOCOL attrib\r\nGET str\r\n');
      await client.receive(5);
      await client.do('MULTI');
      for (const type of PROTOCOL_TYPES) await client.do('DEBUG', 'PROTOCOL', type);
      await client.do('EXEC');
    },
  },
  {
    title: 'DEBUG PROTOCOL push in a transaction',
    protocols: [3],
    run: async (stage) => {
      const client = await stage.open();
      client.raw('MULTI\r\nDEBUG PROTOCOL push\r\nEXEC\r\nPING\r\nQUIT\r\n');
      await client.closes();
    },
  },
  {
    title: 'scripts: EVAL, EVALSHA, SCRIPT LOAD, EXISTS and FLUSH',
    covers: ['eval', 'evalsha', 'script|load', 'script|exists', 'script|flush'],
    run: async (stage) => {
      const client = await stage.open();
      const source = 'return {KEYS[1], ARGV[1], redis.call("INCR", KEYS[1])}';
      const sha = '6cc2ed2ffeef2bb4f30f0de3ff4e4e32ae4fd07f';
      await client.do('EVALSHA', sha, '1', 'int', 'x');
      await client.do('EVAL', source, '1', 'int', 'x');
      await client.do('SCRIPT', 'LOAD', source);
      await client.do('SCRIPT', 'LOAD', 'return 1 +');
      await client.do('SCRIPT', 'EXISTS', sha, 'f'.repeat(40));
      await client.do('EVALSHA_RO', sha, '1', 'int', 'x');
      await client.do('EVAL_RO', 'return redis.call("SET","a","1")', '0');
      await client.do('MULTI');
      await client.do('EVAL', 'return 1 +', '0');
      await client.do('EVAL', source, '1', 'int', 'x');
      await client.exec('eval', 'eval');
      await client.do('EVAL', 'while true do end', 'x');
      await client.do('SCRIPT', 'KILL');
    },
  },
  {
    title: 'REPLICAOF: a replica without a primary, and back',
    covers: ['replicaof', 'slaveof'],
    run: async (stage) => {
      const [client, other] = [await stage.open(), await stage.open('other')];
      await other.do('MULTI');
      await other.do('SET', 'str', 'queued before');
      await client.do('REPLICAOF', '127.0.0.1', '1');
      await client.do('SET', 'str', 'x');
      await client.do('GET', 'str');
      client.raw('GET str\r\nSET str x\r\nEVAL "return 1" 0\r\nINCR int\r\nPING\r\n');
      await client.receive(5);
      await other.exec('set');
      await other.do('MULTI');
      await other.do('SET', 'str', 'x');
      await other.do('GET', 'str');
      await other.exec('set', 'get');
      await other.do('BLPOP', 'none', '1');
      await client.do('EVAL', 'return redis.call("SET", KEYS[1], "x")', '1', 'str');
      await client.do('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
      for (const command of ['GET', 'INCR', 'STRLEN']) await client.do(command, 'str');
      await client.do('PING');
      await other.do('MULTI');
      await other.do('PING');
      await other.exec('ping');
      await other.do('MULTI');
      await client.do('SLAVEOF', 'NO', 'ONE');
      await other.do('GET', 'str');
      await client.do('REPLICAOF', 'localhost', '1');
      await other.exec('get');
      await client.do('REPLICAOF', 'no', 'one');
      await client.do('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
      await client.do('SET', 'str', 'x');
      await other.do('INCR', 'int');
    },
  },
  {
    title: 'a script that runs too long: BUSY to others, SCRIPT KILL ends it',
    covers: ['script|kill'],
    run: async (stage) => {
      await stage.admin('CONFIG', 'SET', 'busy-reply-threshold', '20');
      const [running, killing] = [await stage.open('running'), await stage.open('killing')];
      await killing.do('PING');
      running.send('EVAL', 'while true do end', '0');
      await running.quiet();
      await killing.do('SCRIPT', 'KILL');
      await running.receive();
      await killing.do('GET', 'str');
      await stage.admin('CONFIG', 'SET', 'busy-reply-threshold', '5000');
    },
  },
  {
    title: 'functions: LOAD, LIST, FCALL, DELETE, DUMP and RESTORE',
    covers: ['fcall', 'function|load', 'function|delete', 'function|flush', 'function|kill'],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('FUNCTION', 'LIST');
      await client.do('FUNCTION', 'LIST', 'WITHCODE');
      await client.do('FCALL', 'echoing', '1', 'k', 'a', 'b');
      await client.do('FCALL', 'reading', '1', 'str');
      await client.do('FCALL_RO', 'reading', '1', 'str');
      await client.do('FCALL_RO', 'echoing', '0');
      await client.do('FCALL', 'nosuch', '0');
      await client.do('FUNCTION', 'DUMP');
      await client.do('FUNCTION', 'DELETE', 'mylib');
      await client.do('FCALL', 'echoing', '0');
      await client.do('FUNCTION', 'STATS');
      await client.do('FUNCTION', 'KILL');
    },
  },
  {
    title: 'MONITOR shows what others do, in both protocols',
    covers: ['monitor'],
    run: async (stage) => {
      const watching = await stage.open('watching');
      await watching.do('MONITOR');
      await stage.admin('SET', 'k', 'a "quoted" \r\n value');
      await watching.receive(1, 'monitor');
      await stage.admin('GET', 'k');
      await watching.receive(1, 'monitor');
      await watching.do('RESET');
      await stage.admin('GET', 'k');
      await watching.quiet();
      await watching.do('GET', 'k');
    },
  },
  {
    title: 'SCAN and kin visit everything',
    run: async (stage) => {
      await stage.admin('SADD', 'manymembers', ...Array.from({ length: 50 }, (_, i) => `m${i}`));
      await stage.admin('DEL', '\0\r\n\xff*1\r\n$4\r\nPING\r\n');
      await scanAll(stage, 'SCAN', 'MATCH', '[a-z]*', 'COUNT', '3');
      await scanAll(stage, 'SCAN', 'MATCH', 'l*', 'COUNT', '5', 'TYPE', 'list');
      await scanAll(stage, 'SSCAN', 'manymembers', 'COUNT', '4');
    },
  },
  {
    title: 'BGSAVE, BGREWRITEAOF and LASTSAVE',
    covers: ['bgsave', 'bgrewriteaof'],
    protocols: [2],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('BGSAVE');
      await stage.until('rdb_bgsave_in_progress:0');
      await client.do('LASTSAVE');
      await client.do('BGREWRITEAOF');
      await stage.until('aof_rewrite_in_progress:0');
      await client.do('BGSAVE', 'SCHEDULE');
      await stage.until('rdb_bgsave_in_progress:0');
    },
  },
  {
    title: 'CONFIG and ACL changes are seen at once by every connection',
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await one.do('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
      await other.do('CONFIG', 'GET', 'maxmemory-policy');
      await other.do('OBJECT', 'FREQ', 'str');
      await one.do('ACL', 'SETUSER', 'newuser', 'on', '>pw', '~*', '+get');
      await other.do('AUTH', 'newuser', 'pw');
      await other.do('SET', 'a', '1');
      await other.do('GET', 'str');
      await one.do('ACL', 'LOG');
      await one.do('ACL', 'DRYRUN', 'newuser', 'set', 'a', '1');
    },
  },
  {
    title: 'FLUSHALL and DBSIZE across databases',
    run: async (stage) => {
      const client = await stage.open();
      client.raw('SELECT 1\r\nSET a 1\r\nDBSIZE\r\nSELECT 2\r\nSET b 1\r\nFLUSHDB\r\nDBSIZE\r\n');
      await client.receive(7);
      client.raw('SELECT 1\r\nDBSIZE\r\nFLUSHALL ASYNC\r\nDBSIZE\r\nSELECT 0\r\nDBSIZE\r\n');
      await client.receive(6);
    },
  },
];
