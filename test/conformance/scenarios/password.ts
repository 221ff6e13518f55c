/** A server that demands a password: who may say what before AUTH, and how much of it. */
import type { Scenario } from '../stage.js';

/** What the servers of `passwordScenarios` are started with. */
export const PASSWORD = 'a password';

const UNAUTHENTICATED: readonly string[] = [
  '*11\r\n',
  '*2\r\n$3\r\nGET\r\n$16385\r\n',
  '*10\r\n$16384\r\n!',
  `*1\r\n$4\r\nPING\r\n*11\r\n`,
];

/** Played against servers started with `PASSWORD`; clients begin unauthenticated, so in RESP2. */
export const passwordScenarios: readonly Scenario[] = [
  {
    title: 'before AUTH almost everything is refused',
    protocols: [2],
    run: async (stage) => {
      const client = await stage.open();
      for (const line of [
        ...[
          'GET str',
          'PING',
          'ECHO x',
          'SELECT 1',
          'MULTI',
          'EXEC',
          'SUBSCRIBE x',
          'BLPOP list 0',
        ],
        ...['NOSUCH', 'GET', 'CLIENT SETNAME x', 'CLIENT ID', 'COMMAND COUNT', 'HELLO', 'HELLO 3'],
        ...['RESET', 'MONITOR', 'WATCH a', 'INFO', 'HELLO 9', 'CONFIG GET hz'],
      ]) {
        await client.do(...line.split(' '));
      }
      await client.do('QUIT');
      await client.closes();
    },
  },
  {
    title: 'AUTH right and wrong, and what RESET does to it',
    protocols: [2],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('AUTH', 'wrong');
      await client.do('AUTH', '');
      await client.do('AUTH', 'default', 'wrong');
      await client.do('GET', 'str');
      await client.do('AUTH', PASSWORD);
      await client.do('GET', 'str');
      await client.do('AUTH', 'wrong');
      await client.do('GET', 'str');
      await client.do('RESET');
      await client.do('GET', 'str');
      await client.do('AUTH', 'default', PASSWORD);
      await client.do('GET', 'str');
      await client.do('AUTH', 'alice', 'secret');
      await client.do('ACL', 'WHOAMI');
    },
  },
  {
    title: 'HELLO with AUTH, right and wrong',
    protocols: [2],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('HELLO', '3', 'AUTH', 'default', 'wrong');
      await client.do('HELLO', '3', 'AUTH', 'default', PASSWORD, 'SETNAME', 'me');
      await client.do('HGETALL', 'hash');
      await client.do('CLIENT', 'GETNAME');
      await client.do('MULTI');
      await client.do('GET', 'str');
      await client.exec('get');
      const other = await stage.open('other');
      await other.do('GET', 'str');
      await other.do('HELLO', '2', 'SETNAME', 'x');
      await other.do('HELLO', '2', 'AUTH', 'alice', 'secret');
      await other.do('GET', 'str');
    },
  },
  {
    title: 'a pipeline with AUTH in it',
    protocols: [2],
    run: async (stage) => {
      const client = await stage.open();
      client.raw(
        `GET str\r\nAUTH "${PASSWORD}"\r\nGET str\r\nAUTH wrong\r\nGET int\r\nRESET\r\nGET str\r\n`,
      );
      await client.receive(7);
    },
  },
  {
    title: 'before AUTH requests may be small only',
    protocols: [2],
    run: async (stage) => {
      for (const bytes of UNAUTHENTICATED) {
        const client = await stage.open();
        client.raw(bytes);
        await client.closes();
      }
      const client = await stage.open();
      await client.do('AUTH', 'x'.repeat(16_000));
      await client.do('AUTH', PASSWORD);
      await client.do('SET', 'k', 'x'.repeat(20_000));
      await client.do('MGET', ...Array.from({ length: 20 }, (_, i) => `k${i}`));
    },
  },
];
