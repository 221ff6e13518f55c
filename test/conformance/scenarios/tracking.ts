/** Client-side caching: which keys are remembered, and how a client hears that they changed. */
import type { Scenario } from '../stage.js';

/** CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. */
export const trackingScenarios: readonly Scenario[] = [
  {
    title: 'CLIENT TRACKING ON: a change of what was read is pushed, once',
    covers: ['client|tracking', 'client|trackinginfo'],
    protocols: [3],
    run: async (stage) => {
      const [reader, writer] = [await stage.open('reader'), await stage.open('writer')];
      await reader.do('CLIENT', 'TRACKING', 'ON');
      await reader.do('CLIENT', 'TRACKINGINFO');
      await reader.do('GET', 'str');
      await reader.do('MGET', 'int', 'float');
      await writer.do('SET', 'str', 'new');
      await reader.receive();
      await writer.do('SET', 'str', 'newer');
      await writer.do('DEL', 'int');
      await reader.receive();
      await reader.do('GET', 'str');
      await writer.do('FLUSHALL');
      await reader.receive();
      await reader.do('CLIENT', 'TRACKING', 'OFF');
      await reader.do('GET', 'str');
      await writer.do('SET', 'str', 'unheard');
      await reader.quiet();
      await reader.do('CLIENT', 'TRACKINGINFO');
    },
  },
  {
    title: 'tracking BCAST with prefixes, and their conflicts',
    protocols: [3],
    run: async (stage) => {
      const [reader, writer] = [await stage.open('reader'), await stage.open('writer')];
      await reader.do('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user:', 'PREFIX', 'user:x');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'user:', 'PREFIX', 'page:');
      await reader.do('CLIENT', 'TRACKINGINFO');
      await writer.do('SET', 'user:1', 'a');
      await reader.receive();
      await writer.do('SET', 'other:1', 'a');
      await reader.quiet();
      await reader.do('CLIENT', 'TRACKING', 'ON');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'OPTIN', 'OPTOUT');
      await reader.do('CLIENT', 'TRACKING', 'OFF');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'PREFIX', 'x');
    },
  },
  {
    title: 'tracking OPTIN, OPTOUT, NOLOOP and CACHING',
    covers: ['client|caching'],
    protocols: [3],
    run: async (stage) => {
      const [reader, writer] = [await stage.open('reader'), await stage.open('writer')];
      await reader.do('CLIENT', 'CACHING', 'YES');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'OPTIN');
      await reader.do('GET', 'str');
      await reader.do('CLIENT', 'CACHING', 'YES');
      await reader.do('GET', 'int');
      await writer.do('MSET', 'str', '1', 'int', '2');
      await reader.receive();
      await reader.quiet();
      await reader.do('CLIENT', 'CACHING', 'NO');
      await reader.do('CLIENT', 'TRACKING', 'OFF');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'OPTOUT', 'NOLOOP');
      await reader.do('CLIENT', 'CACHING', 'NO');
      await reader.do('GET', 'str');
      await reader.do('GET', 'int');
      await reader.do('SET', 'int', 'own change');
      await writer.do('SET', 'str', '9');
      await reader.quiet();
      await reader.do('CLIENT', 'TRACKINGINFO');
    },
  },
  {
    title: 'without NOLOOP one hears of one’s own changes, after the reply',
    protocols: [3],
    run: async (stage) => {
      const reader = await stage.open('reader');
      await reader.do('CLIENT', 'TRACKING', 'ON');
      await reader.do('GET', 'str');
      reader.send('SET', 'str', 'own');
      await reader.receive(2);
      reader.raw('GET str\r\nMULTI\r\nSET str x\r\nGET int\r\nEXEC\r\nGET str\r\n');
      await reader.receive(7);
    },
  },
  {
    title: 'tracking in RESP2 redirects to a subscriber',
    covers: ['client|getredir'],
    protocols: [2],
    run: async (stage) => {
      const [reader, listener] = [await stage.open('reader'), await stage.open('listener')];
      const writer = await stage.open('writer');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'REDIRECT', '999999');
      const id = await listener.number('CLIENT', 'ID');
      await listener.do('SUBSCRIBE', '__redis__:invalidate');
      await reader.do('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id);
      await reader.do('CLIENT', 'GETREDIR');
      await reader.do('GET', 'str');
      await writer.do('SET', 'str', 'new');
      await listener.receive();
      await writer.do('FLUSHALL');
      await listener.receive();
      await reader.do('CLIENT', 'TRACKING', 'OFF');
      await reader.do('CLIENT', 'GETREDIR');
    },
  },
  {
    title: 'an invalidation does not reach a client that came later',
    protocols: [3],
    run: async (stage) => {
      const first = await stage.open('first');
      await first.do('CLIENT', 'TRACKING', 'ON');
      await first.do('GET', 'str');
      await first.close();
      const second = await stage.open('second');
      await second.do('CLIENT', 'TRACKINGINFO');
      await second.do('GET', 'str');
      await stage.admin('SET', 'str', 'new');
      await second.quiet();
    },
  },
  {
    title: 'RESET while tracking, and what was read before it',
    protocols: [3],
    run: async (stage) => {
      const client = await stage.open();
      await client.do('CLIENT', 'TRACKING', 'ON');
      await client.do('GET', 'str');
      await client.do('RESET');
      await client.do('HELLO', '3');
      await client.do('CLIENT', 'TRACKING', 'ON');
      await stage.admin('SET', 'str', 'new');
      await client.quiet();
    },
  },
];
