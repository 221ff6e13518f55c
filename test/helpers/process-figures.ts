/** What the kernel says of a process: its memory and its descriptors. Linux only, as the tests are. */
import { readdirSync, readFileSync } from 'node:fs';
import { eventually } from './eventually.js';

/** Resident memory in bytes; `peak` is the most it ever was. */
export function residentBytes(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kilobytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN);
  return { now: kilobytes('VmRSS') * 1024, peak: kilobytes('VmHWM') * 1024 };
}

/** Open descriptors: files, sockets and whatever else. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits until the process has at most `count` descriptors (it may close sockets a little later than we do). */
export async function descriptorsReturnTo(pid: number, count: number): Promise<void> {
  const descriptors = (): number => openDescriptors(pid);
  await eventually('descriptors are given back', () => descriptors() <= count).catch(
    (error: unknown) => {
      throw new Error(`${descriptors()} descriptors are open, ${count} were`, { cause: error });
    },
  );
}

export const MEGABYTE = 1024 * 1024;
