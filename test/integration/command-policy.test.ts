/** Commands that the operator does not let pass get exactly one error in their place, whatever way they come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { OutageRedis } from '../helpers/outage-redis.js';
import { connectRaw, encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { startRedis, startSidecar } from '../helpers/servers.js';

const REFUSED =
  "-NOPERM this sidecar does not pass the command 'flushall' (option deny-commands)\r\n";
const DENY = ['--deny-commands', 'flushall,config|set'];

/** Sends `commands` in one write, each given as its words, and returns the replies joined. */
async function say(client: RawClient, ...commands: string[]): Promise<string> {
  client.write(Buffer.concat(commands.map((words) => encodeCommand(...words.split(' ')))));
  return Buffer.concat(await client.readFrames(commands.length)).toString('latin1');
}

test('a denied command is refused in its place, alone and in a pipeline, in any spelling', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: DENY });
  const client = await connectRaw(sidecar.port);
  assert.equal(await say(client, 'SET k v', 'FLUSHALL', 'GET k'), `+OK\r\n${REFUSED}$1\r\nv\r\n`);
  assert.equal(await say(client, 'FlushAll ASYNC'), REFUSED);
  client.write('flushall\r\n"FLUSH\\x41LL"\r\n');
  assert.equal(Buffer.concat(await client.readFrames(2)).toString(), REFUSED + REFUSED);
  assert.match(await say(client, 'CONFIG SET maxmemory 1'), /^-NOPERM .*'config\|set'/);
  assert.match(await say(client, 'CONFIG GET maxmemory'), /^\*2\r\n/);
  assert.match(await say(client, 'HELLO 3'), /^%/);
  assert.equal(await say(client, 'GET k', 'FLUSHALL'), `$1\r\nv\r\n${REFUSED}`);
  const { body } = await sidecar.admin('/metrics');
  assert.match(body, /^respool_commands_total\{command="flushall",route="refused"\} 5$/m);
});

test('in a transaction it is refused, and EXEC aborts', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: DENY });
  const client = await connectRaw(sidecar.port);
  const aborted = '-EXECABORT Transaction discarded because of previous errors.\r\n';
  for (const before of [[], ['WATCH w']]) {
    const answer = await say(client, ...before, 'MULTI', 'INCR n', 'FLUSHALL', 'INCR n', 'EXEC');
    const opened = '+OK\r\n'.repeat(before.length + 1);
    assert.equal(answer, `${opened}+QUEUED\r\n${REFUSED}+QUEUED\r\n${aborted}`);
  }
  assert.equal(await say(client, 'MULTI', 'FLUSHALL', 'DISCARD'), `+OK\r\n${REFUSED}+OK\r\n`);
  assert.equal(await say(client, 'EXISTS n'), ':0\r\n');
});

test('on a connection that a client keeps to itself it is refused too', async (t) => {
  const redis = await startRedis(t);
  const sidecar = await startSidecar(t, { upstream: redis.url, args: DENY });
  const client = await connectRaw(sidecar.port);
  assert.match(await say(client, 'HELLO 3'), /^%/);
  client.send('SUBSCRIBE', 'c');
  assert.match(String(await client.readFrame()), /subscribe/);
  const answer = await say(client, 'SET k v', 'FLUSHALL', 'GET k');
  assert.equal(answer, `+OK\r\n${REFUSED}$1\r\nv\r\n`);
  const multi = await say(client, 'MULTI', 'INCR n', 'FLUSHALL', 'EXEC');
  assert.match(multi, /^\+OK\r\n\+QUEUED\r\n-NOPERM [^\r]*flushall[^\r]*\r\n-EXECABORT /);
  const tracking = await connectRaw(sidecar.port);
  assert.match(await say(tracking, 'HELLO 3'), /^%/);
  assert.equal(await say(tracking, 'CLIENT TRACKING on', 'FLUSHALL'), `+OK\r\n${REFUSED}`);
});

test('in an outage it is refused for the same reason as ever', async (t) => {
  const redis = await OutageRedis.start(t, 'none', []);
  const sidecar = await startSidecar(t, {
    upstream: `redis://127.0.0.1:${redis.port}`,
    args: ['--deny-commands', 'flushall set', '--hold', '50ms'],
  });
  const client = await connectRaw(sidecar.port);
  await redis.kill();
  await eventually('the outage store answers', async () => {
    return (await say(client, 'RPUSH l x')).startsWith(':');
  });
  const set = REFUSED.replace('flushall', 'set');
  assert.equal(await say(client, 'FLUSHALL', 'SET k v', 'GET k'), `${REFUSED}${set}$-1\r\n`);
  const multi = await say(client, 'MULTI', 'RPUSH l y', 'SET k v', 'EXEC');
  assert.match(multi, /^\+OK\r\n\+QUEUED\r\n-NOPERM [^\r]*'set'[^\r]*\r\n-EXECABORT /);
});

test('with allow-commands only what is named passes, and what a connection needs', async (t) => {
  const redis = await startRedis(t);
  const args = ['--allow-commands', 'get set', '--deny-commands', 'respool|breaker'];
  const sidecar = await startSidecar(t, { upstream: redis.url, args });
  const client = await connectRaw(sidecar.port);
  assert.match(await say(client, 'HELLO 2', 'CLIENT SETNAME me'), /\+OK\r\n$/);
  assert.equal(await say(client, 'SET k v', 'GET k'), '+OK\r\n$1\r\nv\r\n');
  for (const words of [
    'DEL k',
    'EVAL return 0',
    'NOSUCH',
    'INFO',
    'SUBSCRIBE c',
    'RESPOOL BREAKER',
  ])
    assert.match(await say(client, words), /^-NOPERM this sidecar does not pass/, words);
  assert.equal(await say(client, 'MULTI', 'SET k w', 'EXEC'), '+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n');
});
