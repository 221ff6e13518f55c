/** BullMQ through the sidecar: each thing that a queue does, on a few jobs. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { eventually } from '../helpers/eventually.js';
import { JobBench } from './bullmq-jobs.js';
import { describeTargets } from './targets.js';

describeTargets('BullMQ', (target) => {
  it('hands a job’s data to the worker and its result back', async (t) => {
    const bench = new JobBench(t, target(), 'results');
    const events = await bench.events();
    bench.worker((job) => Promise.resolve((job.data as { n: number }).n * 2));
    const job = await bench.queue.add('double', { n: 21 });
    assert.equal(await job.waitUntilFinished(events, 30_000), 42);
    assert.equal(await job.getState(), 'completed');
  });

  it('holds a delayed job back until its time, in the order of the delays', async (t) => {
    const bench = new JobBench(t, target(), 'delays');
    const startedAt = performance.now();
    const late = await bench.queue.add('late', {}, { delay: 1_500 });
    await bench.queue.add('soon', {}, { delay: 700 });
    await bench.queue.add('now', {});
    assert.equal(await late.getState(), 'delayed');
    bench.worker();
    await eventually('three jobs', () => bench.ledger.order.length === 3);
    assert.deepEqual(bench.ledger.order, ['now', 'soon', 'late']);
    assert.ok(performance.now() - startedAt >= 1_490);
  });

  it('runs jobs by priority', async (t) => {
    const bench = new JobBench(t, target(), 'priorities');
    for (const priority of [5, 1, 3, 2, 4]) {
      await bench.queue.add(`p${priority}`, {}, { priority });
    }
    bench.worker();
    await eventually('five jobs', () => bench.ledger.order.length === 5);
    assert.deepEqual(bench.ledger.order, ['p1', 'p2', 'p3', 'p4', 'p5']);
  });

  it('repeats what a job scheduler asks for, until it is removed', async (t) => {
    const bench = new JobBench(t, target(), 'schedulers');
    bench.worker();
    await bench.queue.upsertJobScheduler('ticker', { every: 150 }, { name: 'tick', data: {} });
    await eventually('three ticks', () => bench.ledger.order.length >= 3);
    assert.equal((await bench.queue.getJobSchedulers()).length, 1);
    assert.equal(await bench.queue.removeJobScheduler('ticker'), true);
    assert.deepEqual(bench.ledger.doubled, []);
    assert.equal((await bench.queue.getJobSchedulers()).length, 0);
  });

  it('tries a failing job again and then keeps it as failed', async (t) => {
    const bench = new JobBench(t, target(), 'failures');
    let attempts = 0;
    const worker = bench.worker(() => {
      attempts += 1;
      return Promise.reject(new Error('not today'));
    });
    worker.on('error', () => undefined);
    const job = await bench.queue.add('fails', {}, { attempts: 3, backoff: 20 });
    await eventually('it has failed for good', async () => (await job.getState()) === 'failed');
    assert.equal(attempts, 3);
  });

  it('runs a flow’s children before their parent', async (t) => {
    const bench = new JobBench(t, target(), 'flows');
    bench.worker();
    const child = (n: number) => ({ name: 'child', queueName: 'flows', data: { n } });
    await bench.addFlow({ name: 'parent', queueName: 'flows', children: [child(1), child(2)] });
    await eventually('three jobs', () => bench.ledger.order.length === 3);
    assert.deepEqual(bench.ledger.order, ['child', 'child', 'parent']);
  });

  it('pauses and resumes, and limits the rate', async (t) => {
    const bench = new JobBench(t, target(), 'pauses');
    await bench.queue.pause();
    bench.worker(undefined, { limiter: { max: 2, duration: 200 } });
    const startedAt = performance.now();
    await bench.queue.addBulk(Array.from({ length: 5 }, (_, n) => ({ name: `j${n}`, data: {} })));
    assert.equal(await bench.queue.isPaused(), true);
    assert.equal(await bench.queue.getWaitingCount(), 5);
    assert.equal(bench.ledger.order.length, 0);
    await bench.queue.resume();
    await eventually('five jobs', () => bench.ledger.order.length === 5);
    assert.ok(performance.now() - startedAt >= 380, 'five jobs at two per 200 ms');
  });
});
