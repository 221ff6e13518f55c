/**
 * A disk that is full soon. Where this process may mount (root), a small tmpfs; elsewhere whoever uses it limits the
 * size of files instead (`prlimit --fsize`), which also makes writes come back short.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cleanup } from './child-process.js';

/** A directory on a file system of its own with so many bytes, or null where mounting is not allowed; `t` unmounts it. */
export function mountSmallDisk(t: Cleanup, sizeBytes: number): string | null {
  const directory = mkdtempSync(join(tmpdir(), 'respool-small-disk-'));
  const size = `size=${sizeBytes},mode=0777`;
  const isMounted =
    spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', directory]).status === 0;
  const remove = (): void => {
    process.off('exit', remove);
    // Lazily: a process that is about to end may still use it.
    if (isMounted) spawnSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  };
  // Not a `temporaryDirectory`: a mounted one cannot be removed, whatever order they are cleaned up in.
  process.once('exit', remove);
  t?.after(remove);
  return isMounted ? directory : null;
}
