/** Commands that wait: answered by another client, by their own timeout, or by being interrupted. */
import type { Scenario } from '../stage.js';

const POPS: readonly (readonly [string, string])[] = [
  ['BLPOP q 0', 'RPUSH q v1 v2'],
  ['BRPOP q 0', 'RPUSH q v1 v2'],
  ['BLPOP q q2 0', 'RPUSH q2 v1'],
  ['BLMOVE q dst LEFT RIGHT 0', 'RPUSH q v1 v2'],
  ['BRPOPLPUSH q dst 0', 'RPUSH q v1 v2'],
  ['BLMPOP 0 2 q q2 LEFT COUNT 2', 'RPUSH q2 v1 v2 v3'],
  ['BZPOPMIN z 0', 'ZADD z 1 a 2.5 b'],
  ['BZPOPMAX z 0', 'ZADD z 1 a 2.5 b'],
  ['BZMPOP 0 1 z MIN COUNT 2', 'ZADD z 1 a 2.5 b'],
  ['XREAD BLOCK 0 STREAMS x $', 'XADD x 5-5 f v'],
  ['XREADGROUP GROUP g c BLOCK 0 STREAMS stream2 >', 'XADD stream2 9-9 f v'],
];

const TIMEOUTS = [
  ...['BLPOP q 0.02', 'BRPOP q q2 0.02', 'BLMOVE q dst LEFT RIGHT 0.02', 'BRPOPLPUSH q dst 0.02'],
  ...['BLMPOP 0.02 1 q LEFT', 'BZPOPMIN z 0.02', 'BZPOPMAX z 0.02', 'BZMPOP 0.02 1 z MIN'],
  ...['XREAD BLOCK 20 STREAMS x $', 'WAIT 3 20'],
];

/** BLPOP and kin, XREAD BLOCK, WAIT. */
export const blockingScenarios: readonly Scenario[] = [
  {
    title: 'blocked commands are answered when another client brings what they wait for',
    run: async (stage) => {
      await stage.admin('XGROUP', 'CREATE', 'stream2', 'g', '$');
      const pushing = await stage.open('pushing');
      for (const [wait, push] of POPS) {
        const waiting = await stage.open('waiting');
        waiting.send(...wait.split(' '));
        await stage.until('blocked_clients:1');
        await pushing.do(...push.split(' '));
        await waiting.receive();
        await waiting.do('GET', 'str');
        await waiting.close();
        await pushing.do('DEL', 'q', 'q2', 'z', 'x');
      }
    },
  },
  {
    title: 'blocked commands are answered with null when their time is over',
    run: async (stage) => {
      const client = await stage.open();
      for (const line of TIMEOUTS) await client.do(...line.split(' '));
      client.raw('BLPOP q 0.02\r\nGET str\r\nBLPOP list 0\r\nBLPOP q 0.02\r\nGET int\r\n');
      await client.receive(5);
    },
  },
  {
    title: 'commands after a blocked one wait for it',
    run: async (stage) => {
      const [waiting, other] = [await stage.open('waiting'), await stage.open('other')];
      waiting.raw('SET order 1\r\nBLPOP q 0\r\nGET order\r\nSET order 3\r\nGET order\r\n');
      await waiting.receive(1);
      await stage.until('blocked_clients:1');
      await waiting.quiet();
      await other.do('SET', 'order', '2');
      await other.do('RPUSH', 'q', 'v');
      await waiting.receive(4);
    },
  },
  {
    title: 'a client that leaves while it waits takes nothing with it',
    run: async (stage) => {
      const [leaving, staying] = [await stage.open('leaving'), await stage.open('staying')];
      leaving.send('BLPOP', 'q', '0');
      await stage.until('blocked_clients:1');
      await leaving.close();
      await stage.until('blocked_clients:0');
      await staying.do('RPUSH', 'q', 'v');
      await staying.do('LRANGE', 'q', '0', '-1');
    },
  },
  {
    title: 'first come, first served',
    run: async (stage) => {
      const [first, second] = [await stage.open('first'), await stage.open('second')];
      first.send('BLPOP', 'q', '0');
      await stage.until('blocked_clients:1');
      second.send('BLPOP', 'q', '0');
      await stage.until('blocked_clients:2');
      const pushing = await stage.open('pushing');
      await pushing.do('RPUSH', 'q', 'v1', 'v2');
      await first.receive();
      await second.receive();
    },
  },
  {
    title: 'CLIENT UNBLOCK, a wrong type, a deleted stream and a failed group end the waiting',
    covers: ['client|unblock'],
    run: async (stage) => {
      const [waiting, other] = [await stage.open('waiting'), await stage.open('other')];
      const id = await waiting.number('CLIENT', 'ID');
      waiting.send('BLPOP', 'q', '0');
      await stage.until('blocked_clients:1');
      await other.do('CLIENT', 'UNBLOCK', id);
      await waiting.receive();
      waiting.send('BLPOP', 'q', '0');
      await stage.until('blocked_clients:1');
      await other.do('CLIENT', 'UNBLOCK', id, 'ERROR');
      await waiting.receive();
      await other.do('CLIENT', 'UNBLOCK', id);
      await waiting.do('BLPOP', 'str', '0');
      waiting.send('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'stream', '>');
      await waiting.receive();
      waiting.send('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'stream', '>');
      await stage.until('blocked_clients:1');
      await other.do('DEL', 'stream');
      await waiting.receive();
      await waiting.do('GET', 'str');
    },
  },
  {
    title: 'blocking in another database, under another name',
    run: async (stage) => {
      const [waiting, other] = [await stage.open('waiting'), await stage.open('other')];
      await waiting.do('SELECT', '4');
      await waiting.do('CLIENT', 'SETNAME', 'waiter');
      waiting.send('BLPOP', 'q', '0');
      await stage.until('blocked_clients:1');
      await other.do('RPUSH', 'q', 'wrong database');
      await waiting.quiet();
      await other.do('SELECT', '4');
      await other.do('RPUSH', 'q', 'v');
      await waiting.receive();
      await waiting.do('CLIENT', 'GETNAME');
      await waiting.do('DBSIZE');
    },
  },
  {
    title: 'CLIENT PAUSE holds writes back',
    covers: ['client|pause', 'client|unpause'],
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await other.do('CLIENT', 'PAUSE', '10000', 'WRITE');
      await one.do('GET', 'str');
      one.send('SET', 'str', 'paused');
      await one.quiet();
      await other.do('CLIENT', 'UNPAUSE');
      await one.receive();
      await one.do('GET', 'str');
    },
  },
];
