/**
 * What the machine grants a configuration, for `respool check`: where it would listen, where the journal would be, and how
 * many descriptors there are. Looks, and changes nothing; a sidecar may be running meanwhile.
 */
import * as fs from 'node:fs';
import { dirname, resolve } from 'node:path';
import { formatAddress, isLocal, type ListenAddress } from '../config/addresses.js';
import type { Config } from '../config/config.js';
import { whyNotListen } from '../downstream/listener.js';
import { isLocked } from '../journal/lock.js';

/** An address to listen on. */
export interface Place {
  readonly address: string;
  /** Only this machine can connect. */
  readonly isLocal: boolean;
  readonly isUnix: boolean;
  /** Why nobody could listen there now; null: it can be done. */
  readonly problem: string | null;
}

/** A directory for the journal, or the one in which it would be made. */
export interface JournalPlace {
  readonly directory: string;
  /** Why no files can be made in it; null: they can. */
  readonly problem: string | null;
  /** For this user. */
  readonly freeBytes: number | null;
  /** What keeps less than a disk does; null: nothing that is known. */
  readonly fileSystem: 'memory' | 'network' | 'container' | null;
  /** A sidecar that runs has it. */
  readonly isLocked: boolean;
}

export interface Surroundings {
  readonly listen: readonly Place[];
  readonly admin: Place | null;
  /** Null: the journal is in memory, or there is none. */
  readonly journal: JournalPlace | null;
  /** Null where the system does not tell. */
  readonly maxDescriptors: number | null;
}

export async function lookAround(config: Config): Promise<Surroundings> {
  const { directory } = config.journal;
  const hasJournal = directory !== null && config.upstream.kind !== 'embedded';
  return {
    listen: await Promise.all(config.listen.map(placeOf)),
    admin: config.admin === null ? null : await placeOf(config.admin),
    journal: hasJournal ? await journalPlaceOf(directory) : null,
    maxDescriptors: maxDescriptors(),
  };
}

async function placeOf(address: ListenAddress): Promise<Place> {
  return {
    address: formatAddress(address),
    isLocal: isLocal(address),
    isUnix: address.kind === 'unix',
    problem: await whyNotListen(address),
  };
}

async function journalPlaceOf(directory: string): Promise<JournalPlace> {
  const there = nearestThere(resolve(directory));
  try {
    if (!fs.statSync(there).isDirectory()) throw new Error(`${there} is not a directory`);
    fs.accessSync(there, fs.constants.W_OK | fs.constants.X_OK);
    const { type, bavail, bsize } = fs.statfsSync(there);
    return {
      directory,
      problem: null,
      freeBytes: bavail * bsize,
      fileSystem: FILE_SYSTEMS.get(type) ?? null,
      isLocked: there === resolve(directory) && (await isLocked(there)),
    };
  } catch (error) {
    const problem = (error as Error).message;
    return { directory, problem, freeBytes: null, fileSystem: null, isLocked: false };
  }
}

/** The closest directory above that exists: where the others would be made. */
function nearestThere(path: string): string {
  let there = path;
  while (!fs.existsSync(there) && there !== dirname(there)) there = dirname(there);
  return there;
}

/** The magic numbers of statfs(2). */
const FILE_SYSTEMS: ReadonlyMap<number, JournalPlace['fileSystem']> = new Map([
  [0x01021994, 'memory'],
  [0x858458f6, 'memory'],
  [0x6969, 'network'],
  [0xff534d42, 'network'],
  [0xfe534d42, 'network'],
  [0x00c36400, 'network'],
  [0x794c7630, 'container'],
]);

/** The hard limit: Node raises the soft one to it when it starts. */
function maxDescriptors(): number | null {
  try {
    const limits = fs.readFileSync('/proc/self/limits', 'latin1');
    const [, hard] = /^Max open files +\d+ +(\d+)/m.exec(limits) ?? [];
    return hard === undefined ? null : Number(hard);
  } catch {
    return null;
  }
}
