/** What a process may do, as Linux tells it in /proc: for tests of containers and units. */
import { readFileSync, writeFileSync } from 'node:fs';

export interface ProcessRights {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly mayGainPrivileges: boolean;
  /** Effective, permitted and bounding capabilities, each as a bit mask. */
  readonly capabilities: readonly bigint[];
}

export function rightsOf(pid: number): ProcessRights {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const field = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
  const numbers = (name: string): number[] => field(name).split(/\s+/).filter(Boolean).map(Number);
  return {
    uid: numbers('Uid')[1] ?? -1,
    gid: numbers('Gid')[1] ?? -1,
    groups: numbers('Groups'),
    mayGainPrivileges: field('NoNewPrivs') !== '1',
    capabilities: ['CapEff', 'CapPrm', 'CapBnd'].map((name) => BigInt(`0x${field(name)}`)),
  };
}

/** The error code of root writing a file where the process sees `path`; null when that is possible. */
export function writeErrorIn(pid: number, path: string): string | null {
  try {
    writeFileSync(`/proc/${pid}/root${path}`, '');
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  }
}
