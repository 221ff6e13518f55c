/** What a connection has said so far: database, protocol, user, name, and taking it all back. */
import type { Scenario } from '../stage.js';

/** SELECT, SWAPDB, HELLO, AUTH, RESET, QUIT. */
export const sessionScenarios: readonly Scenario[] = [
  {
    title: 'SELECT keeps databases apart, on one connection and between two',
    covers: ['select', 'move'],
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await one.do('SELECT', '5');
      await one.do('SET', 'k', 'five');
      await other.do('GET', 'k');
      await other.do('SELECT', '5');
      await other.do('GET', 'k');
      await other.do('SELECT', '16');
      await other.do('GET', 'k');
      await other.do('MOVE', 'k', '6');
      await one.do('GET', 'k');
      await one.do('DBSIZE');
      one.raw('SELECT 6\r\nGET k\r\nSELECT 5\r\nGET k\r\nSELECT 6\r\nGET k\r\n');
      await one.receive(6);
      await one.do('CLIENT', 'INFO');
    },
  },
  {
    title: 'SELECT inside a transaction lasts beyond it, and not when it is discarded',
    run: async (stage) => {
      const client = await stage.open();
      await client.do('MULTI');
      await client.do('SELECT', '3');
      await client.do('SET', 'k', 'three');
      await client.exec('select', 'set');
      await client.do('GET', 'k');
      await client.do('MULTI');
      await client.do('SELECT', '4');
      await client.do('DISCARD');
      await client.do('GET', 'k');
      await client.do('MULTI');
      await client.do('SELECT', '99');
      await client.do('GET', 'k');
      await client.exec('select', 'get');
      await client.do('GET', 'k');
    },
  },
  {
    title: 'SWAPDB is seen by every connection',
    covers: ['swapdb'],
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await other.do('SELECT', '1');
      await other.do('GET', 'str');
      await one.do('SWAPDB', '0', '1');
      await one.do('GET', 'str');
      await other.do('GET', 'str');
      await one.do('SWAPDB', '0', '1');
      await one.do('SWAPDB', '0', '16');
    },
  },
  {
    title: 'HELLO in every form',
    covers: ['hello'],
    run: async (stage) => {
      const client = await stage.open();
      for (const version of [
        '2',
        '3',
        '2',
        '4',
        '1',
        '0',
        '-3',
        'abc',
        '',
        '99999999999999999999',
      ]) {
        await client.do('HELLO', version);
        await client.do('HGETALL', 'hash');
      }
      await client.do('HELLO');
      await client.do('HELLO', '3', 'SETNAME', 'me');
      await client.do('CLIENT', 'GETNAME');
      await client.do('HELLO', '2', 'SETNAME', 'bad name');
      await client.do('HGETALL', 'hash');
      await client.do('CLIENT', 'GETNAME');
      await client.do('HELLO', '3', 'SETNAME');
      await client.do('HELLO', '3', 'NOSUCH', 'x');
      await client.do('HELLO', '3', 'AUTH', 'alice');
      await client.do('HELLO', '2', 'AUTH', 'alice', 'wrong', 'SETNAME', 'other');
      await client.do('HGETALL', 'hash');
      await client.do('CLIENT', 'GETNAME');
      await client.do('HELLO', '3', 'AUTH', 'alice', 'secret', 'SETNAME', 'as-alice');
      await client.do('ACL', 'WHOAMI');
      await client.do('CLIENT', 'GETNAME');
      await client.do('HELLO', '2', 'SETNAME', '');
      await client.do('CLIENT', 'GETNAME');
      await client.do('hello', '3', 'setname', 'lower', 'auth', 'alice', 'secret');
      await client.do('ACL', 'WHOAMI');
    },
  },
  {
    title: 'HELLO in a pipeline changes the replies from there on',
    run: async (stage) => {
      const client = await stage.open();
      client.raw(
        'HGETALL hash\r\nHELLO 3\r\nHGETALL hash\r\nHELLO 2\r\nHGETALL hash\r\nHELLO 5\r\nHGETALL hash\r\n',
      );
      await client.receive(7, 'hello');
      client.raw('GET str\r\nHELLO 3 SETNAME piped\r\nCLIENT GETNAME\r\nGET missing\r\n');
      await client.receive(4, 'hello');
    },
  },
  {
    title: 'AUTH right and wrong with ACL users',
    covers: ['auth'],
    run: async (stage) => {
      await stage.admin('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bob:*', '+@read', '+@connection');
      const client = await stage.open();
      await client.do('AUTH', 'secret');
      await client.do('AUTH', 'alice', 'wrong');
      await client.do('ACL', 'WHOAMI');
      await client.do('AUTH', 'nobody', 'x');
      await client.do('AUTH', 'a', 'b', 'c');
      await client.do('AUTH', 'alice', 'secret');
      await client.do('ACL', 'WHOAMI');
      await client.do('SET', 'by-alice', '1');
      await client.do('AUTH', 'alice', 'wrong');
      await client.do('ACL', 'WHOAMI');
      await client.do('AUTH', 'bob', 'pw');
      await client.do('GET', 'str');
      await client.do('SET', 'bob:x', '1');
      await client.do('GET', 'bob:x');
      await client.do('MULTI');
      await client.do('SET', 'bob:x', '1');
      await client.do('EXEC');
      await client.do('EVAL', 'return 1', '0');
      await client.do('CONFIG', 'GET', 'hz');
      await client.do('BLPOP', 'list', '0.01');
      await client.do('SUBSCRIBE', 'news');
      await client.do('AUTH', 'default', 'x');
      await client.do('ACL', 'WHOAMI');
    },
  },
  {
    title: 'one user does not work with the rights of another',
    run: async (stage) => {
      await stage.admin('ACL', 'SETUSER', 'bob', 'on', '>pw', '~bob:*', '+get', '+@connection');
      const [bob, alice, anyone] = [
        await stage.open('bob'),
        await stage.open('alice'),
        await stage.open('anyone'),
      ];
      await bob.do('AUTH', 'bob', 'pw');
      await alice.do('AUTH', 'alice', 'secret');
      for (let i = 0; i < 3; i += 1) {
        for (const actor of [bob, alice, anyone, alice, bob]) await actor.do('GET', 'str');
      }
      await bob.do('SELECT', '2');
      await bob.do('GET', 'bob:k');
      await bob.do('RESET');
      await bob.do('GET', 'str');
    },
  },
  {
    title: 'a user who is deleted loses the connection',
    run: async (stage) => {
      await stage.admin('ACL', 'SETUSER', 'bob', 'on', '>pw', '~*', '+@all');
      const client = await stage.open();
      await client.do('AUTH', 'bob', 'pw');
      await client.do('MULTI');
      await client.do('SET', 'x', '1');
      await stage.admin('ACL', 'DELUSER', 'bob');
      await client.closes();
    },
  },
  {
    title: 'RESET takes everything back',
    covers: ['reset'],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('SELECT', '3');
      await client.do('CLIENT', 'SETNAME', 'me');
      await client.do('AUTH', 'alice', 'secret');
      await client.do('HELLO', '3');
      await client.do('RESET');
      await client.do('CLIENT', 'GETNAME');
      await client.do('ACL', 'WHOAMI');
      await client.do('HGETALL', 'hash');
      await client.do('CLIENT', 'INFO');
      await client.do('RESET', 'x');
    },
  },
  {
    title: 'RESET ends a transaction, a watch, a subscription, tracking and MONITOR',
    run: async (stage) => {
      const client = await stage.open();
      await client.do('WATCH', 'str');
      await client.do('MULTI');
      await client.do('SET', 'str', 'x');
      await client.do('RESET');
      await client.do('EXEC');
      await client.do('GET', 'str');
      await client.do('SUBSCRIBE', 'news');
      await client.do('RESET');
      await client.do('GET', 'str');
      await stage.admin('PUBLISH', 'news', 'unheard');
      await client.do('HELLO', '3');
      await client.do('CLIENT', 'TRACKING', 'ON');
      await client.do('GET', 'str');
      await client.do('RESET');
      await stage.admin('SET', 'str', 'changed');
      await client.do('CLIENT', 'TRACKINGINFO');
      await client.do('MONITOR');
      await client.do('RESET');
      await client.do('PING');
      client.raw('RESET\r\nPING\r\nRESET\r\nGET str\r\n');
      await client.receive(4);
    },
  },
  {
    title: 'QUIT answers and closes; what was sent after it is not run',
    covers: ['quit'],
    run: async (stage) => {
      const client = await stage.open();
      client.raw('SET a 1\r\nQUIT\r\nSET a 2\r\nGET a\r\n');
      await client.receive(2);
      await client.closes();
      const other = await stage.open('other');
      await other.do('GET', 'a');
      await other.do('QUIT');
      await other.closes();
      const third = await stage.open('third');
      await third.do('MULTI');
      await third.do('SET', 'a', '3');
      await third.do('QUIT', 'now');
      await third.closes();
    },
  },
];
