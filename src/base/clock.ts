/** Time as it is passed in. Durations come from a clock that cannot be stepped; only logs and records see wall time. */
export interface Clock {
  /** Milliseconds from an arbitrary start, monotonic. For durations and deadlines. */
  now(): number;
  /** Milliseconds since the epoch. For people and files, never for deadlines. */
  wallMs(): number;
  /** Runs `task` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, task: () => void): Timer;
  /** Runs `task` every `periodMs` until cancelled. The timer does not keep the process alive. */
  every(periodMs: number, task: () => void): Timer;
  /** Runs `task` once this turn of the event loop has read all that was ready: the moment to write once. */
  endOfTick(task: () => void): void;
}

export interface Timer {
  cancel(): void;
}

/** Node fires a longer timer at once (BLPOP with a timeout of 25 days would be over in a millisecond). */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, task) {
    let handle: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const next = leftMs > MAX_TIMER_MS ? () => wait(leftMs - MAX_TIMER_MS) : task;
      handle = setTimeout(next, Math.min(leftMs, MAX_TIMER_MS));
      handle.unref();
    };
    wait(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  every(periodMs, task) {
    const handle = setInterval(task, periodMs);
    handle.unref();
    return { cancel: () => clearInterval(handle) };
  },
  endOfTick(task) {
    setImmediate(task);
  },
};
