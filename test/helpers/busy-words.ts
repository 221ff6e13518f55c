/** What a server says while a script runs (Redis 7.0), and what the sidecar asks it until it does so no more. */
import assert from 'node:assert/strict';
import type { ProxyClient, TestProxy } from './test-proxy.js';

export const BUSY =
  '-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n';
/** To EXEC. */
export const BUSY_EXEC = `-EXECABORT Transaction discarded because of: ${BUSY.slice(1)}`;
/** To EXEC, when the script has ended since something queued was refused. */
export const SPOILED_EXEC = '-EXECABORT Transaction discarded because of previous errors.\r\n';

/** The script has ended: the sidecar asks, and hears so. */
export function endBusy(proxy: TestProxy, stream = proxy.lane): void {
  proxy.clock.advance(10);
  assert.deepEqual(stream.sentCommands(), ['PING']);
  stream.say('+PONG\r\n');
  proxy.clock.endTick();
}

/** What the client has received, with the long errors as `-BUSY|` and `-EXECABORT|`. */
export async function heard(client: ProxyClient): Promise<string> {
  return (await client.received()).replaceAll(/-([A-Z]+) [^|]*\|/g, '-$1|');
}

/** The script runs on for so long; whoever asks hears so. */
export function stayBusy(proxy: TestProxy, ms: number): void {
  for (let left = ms; left > 0; left -= 1) {
    proxy.clock.advance(1);
    if (proxy.lane.sent().includes('PING')) proxy.lane.say(BUSY);
  }
}
