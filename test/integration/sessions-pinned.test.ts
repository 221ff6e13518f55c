/** I7: a pinned connection comes back clean, whatever its last client did to it. */
import assert from 'node:assert/strict';
import { after, before, describe, it, test } from 'node:test';
import { Cleanups } from '../helpers/cleanups.js';
import { connectRaw, type RawClient } from '../helpers/raw-client.js';
import { connectMany } from '../helpers/many-clients.js';
import { parseClients, RedisView, type ClientFields } from '../helpers/redis-view.js';
import { startRedis, startSidecar, type RedisServer, type Sidecar } from '../helpers/servers.js';

/** A command that Redis refuses to queue. */
const MALFORMED = 'GET';

/** What a client may do to its connection; each line is sent and answered before the next one. */
const TRACES: Readonly<Record<string, readonly string[]>> = {
  'a name': ['CLIENT SETNAME dirty'],
  'a database': ['SELECT 7', 'CLIENT ID'],
  RESP3: ['HELLO 3'],
  'RESP3 with a name': ['HELLO 3 SETNAME dirty', 'CLIENT ID'],
  'another user': ['AUTH other secret', 'CLIENT ID'],
  tracking: ['HELLO 3', 'CLIENT TRACKING ON BCAST'],
  'tracking with NOLOOP': ['CLIENT ID', 'HELLO 3', 'CLIENT TRACKING ON OPTIN NOLOOP'],
  'CLIENT NO-EVICT': ['CLIENT NO-EVICT ON'],
  'a watch': ['WATCH a b c'],
  'a transaction': ['MULTI', 'SET never 1'],
  'a transaction in another database': ['MULTI', 'SELECT 5', 'SET never 1'],
  'an executed SELECT': ['MULTI', 'SELECT 5', 'EXEC'],
  'an executed name': ['MULTI', 'CLIENT SETNAME dirty', 'EXEC'],
  'a broken transaction': ['MULTI', MALFORMED],
  subscriptions: ['SUBSCRIBE channel'],
  'RESP3 subscriptions': ['HELLO 3', 'PSUBSCRIBE pattern*', 'SSUBSCRIBE shard'],
  'a monitor': ['MONITOR'],
  'what RESET leaves': ['HELLO 3', 'SELECT 4', 'CLIENT SETNAME dirty', 'MULTI', 'RESET'],
};

const COMPARED = ['name', 'flags', 'db', 'sub', 'psub', 'ssub', 'multi', 'user', 'redir', 'resp'];
const NEXT_CLIENTS = 5;

describe('I7: what one client left', () => {
  const cleanups = new Cleanups();
  let redis: RedisServer;
  let sidecar: Sidecar;
  let view: RedisView;
  before(async () => {
    redis = await startRedis(cleanups);
    sidecar = await startSidecar(cleanups, { upstream: redis.url });
    view = await RedisView.of(cleanups, redis.port);
    await view.ask('ACL', 'SETUSER', 'other', 'on', '>secret', '~*', '&*', '+@all');
  });
  after(() => cleanups.run());

  for (const [trace, lines] of Object.entries(TRACES)) {
    it(`${trace}: is not there for the next`, async (t) => {
      await view.ask('FLUSHALL');
      const direct = await connectRaw(redis.port);
      const fresh = await ownFields(direct);
      await direct.close();
      const dirty = await connectRaw(sidecar.port);
      for (const line of lines) {
        const reply = await dirty.ask(...line.split(' '));
        if (line !== MALFORMED) assert.doesNotMatch(reply, /^-/);
      }
      await dirty.close();

      // All at the same time: one of them gets the connection that was used, if it is used again.
      for (const client of await connectMany(t, sidecar.port, NEXT_CLIENTS)) {
        await isFresh(client, fresh);
      }
      assert.equal(await view.ask('GET', 'clean'), `$1\r\n${NEXT_CLIENTS}\r\n`);
      assert.equal(await view.ask('EXISTS', 'never'), ':0\r\n');
    });
  }
});

test('I7: two pinned clients at a time each keep their own state', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url });
  const clients = await connectMany(t, sidecar.port, 16);
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(
      clients.map(async (client, n) => {
        if (round === 0) {
          assert.equal(await client.ask('SELECT', n), '+OK\r\n');
          assert.equal(await client.ask('CLIENT', 'SETNAME', `client-${n}`), '+OK\r\n');
          if (n % 2 === 1) assert.match(await client.ask('HELLO', 3), /^%7/);
        }
        client.write('MULTI\r\nINCR rounds\r\nCLIENT GETNAME\r\nECHO x\r\nEXEC\r\n');
        const answer = String((await client.readFrames(5)).at(-1));
        assert.equal(
          answer,
          `*3\r\n:${round + 1}\r\n$${`client-${n}`.length}\r\nclient-${n}\r\n$1\r\nx\r\n`,
        );
        assert.equal(await client.ask('GET', 'none'), n % 2 === 1 ? '_\r\n' : '$-1\r\n');
      }),
    );
  }
});

async function isFresh(client: RawClient, fresh: ClientFields): Promise<void> {
  assert.equal(await client.ask('CLIENT', 'GETNAME'), '$-1\r\n');
  assert.deepEqual(await ownFields(client), fresh);
  assert.equal(await client.ask('CLIENT', 'GETREDIR'), ':-1\r\n');
  client.write('MULTI\r\nINCR clean\r\nEXEC\r\n');
  const replies = String(Buffer.concat(await client.readFrames(3)));
  assert.match(replies, /^\+OK\r\n\+QUEUED\r\n\*1\r\n:\d\r\n$/);
  await client.expectSilence(5);
}

/** What Redis says of the client's own connection, without what differs from connection to connection. */
async function ownFields(client: RawClient): Promise<ClientFields> {
  const [fields = {}] = parseClients(await client.ask('CLIENT', 'INFO'));
  return Object.fromEntries(COMPARED.map((name) => [name, fields[name] ?? 'missing']));
}
