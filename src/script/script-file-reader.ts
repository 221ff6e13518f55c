/**
 * Reads `scripts.resp`, whatever has happened to it. A frame that cannot be understood (a torn tail, flipped bytes) is
 * skipped, up to the next place that looks like the beginning of one. A damaged source does no harm: its sha1 is taken
 * anew, and is one that no client asks for.
 */
import type { FileHandle } from 'node:fs/promises';
import { splitArguments } from '../resp/arguments.js';
import { COMMAND, NEED_MORE, RequestFramer } from '../resp/request-framer.js';

/** With what every command of the file begins. */
const START = Buffer.from('*3\r\n$6\r\nSCRIPT\r\n$');
const CR = 13;
const LF = 10;
const READ_BYTES = 1024 * 1024;
/** A length beyond this is damage: no client's command with so long a script was looked into. */
const MAX_SOURCE_BYTES = 64 * 1024 * 1024;

/** Is told what the file says, in its order. The sources are views that are valid during the call. */
export interface ScriptFileContents {
  loaded(source: Buffer): void;
  forgotten(sha: string): void;
}

/** Reads from the file's beginning. Resolves with how many bytes were no whole command; rejects when the disk fails. */
export async function readScriptFile(
  file: FileHandle,
  contents: ScriptFileContents,
): Promise<number> {
  const reader = new Reader(contents);
  const chunk = Buffer.allocUnsafeSlow(READ_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  // Not to where reading ends: a device has no such place.
  const { size } = await file.stat();
  for (let position = 0; position < size;) {
    const { bytesRead } = await file.read(chunk, 0, READ_BYTES, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
    rest = bytes.subarray(reader.take(bytes));
  }
  reader.finish(rest);
  return reader.lostBytes;
}

class Reader {
  lostBytes = 0;
  private readonly framer = new RequestFramer(MAX_SOURCE_BYTES);

  constructor(private readonly contents: ScriptFileContents) {}

  /** Takes the commands that `bytes` begin with. Returns where the first one stands that is not whole. */
  take(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length) {
      const end = this.endOf(bytes, at);
      if (end === null) return at;
      if (end === DAMAGED) {
        at = this.nextStart(bytes, at);
      } else {
        this.tell(splitArguments(bytes.subarray(at, end)));
        at = end;
      }
    }
    return at;
  }

  /** Nothing comes behind `bytes`, in which a command was begun. */
  finish(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      at = this.nextStart(bytes, at);
      at += this.take(bytes.subarray(at));
    }
  }

  /** Where the command at `at` ends; null when more bytes could complete it. */
  private endOf(bytes: Buffer, at: number): number | null {
    const start = bytes.subarray(at, at + START.length);
    if (!start.equals(START.subarray(0, start.length))) return DAMAGED;
    this.framer.restart();
    const outcome = this.framer.next(bytes, at, bytes.length);
    if (outcome === NEED_MORE) return null;
    const end = this.framer.frameEnd;
    // The framer passes over what should be a line's end.
    const isWhole = outcome === COMMAND && bytes[end - 2] === CR && bytes[end - 1] === LF;
    return isWhole ? end : DAMAGED;
  }

  /** The next place behind `at` where a command may begin; what lies between is counted as lost. */
  private nextStart(bytes: Buffer, at: number): number {
    const found = bytes.indexOf(START, at + 1);
    const next = found === -1 ? Math.max(at + 1, bytes.length - START.length + 1) : found;
    const end = Math.min(next, bytes.length);
    this.lostBytes += end - at;
    return end;
  }

  private tell(args: readonly Buffer[]): void {
    const [, subcommand, argument] = args as [Buffer, Buffer, Buffer];
    if (subcommand.equals(LOAD)) this.contents.loaded(argument);
    else if (subcommand.equals(EXISTS)) this.contents.forgotten(argument.toString('latin1'));
  }
}

/** No place in a file. */
const DAMAGED = -1;
const LOAD = Buffer.from('LOAD');
const EXISTS = Buffer.from('EXISTS');
