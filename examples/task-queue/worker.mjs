/** Works until it is told to stop (Ctrl-C), and then finishes what it has begun. */
import { setTimeout as pause } from 'node:timers/promises';
import { BEAT_MS, TaskQueue } from './queue.mjs';

const queue = new TaskQueue();
const name = `worker-${process.pid}`;
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (stopping = true));

await again(() => queue.beat(name));
const heart = setInterval(() => void beat().catch(complain), BEAT_MS);
console.log(`${name} is ready`);

while (!stopping) {
  const task = await again(() => queue.take(name));
  if (task === null) {
    await pause(100);
    continue;
  }
  console.log(`${name} began ${task.id}`);
  const result = await work(task.payload);
  const isDone = await again(() => queue.finish(name, task.id, result));
  console.log(`${name} ${isDone ? 'finished' : 'was too late for'} ${task.id}`);
}
clearInterval(heart);
await queue.close();

/** What the tasks are about. If it throws, this process ends, and another worker gets the task. */
async function work({ text, takesMs }) {
  await pause(takesMs);
  return text.toUpperCase();
}

/** Every worker looks after the others: there is nobody else who could be away. */
async function beat() {
  await queue.beat(name);
  for (const id of await queue.recover()) console.log(`${name} recovered ${id}`);
}

/** Asks until there is an answer: Redis may be away for a while. */
async function again(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      complain(error);
      await pause(500);
    }
  }
}

function complain(error) {
  console.error(`${name}: ${error.message}`);
}
