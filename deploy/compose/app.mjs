/**
 * The demo's application: an ordinary ioredis client that writes and reads ten times a second and says once a second
 * how that went. It knows nothing of Respool.
 */
import { Redis } from 'ioredis';

const redis = new Redis(process.env.REDIS_URL ?? 'redis://127.0.0.1:6380');
// Without a listener ioredis prints each failed attempt; what fails shows in the line of the second.
redis.on('error', () => {});

let round = 0;
let tally = {};

/** One round: a few things that applications do. Those that need the real data are refused in an outage. */
const TASKS = {
  write: () => redis.set(`demo:page:${round % 100}`, `round ${round}`, 'EX', 3600),
  read: () => redis.get(`demo:page:${round % 100}`),
  log: () => redis.xadd('demo:log', 'MAXLEN', '~', 1000, '*', 'round', round),
  count: () => redis.incr('demo:visits'),
};

async function attempt(name, task) {
  const startedAt = performance.now();
  const outcome = await task().then(
    () => 'ok',
    (error) => error.message.split(' ', 1)[0],
  );
  const key = `${name} ${outcome}`;
  const { times = 0, slowestMs = 0 } = tally[key] ?? {};
  const durationMs = performance.now() - startedAt;
  tally[key] = { times: times + 1, slowestMs: Math.max(slowestMs, durationMs) };
}

const working = setInterval(() => {
  round += 1;
  for (const [name, task] of Object.entries(TASKS)) void attempt(name, task);
}, 100);

const reporting = setInterval(() => {
  const parts = Object.entries(tally)
    .sort()
    .map(([key, { times, slowestMs }]) => `${key} ${times} (${slowestMs.toFixed(0)} ms)`);
  console.log(`${new Date().toISOString().slice(11, 19)}  ${parts.join(' · ')}`);
  tally = {};
}, 1000);

process.once('SIGTERM', () => {
  clearInterval(working);
  clearInterval(reporting);
  redis.disconnect();
});
