/**
 * A script that keeps a server busy for a while. It counts instead of looking at the clock, which
 * stands still inside scripts since Redis 7.2; how far it must count is measured first.
 */
import assert from 'node:assert/strict';
import type { RawClient } from './raw-client.js';

const PROBE_ITERATIONS = 1_000_000;
const PROBES = 3;

/** Lua source that spins for about `milliseconds` on the server behind `client` and returns 1. */
export async function busyScript(client: RawClient, milliseconds: number): Promise<string> {
  let fastestMs = Infinity;
  // A probe that was interrupted would make the script too short.
  for (let probe = 0; probe < PROBES; probe += 1) {
    const startedAt = performance.now();
    assert.equal(await client.ask('EVAL', spin(PROBE_ITERATIONS), 0), ':1\r\n');
    fastestMs = Math.min(fastestMs, performance.now() - startedAt);
  }
  return spin(Math.ceil((PROBE_ITERATIONS / fastestMs) * milliseconds));
}

function spin(iterations: number): string {
  return `local n = 0 for i = 1, ${iterations} do n = n + 1 end return 1`;
}
