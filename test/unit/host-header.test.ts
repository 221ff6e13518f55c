import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isMeantForUs } from '../../src/metrics/host-header.js';

test('on loopback only addresses and localhost are answered, whatever name points here', () => {
  for (const listen of ['127.0.0.1', '::1', 'localhost']) {
    for (const host of ['127.0.0.1:9380', '127.0.0.1', '[::1]:9380', 'LOCALHOST:1', 'a.localhost'])
      assert.ok(isMeantForUs(listen, host), host);
    for (const host of [
      'evil.example:9380',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '',
    ])
      assert.ok(!isMeantForUs(listen, host), host);
    assert.ok(isMeantForUs(listen, undefined));
  }
});

test('where others may connect anyway, any name is answered', () => {
  for (const listen of ['0.0.0.0', '::', '10.0.0.7', 'pod.example'])
    assert.ok(isMeantForUs(listen, 'respool.monitoring.svc:9380'));
});
