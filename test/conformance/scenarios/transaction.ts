/** MULTI, EXEC, DISCARD, WATCH: what queues, what aborts, who notices. */
import type { Scenario } from '../stage.js';

/** Transactions with conflicts, errors and interruptions. */
export const transactionScenarios: readonly Scenario[] = [
  {
    title: 'MULTI, EXEC and DISCARD where they belong and where not',
    covers: ['multi', 'exec', 'discard'],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('EXEC');
      await client.do('DISCARD');
      await client.do('MULTI');
      await client.do('MULTI');
      await client.do('SET', 'a', '1');
      await client.do('WATCH', 'a');
      await client.exec('set');
      await client.do('MULTI');
      await client.do('EXEC');
      await client.do('MULTI');
      await client.do('SET', 'a', '2');
      await client.do('DISCARD');
      await client.do('GET', 'a');
      await client.do('MULTI', 'x');
      await client.do('EXEC', 'x');
      client.raw('MULTI\r\nSET a 3\r\nGET a\r\nEXEC\r\nMULTI\r\nINCR a\r\nEXEC\r\nGET a\r\n');
      await client.receive(8);
    },
  },
  {
    title: 'errors while queueing abort, errors while executing do not',
    run: async (stage) => {
      const client = await stage.open();
      await client.do('MULTI');
      await client.do('SET', 'a', '1');
      await client.do('NOSUCH');
      await client.do('SET', 'a');
      await client.do('GET', 'a');
      await client.do('EXEC');
      await client.do('GET', 'a');
      await client.do('MULTI');
      await client.do('LPUSH', 'str', 'x');
      await client.do('SET', 'a', '1');
      await client.do('EVAL', "return redis.error_reply('MINE')", '0');
      await client.exec('lpush', 'set', 'eval');
      await client.do('GET', 'a');
      await client.do('MULTI');
      await client.do('NOSUCH');
      await client.do('DISCARD');
      await client.do('GET', 'a');
      await client.do('MULTI');
      await client.do('EXEC', 'x');
      await client.do('EXEC');
    },
  },
  {
    title: 'WATCH notices what another connection does, UNWATCH forgets',
    covers: ['watch', 'unwatch'],
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await one.do('WATCH', 'str', 'int');
      await other.do('SET', 'str', 'changed');
      await one.do('MULTI');
      await one.do('SET', 'a', '1');
      await one.do('EXEC');
      await one.do('GET', 'a');
      await one.do('WATCH', 'str');
      await other.do('SET', 'str', 'again');
      await one.do('UNWATCH');
      await one.do('MULTI');
      await one.do('SET', 'a', '2');
      await one.exec('set');
      await one.do('WATCH', 'str');
      await one.do('GET', 'str');
      await one.do('SET', 'str', 'own');
      await one.do('MULTI');
      await one.do('PING');
      await one.do('EXEC');
      await one.do('WATCH', 'missing');
      await one.do('MULTI');
      await one.do('PING');
      await one.exec('ping');
      await other.do('SET', 'missing', 'now');
      await one.do('MULTI');
      await one.exec();
    },
  },
  {
    title: 'WATCH ends with DISCARD, EXEC and a change of database keeps it',
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await one.do('WATCH', 'str');
      await one.do('MULTI');
      await one.do('DISCARD');
      await other.do('SET', 'str', 'changed');
      await one.do('MULTI');
      await one.do('PING');
      await one.exec('ping');
      await one.do('WATCH', 'str');
      await one.do('SELECT', '2');
      await other.do('SET', 'str', 'changed again');
      await one.do('MULTI');
      await one.do('PING');
      await one.do('EXEC');
      await one.do('WATCH', 'str');
      await other.do('FLUSHALL');
      await one.do('MULTI');
      await one.do('EXEC');
    },
  },
  {
    title: 'what has no place in a transaction',
    run: async (stage) => {
      const client = await stage.open();
      for (const line of ['SUBSCRIBE x', 'MONITOR', 'WATCH a', 'RESET', 'HELLO 3', 'QUIT']) {
        const actor = await stage.open(line);
        await actor.do('MULTI');
        await actor.do('SET', 'a', line);
        await actor.do(...line.split(' '));
        await actor.exec('set', line.split(' ')[0]?.toLowerCase() ?? '');
      }
      await client.do('GET', 'a');
      await client.do('MULTI');
      await client.do('AUTH', 'alice', 'secret');
      await client.do('ACL', 'WHOAMI');
      await client.do('CLIENT', 'SETNAME', 'inside');
      await client.do('BLPOP', 'missing', '0');
      await client.do('XREAD', 'BLOCK', '0', 'STREAMS', 'stream', '$');
      await client.do('WAIT', '1', '0');
      await client.exec('auth');
      await client.do('ACL', 'WHOAMI');
      await client.do('CLIENT', 'GETNAME');
    },
  },
  {
    title: 'a client that leaves in the middle of a transaction has changed nothing',
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await one.do('MULTI');
      await one.do('SET', 'str', 'lost');
      await one.close();
      await other.do('GET', 'str');
      const third = await stage.open('third');
      await third.do('EXEC');
      await third.do('GET', 'str');
    },
  },
  {
    title: 'a protocol error in the middle of a transaction',
    run: async (stage) => {
      const client = await stage.open();
      client.raw('MULTI\r\nSET str lost\r\n*1\r\n!oops\r\nEXEC\r\n');
      await client.receive(3);
      await client.closes();
      const other = await stage.open('other');
      await other.do('GET', 'str');
    },
  },
];
