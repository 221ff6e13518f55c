/**
 * A disk that is full soon. Where this process may mount (root), a small tmpfs; elsewhere whoever uses it limits the
 * size of files instead (`prlimit --fsize`), which also makes writes come back short.
 */
import { spawnSync } from 'node:child_process';
import { removeDirectory, temporaryDirectory, type Cleanup } from './child-process.js';

/** A directory on a file system of its own with so many bytes, or null where mounting is not allowed; `t` unmounts it. */
export function mountSmallDisk(t: Cleanup, sizeBytes: number): string | null {
  const directory = temporaryDirectory(null, 'respool-small-disk-');
  const size = `size=${sizeBytes},mode=0777`;
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', directory]);
  t?.after(() => {
    // Lazily: a process that is about to end may still use it.
    if (status === 0) spawnSync('umount', ['-l', directory]);
    removeDirectory(directory);
  });
  if (status !== 0) return null;
  return directory;
}
