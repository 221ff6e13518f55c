/** Adds tasks: `node producer.mjs 100`. */
import { TaskQueue } from './queue.mjs';

const count = Number(process.argv[2] ?? 20);
const queue = new TaskQueue();

for (let n = 1; n <= count; n += 1) {
  const priority = 1 + Math.floor(Math.random() * 3);
  const id = await queue.add({ text: `task ${n} of ${count}`, takesMs: 30 }, priority);
  console.log(`added ${id}, priority ${priority}`);
}
await queue.close();
