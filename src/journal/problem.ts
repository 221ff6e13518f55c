/** Why the journal does not take a record, or failed to keep one, in words for people and for programs. */

/** What has become of the records: certainly not in the journal, or perhaps found there by a later run of the sidecar. */
export type RecordOutcome = 'refused' | 'unknown';

export type JournalProblemCode =
  | 'full'
  | 'disk-full'
  | 'disk-failing'
  | 'directory-gone'
  | 'directory-taken'
  | 'read-only'
  | 'no-descriptors'
  | 'too-slow'
  | 'closed';

/** An operational error of the journal. The message is a clause: "the journal's disk is full (ENOSPC)". */
export class JournalProblem extends Error {
  constructor(
    readonly code: JournalProblemCode,
    message: string,
    readonly outcome: RecordOutcome = 'refused',
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** What a failed call of the disk means. `doing` tells which: "writing", "syncing". */
export function diskProblem(doing: string, cause: unknown): JournalProblem {
  if (cause instanceof JournalProblem) return cause;
  const reason = cause instanceof Error ? cause : new Error(String(cause));
  const code = 'code' in reason && typeof reason.code === 'string' ? reason.code : reason.message;
  const [kind, clause] = DISK_PROBLEMS[code] ?? ['disk-failing', "the journal's disk fails"];
  return new JournalProblem(kind, `${clause} (${doing}: ${code})`, 'refused', cause);
}

/** A write that took fewer bytes than it was given. */
export function shortWrite(written: number, wanted: number): JournalProblem {
  return new JournalProblem(
    'disk-full',
    `the journal's disk is full (writing: ${written} of ${wanted} bytes)`,
  );
}

/** The same problem, of records that a later run may find. */
export function withOutcome(problem: JournalProblem, outcome: RecordOutcome): JournalProblem {
  return new JournalProblem(problem.code, problem.message, outcome, problem.cause);
}

const DISK_PROBLEMS: Readonly<Record<string, readonly [JournalProblemCode, string]>> = {
  ENOSPC: ['disk-full', "the journal's disk is full"],
  EDQUOT: ['disk-full', "the journal's disk quota is used up"],
  EFBIG: ['disk-full', "the journal's file may not grow any more"],
  EROFS: ['read-only', "the journal's disk is read-only"],
  EACCES: ['read-only', "the journal's directory may not be written"],
  EPERM: ['read-only', "the journal's directory may not be written"],
  ENOENT: ['directory-gone', "the journal's directory is gone"],
  ENOTDIR: ['directory-gone', "the journal's directory is gone"],
  ESTALE: ['directory-gone', "the journal's directory is gone"],
  EMFILE: ['no-descriptors', 'the process has no file descriptors left'],
  ENFILE: ['no-descriptors', 'the system has no file descriptors left'],
};
