import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionEffect } from '../../src/command/table.js';
import { QueuedSettingsReceiver, type QueuedSetting } from '../../src/proxy/queued-settings.js';
import { everySplit } from '../helpers/fuzz.js';
import { RecordingReceiver } from '../helpers/recording-receiver.js';

function setting(index: number, effect: SessionEffect): QueuedSetting {
  return { index, effect, args: [] };
}

interface Stage {
  readonly receiver: QueuedSettingsReceiver;
  readonly owner: RecordingReceiver;
  /** `select: +OK`, `lost`. */
  readonly told: string[];
}

function stage(...settings: QueuedSetting[]): Stage {
  const owner = new RecordingReceiver();
  const told: string[] = [];
  const receiver = new QueuedSettingsReceiver(owner, settings, {
    confirm: (effect, _args, reply) => told.push(`${effect}: ${reply.toString('latin1', 0, 1)}`),
    lost: () => told.push('lost'),
  });
  return { receiver, owner, told };
}

test('what became of each setting is found among the results, wherever the bytes are cut', () => {
  const reply =
    '*6\r\n*2\r\n+OK\r\n:1\r\n+OK\r\n$3\r\n+OK\r\n-ERR no\r\n%1\r\n+a\r\n+OK\r\n+OK\r\n';
  for (const chunks of everySplit(Buffer.from(reply))) {
    const settings = [setting(1, 'select'), setting(3, 'name'), setting(5, 'select')];
    const { receiver, owner, told } = stage(...settings);
    for (const [index, chunk] of chunks.entries())
      receiver.receive(chunk, 0, chunk.length, index === chunks.length - 1 ? 1 : 0);
    assert.deepEqual(told, ['select: +', 'name: -', 'select: +']);
    assert.deepEqual([owner.bytes, owner.replies], [reply, 1]);
  }
});

test('an EXEC that ran nothing has set nothing', () => {
  for (const reply of ['*-1\r\n', '_\r\n', '-EXECABORT Transaction discarded.\r\n', '*0\r\n']) {
    const { receiver, owner, told } = stage(setting(0, 'select'));
    receiver.receive(Buffer.from(reply), 0, reply.length, 1);
    assert.deepEqual(told, [], reply);
    assert.equal(owner.bytes, reply);
  }
});

test('a reply that is lost is told; one that nobody was asked for is not', () => {
  const { receiver, owner, told } = stage(setting(0, 'select'));
  receiver.refuse(1, new Error('never sent'), null);
  assert.deepEqual(told, []);
  receiver.lose(1, false, new Error('gone'), null);
  assert.deepEqual(told, ['lost']);
  assert.deepEqual(owner.events, ['refused 1', 'lost 1']);
});
