/**
 * A program for tests: learns three scripts in each tick until it is killed, and prints the number of a tick when what it
 * learned is in the file.
 *
 *   node script-learner.js <path>
 */
import { statSync } from 'node:fs';
import { systemClock } from '../../src/base/clock.js';
import { silentLogger } from '../../src/base/logger.js';
import { encodeCommand } from '../../src/resp/encoder.js';
import { ScriptRegistry } from '../../src/script/registry.js';
import { ScriptFile } from '../../src/script/script-file.js';

const [path = ''] = process.argv.slice(2);
const registry = new ScriptRegistry({ maxBytes: 2 ** 24 });
await ScriptFile.open({ path, registry, clock: systemClock, logger: silentLogger });

let expectedBytes = 0;
for (let tick = 0; ; tick += 1) {
  for (const part of ['a', 'b', 'c']) {
    const source = Buffer.from(`return "${tick}${part}"`.padEnd(500, '-'));
    registry.learn(source);
    expectedBytes += encodeCommand(['SCRIPT', 'LOAD', source]).length;
  }
  do await new Promise((resolve) => setImmediate(resolve));
  while (statSync(path).size < expectedBytes);
  process.stdout.write(`${tick}\n`);
}
