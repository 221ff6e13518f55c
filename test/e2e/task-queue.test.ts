/**
 * examples/task-queue as its users run it: several processes, of which one is killed in the middle
 * of a task and another one is frozen until its task was given away.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { Redis } from 'ioredis';
import { ManagedProcess, type Cleanup } from '../helpers/child-process.js';
import { eventually } from '../helpers/eventually.js';
import { freezeProcess } from '../helpers/freeze.js';
import { projectRoot } from '../helpers/project.js';
import { describeTargets } from './targets.js';

const DIRECTORY = join(projectRoot, 'examples', 'task-queue');
const TASKS_PER_PRODUCER = 100;
const TASKS = 2 * TASKS_PER_PRODUCER;
const WORKERS = 5;

describeTargets('the task queue', (target) => {
  it('does each task, and marks it as done once, though workers die and freeze', async (t) => {
    const redis = new Redis(target().url);
    t.after(() => redis.disconnect());
    const start = (...args: string[]): ManagedProcess => program(t, target().url, args);
    const workers = Array.from({ length: WORKERS }, () => start('worker.mjs'));
    const areReady = (): boolean => workers.every((worker) => worker.output().includes('is ready'));
    await eventually('the workers are ready', areReady, { withinMs: 60_000 });
    const producers = [1, 2].map(() => start('producer.mjs', String(TASKS_PER_PRODUCER)));
    const taskOf = (worker: ManagedProcess): Promise<string | null> =>
      redis.hget('tasks:running', `worker-${worker.pid}`);

    const [killed, frozen, ...others] = workers as [ManagedProcess, ManagedProcess];
    const dropped = await stopInTask(killed, taskOf);
    await killed.stop('SIGKILL');
    assert.equal(await taskOf(killed), dropped);
    const delayed = await stopInTask(frozen, taskOf);

    for (const producer of producers) assert.equal(await producer.exited(), 0, producer.output());
    const doneIds = (): Promise<string[]> => redis.lrange('tasks:done', 0, -1);
    await eventually('all tasks are done', async () => (await doneIds()).length >= TASKS, {
      withinMs: 60_000,
    });
    frozen.child.kill('SIGCONT');
    const late = `was too late for ${delayed}`;
    await eventually('the frozen worker says so', () => frozen.output().includes(late));

    const done = await doneIds();
    assert.deepEqual([done.length, new Set(done).size], [TASKS, TASKS]);
    for (const id of done) assert.equal(await redis.hget(`tasks:task:${id}`, 'state'), 'done');
    assert.equal(await redis.zcard('tasks:waiting'), 0);
    for (const id of [dropped, delayed]) {
      assert.ok(Number(await redis.hget(`tasks:task:${id}`, 'attempts')) >= 2, `task ${id}`);
    }

    for (const worker of [frozen, ...others]) assert.equal(await worker.stop(), 0, worker.output());
    assert.equal(await redis.hlen('tasks:running'), 0);
  });

  it('takes the best priority first, the oldest first among equals', async (t) => {
    const redis = new Redis(target().url);
    t.after(() => redis.disconnect());
    await redis.flushall();
    const producer = program(t, target().url, ['producer.mjs', '12']);
    assert.equal(await producer.exited(), 0, producer.output());
    const added = [...producer.output().matchAll(/^added (\d+), priority (\d)$/gm)];
    const best = added.map(([, id, priority]) => `${priority} ${id}`).sort();
    program(t, target().url, ['worker.mjs']);
    await eventually('all are done', async () => (await redis.llen('tasks:done')) === 12);
    const order = best.map((text) => text.slice(2));
    assert.deepEqual(await redis.lrange('tasks:done', 0, -1), order);
  });
});

/** One program of the example; ended when the test ends. */
function program(
  t: Exclude<Cleanup, null>,
  url: string,
  [file, ...args]: string[],
): ManagedProcess {
  const started = new ManagedProcess({
    file: process.execPath,
    args: [join(DIRECTORY, file ?? ''), ...args],
    cwd: projectRoot,
    env: { ...process.env, REDIS_URL: url },
  });
  t.after(async () => void (await started.stop('SIGKILL')));
  return started;
}

/** Freezes a worker that has a task; returns the task's id. */
async function stopInTask(
  worker: ManagedProcess,
  taskOf: (worker: ManagedProcess) => Promise<string | null>,
): Promise<string> {
  return eventually('a worker is in the middle of a task', async () => {
    await freezeProcess(worker.pid);
    const id = await taskOf(worker);
    if (id === null) worker.child.kill('SIGCONT');
    return id;
  });
}
