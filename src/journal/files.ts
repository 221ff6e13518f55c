/**
 * The journal's port to the disk: everything that touches it goes through here, so that a journal can live in memory and
 * a test can fail any single call. Adapters: `disk-files`, `memory-files`. Names are those of files in the one directory
 * of the journal.
 */

/** An open file. Errors have the `code` of the system (ENOSPC, EIO …). */
export interface JournalFile {
  /** Writes at `position`. Resolves with the bytes written, which may be fewer without an error: the disk is full. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  /** Fills `into` from `position` on, at once. Returns the bytes read: fewer at the end of the file. */
  read(into: Uint8Array, position: number): number;
  /** The contents (and the size) are on the disk. Must not be tried again on a file where it failed. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** The size now. */
  sizeBytes(): number;
  /** False once the file has been removed from its directory: what is written to it will be gone. */
  isLinked(): boolean;
  close(): void;
}

/** A held lock. */
export interface JournalLock {
  /** False once the directory has been removed, or what marks the lock in it. */
  isHeld(): boolean;
  release(): void;
}

/** How an existing file is opened. */
export type OpenMode = 'read' | 'write';

/** The directory. What is created, renamed or removed is certain only after `syncDirectory`. */
export interface JournalFiles {
  /** For people and logs: the directory's path, or `memory`. */
  readonly description: string;
  /** False when nothing outlives the process. */
  readonly isDurable: boolean;
  /** Makes the directory if there is none, readable by its owner only. */
  prepare(): Promise<void>;
  /** Takes the directory for this process. Rejects with an Error for people when another sidecar has it. */
  lock(): Promise<JournalLock>;
  list(): string[];
  /** Makes an empty file, readable by its owner only. An older one of that name goes. */
  create(name: string): Promise<JournalFile>;
  open(name: string, mode: OpenMode): JournalFile;
  rename(from: string, to: string): Promise<void>;
  /** Does nothing when there is no such file. */
  remove(name: string): Promise<void>;
  syncDirectory(): Promise<void>;
}
