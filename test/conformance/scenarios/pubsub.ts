/** Channels, patterns and shard channels: confirmations, messages, and what a subscriber may say. */
import type { Actor, Scenario } from '../stage.js';

/** The replies to a subscription of several channels are several frames. */
async function subscribes(actor: Actor, count: number, ...words: string[]): Promise<void> {
  actor.send(...words);
  await actor.receive(count);
}

/** SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, PUBLISH, SPUBLISH, PUBSUB. */
export const pubsubScenarios: readonly Scenario[] = [
  {
    title: 'SUBSCRIBE, messages, UNSUBSCRIBE, and back to ordinary commands',
    covers: ['subscribe', 'unsubscribe', 'publish'],
    run: async (stage) => {
      const [sub, pub] = [await stage.open('sub'), await stage.open('pub')];
      await subscribes(sub, 3, 'SUBSCRIBE', 'a', 'b', 'a');
      await pub.do('PUBLISH', 'a', 'one');
      await sub.receive();
      await pub.do('PUBLISH', 'b', '\r\nbinary\0');
      await sub.receive();
      await pub.do('PUBLISH', 'nobody', 'x');
      await sub.quiet();
      await subscribes(sub, 1, 'UNSUBSCRIBE', 'a');
      await pub.do('PUBLISH', 'a', 'unheard');
      await subscribes(sub, 1, 'UNSUBSCRIBE', 'never');
      await subscribes(sub, 1, 'UNSUBSCRIBE');
      await subscribes(sub, 1, 'UNSUBSCRIBE');
      await sub.do('GET', 'str');
      await sub.do('PING');
      await pub.do('PUBLISH', 'b', 'unheard');
      await sub.quiet();
    },
  },
  {
    title: 'PSUBSCRIBE and SUBSCRIBE together: one message, several frames',
    covers: ['psubscribe', 'punsubscribe'],
    run: async (stage) => {
      const [sub, pub] = [await stage.open('sub'), await stage.open('pub')];
      await subscribes(sub, 2, 'PSUBSCRIBE', 'news.*', 'other.*');
      await subscribes(sub, 1, 'SUBSCRIBE', 'news.art');
      await pub.do('PUBLISH', 'news.art', 'hello');
      await sub.receive(2);
      await pub.do('PUBSUB', 'NUMSUB', 'news.art', 'nobody');
      await pub.do('PUBSUB', 'NUMPAT');
      await pub.do('PUBSUB', 'CHANNELS', 'news*');
      await subscribes(sub, 1, 'PUNSUBSCRIBE', 'other.*');
      await subscribes(sub, 1, 'PUNSUBSCRIBE');
      await pub.do('PUBLISH', 'news.art', 'again');
      await sub.receive(1);
      await subscribes(sub, 1, 'UNSUBSCRIBE');
      await sub.do('ECHO', 'free');
    },
  },
  {
    title: 'SSUBSCRIBE and SPUBLISH',
    covers: ['ssubscribe', 'sunsubscribe', 'spublish'],
    run: async (stage) => {
      const [sub, pub] = [await stage.open('sub'), await stage.open('pub')];
      await subscribes(sub, 2, 'SSUBSCRIBE', 's1', 's2');
      await pub.do('SPUBLISH', 's1', 'hello');
      await sub.receive();
      await pub.do('PUBLISH', 's1', 'not for shards');
      await sub.quiet();
      await pub.do('PUBSUB', 'SHARDNUMSUB', 's1', 's2', 's3');
      await pub.do('PUBSUB', 'SHARDCHANNELS');
      await subscribes(sub, 1, 'SUNSUBSCRIBE', 's1');
      await subscribes(sub, 1, 'SUNSUBSCRIBE');
      await sub.do('ECHO', 'free');
    },
  },
  {
    title: 'what a subscriber may say: almost nothing in RESP2, everything in RESP3',
    run: async (stage) => {
      const sub = await stage.open('sub');
      await subscribes(sub, 1, 'SUBSCRIBE', 'a');
      for (const line of [
        ...['PING', 'PING hello', 'GET str', 'SET x 1', 'NOSUCH', 'SELECT 1', 'MULTI', 'ECHO x'],
        ...[
          'PUBLISH b x',
          'DBSIZE',
          'BLPOP list 0.01',
          'EXEC',
          'HELLO',
          'AUTH alice wrong',
          'INFO x',
        ],
        ...['PUBLISH', 'UNSUBSCRIBE nosuch', 'PUBSUB NUMPAT', 'COMMAND COUNT'],
      ]) {
        await sub.do(...line.split(' '));
      }
    },
  },
  {
    title: 'a subscriber that leaves in every way',
    run: async (stage) => {
      const pub = await stage.open('pub');
      const quitting = await stage.open('quitting');
      await subscribes(quitting, 1, 'SUBSCRIBE', 'a');
      await quitting.do('QUIT');
      await quitting.closes();
      await pub.do('PUBLISH', 'a', 'x');
      const resetting = await stage.open('resetting');
      await subscribes(resetting, 1, 'SUBSCRIBE', 'a');
      await resetting.do('RESET');
      await resetting.do('GET', 'str');
      await pub.do('PUBLISH', 'a', 'x');
      const going = await stage.open('going');
      await subscribes(going, 1, 'PSUBSCRIBE', '*');
      await going.close();
      await stage.until('pubsub_patterns:0');
      await pub.do('PUBLISH', 'a', 'x');
    },
  },
  {
    title: 'a pipeline around SUBSCRIBE keeps its order',
    run: async (stage) => {
      const sub = await stage.open('sub');
      sub.raw(
        'SET x 1\r\nGET x\r\nSUBSCRIBE a b\r\nPING\r\nUNSUBSCRIBE b a\r\nGET x\r\nINCR x\r\n',
      );
      await sub.receive(9);
      sub.raw('SUBSCRIBE a\r\nSUBSCRIBE b\r\nUNSUBSCRIBE a\r\nPSUBSCRIBE p\r\nUNSUBSCRIBE b\r\n');
      await sub.receive(5);
      await stage.admin('PUBLISH', 'p', 'hello');
      await sub.receive();
      sub.raw('PUNSUBSCRIBE\r\nGET x\r\n');
      await sub.receive(2);
    },
  },
  {
    title: 'in RESP3 messages come between the replies of a subscriber that goes on working',
    protocols: [3],
    run: async (stage) => {
      const [sub, pub] = [await stage.open('sub'), await stage.open('pub')];
      await subscribes(sub, 1, 'SUBSCRIBE', 'a');
      await sub.do('SET', 'x', '1');
      await pub.do('PUBLISH', 'a', 'one');
      await sub.receive();
      await sub.do('GET', 'x');
      sub.send('PUBLISH', 'a', 'to myself');
      await sub.receive(2);
      await sub.do('MULTI');
      await sub.do('GET', 'x');
      await pub.do('PUBLISH', 'a', 'in between');
      await sub.receive();
      await sub.exec('get');
      await sub.do('SELECT', '3');
      await sub.do('GET', 'x');
      sub.raw('BLPOP missing 0\r\n');
      await stage.until('blocked_clients:1');
      await pub.do('PUBLISH', 'a', 'while blocked');
      await sub.receive();
      await stage.admin('SELECT', '3');
      await stage.admin('RPUSH', 'missing', 'v');
      await stage.admin('SELECT', '0');
      await sub.receive();
    },
  },
  {
    title: 'HELLO changes how messages look to one who is subscribed',
    protocols: [3],
    run: async (stage) => {
      const [sub, pub] = [await stage.open('sub'), await stage.open('pub')];
      await subscribes(sub, 1, 'SUBSCRIBE', 'a');
      await pub.do('PUBLISH', 'a', 'one');
      await sub.receive();
      await sub.do('HELLO', '2');
      await pub.do('PUBLISH', 'a', 'two');
      await sub.receive();
      await sub.do('GET', 'str');
      await subscribes(sub, 1, 'UNSUBSCRIBE');
      await sub.do('GET', 'str');
    },
  },
  {
    title: 'a hundred messages in one burst stay in order',
    run: async (stage) => {
      const [sub, pub] = [await stage.open('sub'), await stage.open('pub')];
      await subscribes(sub, 1, 'SUBSCRIBE', 'a');
      pub.raw(Array.from({ length: 100 }, (_, i) => `PUBLISH a ${i}\r\n`).join(''));
      await pub.receive(100);
      await sub.receive(100);
    },
  },
  {
    title: 'a subscription made in a transaction ends with its client, and is nobody else’s',
    run: async (stage) => {
      const sub = await stage.open('sub');
      await sub.do('MULTI');
      await sub.do('SET', 'x', '1');
      await sub.do('SUBSCRIBE', 'left');
      await sub.exec('set');
      await stage.admin('PUBLISH', 'left', 'heard');
      await sub.receive();
      await sub.close();
      await stage.until('pubsub_channels:0');
      const next = await stage.open('next');
      await next.do('MULTI');
      await stage.admin('PUBLISH', 'left', 'unheard');
      await next.do('GET', 'x');
      await next.exec('get');
    },
  },
];
