/** SIGSTOP, and the wait for it: a signal is sent long before every thread of the process has heard it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.js';

/** Stops a process; resolves when none of its threads runs any more. SIGCONT wakes it. */
export async function freezeProcess(pid: number): Promise<void> {
  assert.ok(pid > 0, 'it does not run');
  process.kill(pid, 'SIGSTOP');
  await eventually(`process ${pid} stands still`, () => isStopped(pid), { everyMs: 1 });
}

function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    // "pid (name) state …", and the name may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  });
}
