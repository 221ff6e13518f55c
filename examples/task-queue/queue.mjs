/**
 * A queue of tasks with priorities, kept in Redis. A worker has one task at a time.
 *
 *   tasks:last            the number of the last task
 *   tasks:task:<id>       hash: payload, priority, state, worker, attempts, result
 *   tasks:waiting         sorted set: ids by priority, 1 before 2, among equals the oldest first
 *   tasks:running         hash: worker -> id of its task
 *   tasks:alive:<worker>  a worker's heartbeat; once it has expired, the worker counts as dead
 *   tasks:done            list of ids
 *
 * Every script may be run twice with the effect of once, so whoever gets an error tries again.
 */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';

/** How long a worker may be silent before its task is given to another one. */
const LEASE_MS = 1_500;

/** How often a worker says that it is alive. */
export const BEAT_MS = 300;

const waiting = 'tasks:waiting';
const running = 'tasks:running';
const done = 'tasks:done';

export class TaskQueue {
  constructor(url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6380') {
    this.redis = new Redis(url);
    for (const name of ['take', 'finish', 'recover']) {
      const lua = readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8');
      this.redis.defineCommand(name, { numberOfKeys: 2, lua });
    }
  }

  /** Adds a task; returns its id. */
  async add(payload, priority) {
    const id = String(await this.redis.incr('tasks:last')).padStart(8, '0');
    const task = { payload: JSON.stringify(payload), priority, state: 'waiting' };
    await this.redis.multi().hset(`tasks:task:${id}`, task).zadd(waiting, priority, id).exec();
    return id;
  }

  /** The best task there is, now this worker's; null when there is none. */
  async take(worker) {
    const taken = await this.redis.take(waiting, running, worker);
    return taken && { id: taken[0], payload: JSON.parse(taken[1]) };
  }

  /** Marks the worker's task as done; false if it is not the worker's any more. */
  async finish(worker, id, result) {
    return (await this.redis.finish(running, done, worker, id, JSON.stringify(result))) === 1;
  }

  /** Says that the worker is alive. */
  async beat(worker) {
    await this.redis.set(`tasks:alive:${worker}`, '', 'PX', LEASE_MS);
  }

  /** Gives the tasks of dead workers to the others; returns their ids. */
  async recover() {
    return this.redis.recover(waiting, running);
  }

  async close() {
    await this.redis.quit();
  }
}
