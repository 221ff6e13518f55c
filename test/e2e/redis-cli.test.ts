/** redis-cli through the sidecar: single commands in every output format and way to connect. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { temporaryDirectory, type Cleanup } from '../helpers/child-process.js';
import { connectRaw } from '../helpers/raw-client.js';
import { cli, cliResult } from './redis-cli.js';
import { describeTargets, type Target } from './targets.js';

describeTargets('redis-cli', (target) => {
  it('runs plain commands, in RESP2 and in RESP3', async () => {
    assert.equal(await cli(target(), ['SET', 'plain', 'two words']), 'OK');
    assert.equal(await cli(target(), ['GET', 'plain']), 'two words');
    assert.equal(await cli(target(), ['HSET', 'hash', 'field', '1']), '1');
    assert.equal(await cli(target(), ['-2', '--no-raw', 'HGETALL', 'hash']), '1) "field"\n2) "1"');
    assert.equal(await cli(target(), ['-3', '--no-raw', 'HGETALL', 'hash']), '1# "field" => "1"');
    assert.equal(await cli(target(), ['-3', '--no-raw', 'GET', 'none']), '(nil)');
    assert.equal(
      await cli(target(), ['-3', '--no-raw', 'EVAL', 'return {double=1.5}', '0']),
      '(double) 1.5',
    );
  });

  it('says errors in the words of Redis and exits with 1 on -e', async () => {
    await cli(target(), ['SET', 'text', 'abc']);
    const wrong = await cliResult(target(), ['-e', 'INCR', 'text']);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /ERR value is not an integer or out of range/);
    assert.match(await cli(target(), ['LPUSH', 'text', 'x']), /^WRONGTYPE Operation against a key/);
    assert.match(await cli(target(), ['GET']), /^ERR wrong number of arguments for 'get' command/);
    assert.match(
      await cli(target(), ['NOSUCHCOMMAND', 'x']),
      /^ERR unknown command 'NOSUCHCOMMAND'/,
    );
  });

  it('selects a database with -n', async () => {
    await cli(target(), ['-n', '2', 'SET', 'in-two', 'x']);
    assert.equal(await cli(target(), ['-n', '2', 'GET', 'in-two']), 'x');
    assert.equal(await cli(target(), ['--no-raw', 'GET', 'in-two']), '(nil)');
    const beyond = await cliResult(target(), ['-n', '99', 'PING']);
    assert.match(beyond.stdout + beyond.stderr, /DB index is out of range/);
  });

  it('repeats with -r and -i', async () => {
    assert.equal(await cli(target(), ['-r', '3', '-i', '0.02', 'INCR', 'counter']), '1\n2\n3');
  });

  it('formats as CSV, JSON, typed and with delimiters', async () => {
    await cli(target(), ['RPUSH', 'list', 'a', 'b "quoted"']);
    await cli(target(), ['HSET', 'json', 'f', 'v']);
    const range = ['LRANGE', 'list', '0', '-1'];
    assert.equal(await cli(target(), ['--csv', ...range]), '"a","b \\"quoted\\""');
    assert.equal(await cli(target(), ['--json', 'HGETALL', 'json']), '{"f":"v"}');
    assert.equal(await cli(target(), ['--quoted-json', 'LINDEX', 'list', '0']), '"a"');
    assert.equal(await cli(target(), ['--no-raw', ...range]), '1) "a"\n2) "b \\"quoted\\""');
    assert.equal(await cli(target(), ['-d', '|', ...range]), 'a|b "quoted"');
    assert.equal(await cli(target(), ['--no-raw', 'LLEN', 'list']), '(integer) 2');
  });

  it('takes an argument from stdin with -x and -X, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, code) => code));
    await cli(target(), ['-x', 'SET', 'binary'], bytes);
    assert.equal(await cli(target(), ['STRLEN', 'binary']), '256');
    assert.equal(
      await cli(target(), ['--quoted-input', 'GETRANGE', '"\\x62inary"', '65', '67']),
      'ABC',
    );
    await cli(target(), ['-X', 'tag', 'SET', 'tagged', 'tag', 'GET'], 'from stdin');
    assert.equal(await cli(target(), ['GET', 'tagged']), 'from stdin');
  });

  it('reads commands from stdin, transactions and SELECT included', async () => {
    const script = ['SELECT 3', 'MULTI', 'INCR n', 'INCR n', 'EXEC', 'GET n', 'SELECT 0', 'GET n'];
    const answer = await cli(target(), [], `${script.join('\n')}\n`);
    assert.deepEqual(answer.split('\n'), ['OK', 'OK', 'QUEUED', 'QUEUED', '1', '2', '2', 'OK', '']);
  });

  it('authenticates as an ACL user and gets only that user’s rights', async () => {
    await cli(target(), ['ACL', 'SETUSER', 'limited', 'on', '>secret', '~mine:*', '+@all']);
    const asLimited = ['--no-auth-warning', '--user', 'limited', '--pass', 'secret'];
    assert.equal(await cli(target(), [...asLimited, 'SET', 'mine:1', 'x']), 'OK');
    assert.equal(await cli(target(), [...asLimited, 'ACL', 'WHOAMI']), 'limited');
    assert.match(await cli(target(), [...asLimited, 'SET', 'yours', 'x']), /^NOPERM/);
    assert.equal(await cli(target(), ['SET', 'yours', 'x']), 'OK');
    const wrong = await cliResult(target(), [
      '--no-auth-warning',
      '--user',
      'limited',
      '-a',
      'no',
      'PING',
    ]);
    assert.match(wrong.stdout + wrong.stderr, /WRONGPASS invalid username-password pair/);
  });

  it('connects by URI, with user, password and database', async () => {
    const { host, port } = target();
    await cli(target(), ['ACL', 'SETUSER', 'uri', 'on', '>secret', '~*', '+@all']);
    const uri = `redis://uri:secret@${host}:${port}/4`;
    assert.equal(await cli(target(), ['--no-auth-warning', '-u', uri, 'SET', 'by-uri', '1']), 'OK');
    assert.equal(await cli(target(), ['-n', '4', 'GET', 'by-uri']), '1');
  });

  it('runs a script file with --eval', async (t) => {
    const file = scriptFile(t, "return {KEYS[1], ARGV[1], redis.call('SET', KEYS[1], ARGV[1])}");
    const answer = await cli(target(), ['--eval', file, 'from-script', ',', 'value']);
    assert.equal(answer, 'from-script\nvalue\nOK');
    assert.equal(await cli(target(), ['GET', 'from-script']), 'value');
  });

  it('understands inline commands with quotes, as typed into a terminal', async () => {
    assert.deepEqual(await inline(target(), 'PING\r\n', 1), ['+PONG\r\n']);
    assert.deepEqual(await inline(target(), '\r\n\n  PING  \n', 1), ['+PONG\r\n']);
    assert.deepEqual(await inline(target(), 'SET inline "a\\x00\\n b"\nSTRLEN inline\n', 2), [
      '+OK\r\n',
      ':5\r\n',
    ]);
    assert.deepEqual(await inline(target(), "ECHO 'it\\'s'\r\nPING\r\n", 2), [
      "$4\r\nit's\r\n",
      '+PONG\r\n',
    ]);
  });
});

async function inline(target: Target, bytes: string, replies: number): Promise<string[]> {
  const client = await connectRaw(target.port);
  client.write(bytes);
  const frames = await client.readFrames(replies);
  await client.close();
  return frames.map((frame) => frame.toString('latin1'));
}

function scriptFile(t: Cleanup, source: string): string {
  const file = join(temporaryDirectory(t), 'script.lua');
  writeFileSync(file, source);
  return file;
}
