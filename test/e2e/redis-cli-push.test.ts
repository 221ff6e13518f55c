/** redis-cli in the modes in which the server speaks first: monitor, subscriptions, tracking. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { cli, RunningCli } from './redis-cli.js';
import { describeTargets, type Target } from './targets.js';

describeTargets('redis-cli pushes', (target) => {
  it('monitors what other clients do, in their order', async (t) => {
    const monitor = new RunningCli(t, target(), ['MONITOR']);
    await monitor.prints(/^OK/);
    await cli(target(), ['SET', 'seen', 'a "b"']);
    await cli(target(), ['-n', '3', 'GET', 'seen']);
    // Connections to the embedded engine have no address.
    await monitor.prints(
      /\d+\.\d+ \[0 [^\]]*\] "SET" "seen" "a \\"b\\""[^]*\d+\.\d+ \[3 [^\]]*\] "GET" "seen"/i,
    );
  });

  it('receives what is published to a channel, in RESP2 and in RESP3', async (t) => {
    for (const version of ['-2', '-3']) {
      const channel = `news${version}`;
      const subscriber = new RunningCli(t, target(), [
        version,
        '--csv',
        'SUBSCRIBE',
        channel,
        'other',
      ]);
      await subscriber.prints(/subscribe.*other.*2/);
      assert.equal(await publish(target(), channel, 'one'), 1);
      assert.equal(await publish(target(), channel, 'two'), 1);
      await subscriber.prints(
        new RegExp(`"message","${channel}","one"[^]*"message","${channel}","two"`),
      );
    }
  });

  it('receives what matches a pattern, and forgets its subscription when it leaves', async (t) => {
    const subscriber = new RunningCli(t, target(), ['--csv', 'PSUBSCRIBE', 'pattern:*']);
    await subscriber.prints(/psubscribe/);
    assert.equal(await publish(target(), 'pattern:x', 'matched'), 1);
    assert.equal(await publish(target(), 'nomatch', 'never'), 0);
    await subscriber.prints(/"pmessage","pattern:\*","pattern:x","matched"/);
    assert.ok(!subscriber.output().includes('never'));
    await subscriber.stop();
    await eventually('nobody listens any more', async () => {
      return (await publish(target(), 'pattern:x', 'gone')) === 0;
    });
  });

  it('receives what is published to a shard channel', async (t) => {
    const subscriber = new RunningCli(t, target(), ['--csv', 'SSUBSCRIBE', 'shard']);
    await subscriber.prints(/ssubscribe/);
    assert.equal(await cli(target(), ['SPUBLISH', 'shard', 'piece']), '1');
    await subscriber.prints(/"smessage","shard","piece"/);
  });

  it('waits in a blocking pop until somebody pushes', async (t) => {
    const waiting = new RunningCli(t, target(), ['BLPOP', 'awaited', '0']);
    await eventually('the pop waits', async () =>
      /blocked_clients:1/.test(await cli(target(), ['INFO', 'clients'])),
    );
    await cli(target(), ['RPUSH', 'awaited', 'arrived']);
    await waiting.prints(/awaited\narrived/);
  });

  it('is told of changed keys while it tracks them', async () => {
    const answer = await cli(
      target(),
      ['-3', '--show-pushes', 'yes'],
      'CLIENT TRACKING ON\nSET tracked 1\nGET tracked\nSET tracked 2\nPING\n',
    );
    assert.match(answer, /^OK\nOK\n1\nOK\ninvalidate\ntracked\nPONG$/);
  });
});

async function publish(target: Target, channel: string, message: string): Promise<number> {
  return Number(await cli(target, ['PUBLISH', channel, message]));
}
