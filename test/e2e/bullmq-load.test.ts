/** BullMQ under load through the sidecar: 2,000 jobs, several workers, none lost, none doubled. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Job } from 'bullmq';
import { eventually } from '../helpers/eventually.js';
import { JobBench } from './bullmq-jobs.js';
import { describeTargets } from './targets.js';

const JOBS = 2_000;
const WORKERS = 5;
const TIME_LIMIT_MS = 180_000;

describeTargets('BullMQ under load', (target) => {
  it(`processes ${JOBS} jobs exactly once each, added meanwhile`, async (t) => {
    const bench = new JobBench(t, target(), 'load');
    const stalled: string[] = [];
    for (let n = 0; n < WORKERS; n += 1) {
      const worker = bench.worker(workFor, { concurrency: 10 });
      worker.on('stalled', (id: string) => stalled.push(id));
    }
    const jobs = await addJobs(bench);
    await eventually(
      `all ${JOBS} jobs are completed`,
      async () => (await bench.queue.getJobCounts('completed'))['completed'] === JOBS,
      { withinMs: TIME_LIMIT_MS, everyMs: 50 },
    );
    assert.equal(new Set(jobs.map((job) => job.id)).size, JOBS);
    assert.deepEqual(bench.ledger.lostOf(jobs.map((job) => job.id)), []);
    assert.deepEqual(bench.ledger.doubled, []);
    assert.equal(bench.ledger.runs.size, JOBS);
    assert.deepEqual(stalled, []);
    const counts = await bench.queue.getJobCounts('wait', 'active', 'delayed', 'failed');
    assert.deepEqual(counts, { wait: 0, active: 0, delayed: 0, failed: 0 });
  });
});

/** One job in ten waits for something, as a job that calls another service does. */
async function workFor(job: Job): Promise<void> {
  if ((job.data as { n: number }).n % 10 === 0) await pause(5);
}

/** Half in bulk, half one by one and in parallel; some delayed, some with a priority. */
async function addJobs({ queue }: JobBench): Promise<Job[]> {
  const numbers = Array.from({ length: JOBS }, (_, n) => n);
  const options = (n: number) =>
    n % 7 === 0 ? { delay: n % 300 } : n % 5 === 0 ? { priority: 1 + (n % 3) } : {};
  const bulk = await queue.addBulk(
    numbers.slice(0, JOBS / 2).map((n) => ({ name: 'bulk', data: { n }, opts: options(n) })),
  );
  const single = await Promise.all(
    numbers.slice(JOBS / 2).map((n) => queue.add('single', { n }, options(n))),
  );
  return [...bulk, ...single];
}
