/** Who is let in: the number of clients and the password, in Redis' own words, compared with Redis. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryDirectory } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { connectMany } from '../helpers/many-clients.js';
import { connectRaw } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';
import { assertAlike, Talk } from '../helpers/talk.js';

const SILENCE_MS = 300;

test('one client more than --max-clients is told so and hung up on; when one leaves, the next is let in', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: ['--max-clients', '3'] });
  const clients = await connectMany(t, sidecar.port, 3);
  for (const client of clients) assert.equal(await client.ask('PING'), '+PONG\r\n');
  for (let round = 0; round < 20; round += 1) {
    const surplus = await connectRaw(sidecar.port);
    assert.equal(String(await surplus.readUntilClose()), '-ERR max number of clients reached\r\n');
  }
  for (const client of clients) assert.equal(await client.ask('PING'), '+PONG\r\n');
  await clients[0]?.close();
  await eventually('somebody is let in', async () => {
    const next = await connectRaw(sidecar.port);
    return (await next.ask('PING')) === '+PONG\r\n';
  });
});

const SECRET = 'correct horse';

/**
 * What strangers may say, one connection each; the whole conversation is compared. A command that Redis does not know, or
 * with the wrong number of arguments, is left out: see docs/what-clients-notice.md.
 */
const CONVERSATIONS: readonly string[] = [
  'GET k\r\nQUIT\r\n',
  'PING\r\nPING x\r\nQUIT\r\n',
  'SUBSCRIBE c\r\nMULTI\r\nEXEC\r\nWATCH k\r\nQUIT\r\n',
  'CLIENT SETNAME x\r\nSELECT 1\r\nCOMMAND COUNT\r\nQUIT\r\n',
  'AUTH wrong\r\nGET k\r\nQUIT\r\n',
  'AUTH default wrong\r\nAUTH nobody x\r\nQUIT\r\n',
  'AUTH\r\nAUTH a b c\r\nQUIT\r\n',
  `AUTH "${SECRET}"\r\nSET k v\r\nGET k\r\nQUIT\r\n`,
  `AUTH default "${SECRET}"\r\nACL WHOAMI\r\nQUIT\r\n`,
  `AUTH "${SECRET}"\r\nAUTH wrong\r\nGET k\r\nQUIT\r\n`,
  `AUTH "${SECRET}"\r\nRESET\r\nGET k\r\nQUIT\r\n`,
  'HELLO 3\r\nGET k\r\nQUIT\r\n',
  'HELLO 4\r\nQUIT\r\n',
  'HELLO 3 AUTH default wrong\r\nGET k\r\nQUIT\r\n',
  `HELLO 3 AUTH default "${SECRET}"\r\nGET none\r\nQUIT\r\n`,
  'RESET\r\nQUIT\r\n',
  '*11\r\n$4\r\nPING\r\n',
  '*10\r\n$16384\r\n',
  '*2\r\n$4\r\nECHO\r\n$16385\r\n',
  '*1\r\n$4\r\nQUIT\r\n',
  'QUIT\r\n',
  '*x\r\n',
  'POST / HTTP/1.1\r\nHost: x\r\n\r\n',
];

test('before AUTH a stranger gets exactly what Redis gives', async (t) => {
  const directory = temporaryDirectory(t);
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, `${SECRET}\n`);
  const guarded = await startRedis(t, { args: ['--requirepass', SECRET] });
  const open = await startRedis(t);
  const sidecar = await startSidecar(t, {
    upstream: open.url,
    args: ['--requirepass-file', passwordFile],
  });
  const talks = await Promise.all(
    CONVERSATIONS.map(async (said) => {
      const both = [Talk.begin(sidecar.port, said), Talk.begin(guarded.port, said)] as const;
      return [said, ...(await Promise.all(both))] as const;
    }),
  );
  // Whoever says too much has time for it.
  await pause(SILENCE_MS);
  await Promise.all(
    talks.map(([said, actual, expected]) => assertAlike(actual, expected, said, withoutVariety)),
  );
  assert.ok(!sidecar.output().includes(SECRET));
});

/** Two things differ from connection to connection, and from Redis 7.0 to 7.2. */
function withoutVariety(answer: string): string {
  return answer.replace(/(\bid\r\n:)\d+/, '$1<id>').replace('HELLO <proto> AUTH', 'HELLO AUTH');
}
