/** Where redis-py is: it belongs to Debian's Python, which need not be first on PATH (scripts/prepare.mjs installs it). */
import { run } from './child-process.js';

const INTERPRETERS = ['/usr/bin/python3', 'python3'];

/** A Python that can `import redis`; rejects if there is none. */
export async function redisPyInterpreter(): Promise<string> {
  for (const file of INTERPRETERS) {
    const { code } = await run(file, ['-c', 'import redis']).catch(() => ({ code: 1 }));
    if (code === 0) return file;
  }
  throw new Error('no python3 has redis-py (Debian package python3-redis)');
}
