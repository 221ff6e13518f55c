/** CLIENT: names, ids, being killed, and keeping silent on request. */
import type { Actor, Scenario } from '../stage.js';

/** CLIENT SETNAME, ID, KILL, REPLY and kin. */
export const clientScenarios: readonly Scenario[] = [
  {
    title: 'CLIENT SETNAME, GETNAME and LIST agree',
    run: async (stage) => {
      const client = await stage.open();
      await client.do('CLIENT', 'GETNAME');
      await client.do('CLIENT', 'SETNAME', 'my-app');
      await client.do('CLIENT', 'GETNAME');
      await client.do('CLIENT', 'INFO');
      await client.do('CLIENT', 'SETNAME', 'bad name');
      await client.do('CLIENT', 'SETNAME', 'bad\nname');
      await client.do('CLIENT', 'GETNAME');
      await client.do('CLIENT', 'SETNAME', '');
      await client.do('CLIENT', 'GETNAME');
      await client.do('CLIENT', 'NO-EVICT', 'ON');
      await client.do('CLIENT', 'NO-EVICT', 'maybe');
      await client.do('CLIENT', 'SETINFO', 'LIB-NAME', 'x');
      await client.do('CLIENT', 'GETREDIR');
      await client.do('CLIENT', 'TRACKINGINFO');
    },
  },
  {
    title: 'CLIENT ID is the same as long as the connection is',
    run: async (stage) => {
      const client = await stage.open();
      const first = await client.number('CLIENT', 'ID');
      await client.do('SELECT', '1');
      await client.do('MULTI');
      await client.do('GET', 'x');
      await client.do('EXEC');
      const second = await client.number('CLIENT', 'ID');
      await client.do('ECHO', first === second ? 'the same id' : 'another id');
      const other = await stage.open('other');
      const third = await other.number('CLIENT', 'ID');
      await client.do('ECHO', third === second ? 'the same id' : 'another id');
      await other.do('CLIENT', 'UNBLOCK', second);
    },
  },
  {
    title: 'CLIENT KILL of oneself and of another',
    covers: ['client|kill'],
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      const id = await other.number('CLIENT', 'ID');
      await one.do('CLIENT', 'KILL', 'ID', id);
      await other.closes();
      const own = await one.number('CLIENT', 'ID');
      await one.do('CLIENT', 'KILL', 'ID', own);
      await one.do('CLIENT', 'KILL', 'ID', own, 'SKIPME', 'no');
      await one.closes();
    },
  },
  {
    title: 'CLIENT KILL closes a client that has a name, or subscribes, or waits, or queues',
    run: async (stage) => {
      const one = await stage.open('one');
      const lead: Record<string, (victim: Actor) => Promise<void>> = {
        named: (victim) => victim.do('CLIENT', 'SETNAME', 'victim'),
        subscribing: (victim) => victim.do('SUBSCRIBE', 'news'),
        waiting: async (victim) => {
          victim.send('BLPOP', 'nothing', '0');
          await stage.until('blocked_clients:1');
        },
        queueing: async (victim) => {
          await victim.do('MULTI');
          await victim.do('SET', 'str', 'never');
        },
      };
      for (const [name, make] of Object.entries(lead)) {
        const victim = await stage.open(name);
        const id = await victim.number('CLIENT', 'ID');
        await make(victim);
        await one.do('CLIENT', 'KILL', 'ID', id);
        await victim.closes();
      }
      await one.do('GET', 'str');
    },
  },
  {
    title: 'a client with a name is found by it, and the next one does not have it',
    run: async (stage) => {
      const [one, other] = [await stage.open('one'), await stage.open('other')];
      await one.do('CLIENT', 'SETNAME', 'the-one');
      await other.do('CLIENT', 'SETNAME', 'the-other');
      const list = await stage.admin('CLIENT', 'LIST');
      const names = [...list.matchAll(/ name=(the-\S+)/g)].map(([, name]) => name!);
      await one.do('ECHO', names.sort().join());
      await one.close();
      const third = await stage.open('third');
      await third.do('CLIENT', 'GETNAME');
    },
  },
  {
    title: 'CLIENT REPLY OFF, SKIP and ON',
    covers: ['client|reply'],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('CLIENT', 'REPLY', 'ON');
      client.raw('CLIENT REPLY OFF\r\nSET a 1\r\nGET a\r\nNOSUCH\r\nCLIENT REPLY ON\r\nGET a\r\n');
      await client.receive(2);
      client.raw('CLIENT REPLY SKIP\r\nSET a 2\r\nGET a\r\n');
      await client.receive(1);
      client.raw('CLIENT REPLY OFF\r\n');
      await client.quiet();
      client.raw('SET a 3\r\n');
      await client.quiet();
      await client.do('CLIENT', 'REPLY', 'ON');
      await client.do('GET', 'a');
      client.raw('CLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nGET a\r\nGET a\r\n');
      await client.receive(1);
      client.raw('MULTI\r\nSET a 4\r\nCLIENT REPLY SKIP\r\nGET a\r\nEXEC\r\nGET a\r\n');
      await client.receive(4);
      await client.do('ECHO', 'in step');
    },
  },
  {
    title: 'CLIENT REPLY SKIP and an empty line',
    run: async (stage) => {
      const client = await stage.open();
      client.raw('CLIENT REPLY SKIP\r\n\r\nPING one\r\nPING two\r\n');
      await client.receive(1);
    },
  },
  {
    title: 'CLIENT REPLY OFF in a transaction',
    run: async (stage) => {
      const client = await stage.open();
      client.raw('MULTI\r\nCLIENT REPLY OFF\r\nEXEC\r\nCLIENT REPLY ON\r\nGET str\r\nQUIT\r\n');
      await client.closes();
    },
  },
];
