/**
 * Time as the processes under test have had it. A machine that is shared, or has few cores, lets them wait for a core;
 * a deadline that is missed for that reason says nothing about the program. Linux counts that wait per thread
 * (/proc/<pid>/task/<tid>/schedstat, "time spent waiting on a runqueue"); here it is taken off, and so is the time for
 * which this process' own event loop was not there to look. On an idle machine this is the monotonic clock.
 */
import { readFileSync, readdirSync } from 'node:fs';

const SAMPLE_EVERY_MS = 25;
/** A tick that comes so late was held up by our own event loop. */
const STALL_FROM_MS = 10;

const watched = new Map<number, ThreadWaits>();
let lostMs = 0;
let sampledAt = 0;
let timer: NodeJS.Timeout | null = null;

/** Milliseconds, for differences only. */
export function machineNow(): number {
  return performance.now() - lostMs;
}

/** From now on what this process waits for a core is taken off; forgotten by itself when it has ended. */
export function watchProcess(pid: number): void {
  watched.set(pid, new ThreadWaits(pid));
  if (timer !== null) return;
  sampledAt = performance.now();
  timer = setInterval(sample, SAMPLE_EVERY_MS);
  timer.unref();
}

function sample(): void {
  const now = performance.now();
  const lateMs = now - sampledAt - SAMPLE_EVERY_MS;
  sampledAt = now;
  if (lateMs > STALL_FROM_MS) lostMs += lateMs;
  for (const [pid, waits] of watched) {
    const waitedMs = waits.sinceLast();
    if (waitedMs === null) watched.delete(pid);
    else lostMs += waitedMs;
  }
  if (watched.size > 0 || timer === null) return;
  clearInterval(timer);
  timer = null;
}

/** What the threads of one process have waited for a core. */
class ThreadWaits {
  #before = new Map<string, number>();

  constructor(private readonly pid: number) {
    this.sinceLast();
  }

  /** Milliseconds of the thread that waited longest since the last call; null when the process is gone. */
  sinceLast(): number | null {
    const now = new Map<string, number>();
    let longestNs = 0;
    try {
      for (const thread of readdirSync(`/proc/${this.pid}/task`)) {
        const waitedNs = waitOf(`/proc/${this.pid}/task/${thread}/schedstat`);
        now.set(thread, waitedNs);
        longestNs = Math.max(longestNs, waitedNs - (this.#before.get(thread) ?? waitedNs));
      }
    } catch {
      return null;
    }
    this.#before = now;
    return longestNs / 1e6;
  }
}

/** "running waiting slices", in nanoseconds; a thread that has just ended waits for nothing. */
function waitOf(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[1]);
  } catch {
    return 0;
  }
}
