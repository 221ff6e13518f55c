/** What the kernel says of a process: its memory and its descriptors. Linux only, as the tests are. */
import { readdirSync, readFileSync } from 'node:fs';

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

export const MEGABYTE = 1024 * 1024;
