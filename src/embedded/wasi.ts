/**
 * The system as the engine sees it: WASI preview 1, reduced to what Valkey calls. There is a clock, randomness, a log
 * (standard output) and exactly the files that `EngineFiles` knows; every other import answers "not supported", which
 * Valkey handles as it handles any failing system call. Runs in the engine's worker thread.
 */
import type { EngineFiles } from './engine-files.js';
import type { EngineMemory } from './engine-memory.js';
import { webAssembly, type WasmFunction, type WasmModule } from './wasm-api.js';

/** WASI's error numbers, as far as they are returned. */
export const Errno = {
  success: 0,
  acces: 2,
  badf: 8,
  inval: 28,
  io: 29,
  noent: 44,
  nosys: 52,
} as const;

/** The engine asked to end the process it believes to be. Unwinds the WebAssembly stack. */
export class EngineExit extends Error {
  override readonly name = 'EngineExit';
  constructor(readonly code: number) {
    super(`the engine left with code ${code}`);
  }
}

/** What the shim needs from the outside. */
export interface WasiHost {
  readonly memory: EngineMemory;
  readonly files: EngineFiles;
  /** Milliseconds since the epoch, with fractions. */
  readonly wallMs: () => number;
  /** Milliseconds, monotonic, with fractions. */
  readonly monotonicMs: () => number;
  /** A line the engine logged, without its newline. */
  readonly log: (line: string) => void;
}

const ROOT_FD = 3;
const CLOCK_REALTIME = 0;
const FILETYPE = { directory: 3, characterDevice: 2, regularFile: 4 } as const;
const ALL_RIGHTS = 0x1fff_ffff;
const OPEN_CREATE = 1;
const OPEN_TRUNCATE = 8;

/** Builds the `wasi_snapshot_preview1` imports that `module` asks for. */
export function createWasi(module: WasmModule, host: WasiHost): Record<string, WasmFunction> {
  const known: Record<string, WasmFunction> = {
    ...processCalls(host),
    ...descriptorCalls(host),
    ...pathCalls(host),
  };
  const wanted = webAssembly.Module.imports(module).filter((wants) =>
    wants.module.startsWith('wasi_'),
  );
  return Object.fromEntries(wanted.map(({ name }) => [name, known[name] ?? (() => Errno.nosys)]));
}

function processCalls({ memory, wallMs, monotonicMs }: WasiHost): Record<string, WasmFunction> {
  return {
    environ_get: () => Errno.success,
    environ_sizes_get(countAt, bytesAt) {
      memory.words[countAt >>> 2] = 0;
      memory.words[bytesAt >>> 2] = 0;
      return Errno.success;
    },
    clock_time_get(clock, _precision, timeAt) {
      const milliseconds = clock === CLOCK_REALTIME ? wallMs() : monotonicMs();
      writeNanoseconds(memory.words, timeAt >>> 2, milliseconds);
      return Errno.success;
    },
    sched_yield: () => Errno.success,
    proc_exit(code) {
      throw new EngineExit(code);
    },
  };
}

/**
 * Writes a time as 64-bit nanoseconds into two words, exact to the microsecond. A double cannot hold today's
 * nanoseconds, and a BigInt would be an allocation per command.
 */
export function writeNanoseconds(words: Int32Array, index: number, milliseconds: number): void {
  const microseconds = Math.floor(milliseconds * 1000);
  const upper = Math.floor(microseconds / 0x40_0000) * 1000; // in units of 2^22 ns
  const low = (upper % 1024) * 0x40_0000 + (microseconds % 0x40_0000) * 1000;
  words[index] = low % 0x1_0000_0000;
  words[index + 1] = Math.floor(upper / 1024) + Math.floor(low / 0x1_0000_0000);
}

function descriptorCalls({ memory, files, log }: WasiHost): Record<string, WasmFunction> {
  const logger = lineSplitter(log);
  return {
    fd_prestat_get(fd, at) {
      if (fd !== ROOT_FD) return Errno.badf;
      memory.words[at >>> 2] = 0;
      memory.words[(at >>> 2) + 1] = 1; // length of "/"
      return Errno.success;
    },
    fd_prestat_dir_name(_fd, at) {
      memory.octets[at >>> 0] = 0x2f;
      return Errno.success;
    },
    fd_fdstat_get(fd, at) {
      memory.slice(at, 24).fill(0);
      memory.octets[at >>> 0] = fileType(fd);
      memory.setUint64(at + 8, 0, ALL_RIGHTS);
      memory.setUint64(at + 16, 0, ALL_RIGHTS);
      return Errno.success;
    },
    fd_fdstat_set_flags: () => Errno.success,
    fd_filestat_get(fd, at) {
      const sizeBytes = files.sizeBytes(fd);
      if (sizeBytes === null) return Errno.badf;
      memory.slice(at, 64).fill(0);
      memory.octets[(at >>> 0) + 16] = fileType(fd);
      memory.setUint64(at + 32, Math.floor(sizeBytes / 0x1_0000_0000), sizeBytes % 0x1_0000_0000);
      return Errno.success;
    },
    fd_write(fd, vectors, count, writtenAt) {
      return eachVector(memory, vectors, count, writtenAt, (bytes) => {
        if (fd > 2) return files.write(fd, bytes);
        logger(Buffer.from(bytes).toString('utf8'));
        return bytes.length;
      });
    },
    fd_read(fd, vectors, count, readAt) {
      return eachVector(memory, vectors, count, readAt, (bytes) => files.read(fd, bytes));
    },
    fd_seek(fd, offset, whence, positionAt) {
      const position = files.seek(fd, Number(offset), whence);
      if (position === null) return Errno.inval;
      memory.setUint64(positionAt, Math.floor(position / 0x1_0000_0000), position % 0x1_0000_0000);
      return Errno.success;
    },
    fd_sync: (fd) => (files.sync(fd) ? Errno.success : Errno.io),
    fd_close: (fd) => (files.close(fd) ? Errno.success : Errno.badf),
  };
}

function pathCalls({ memory, files }: WasiHost): Record<string, WasmFunction> {
  return {
    path_open(_root, _lookup, path, length, how, _rights, _inheriting, _flags, fdAt) {
      const create = (how & (OPEN_CREATE | OPEN_TRUNCATE)) !== 0;
      const fd = files.open(memory.text(path, length), create ? 'create' : 'read');
      if (fd === 'absent') return Errno.noent;
      if (fd === 'failed') return Errno.acces;
      memory.words[fdAt >>> 2] = fd;
      return Errno.success;
    },
    path_rename(_fromRoot, from, fromLength, _toRoot, to, toLength) {
      const renamed = files.rename(memory.text(from, fromLength), memory.text(to, toLength));
      return renamed ? Errno.success : Errno.io;
    },
    path_unlink_file: (_root, path, length) =>
      files.unlink(memory.text(path, length)) ? Errno.success : Errno.noent,
    path_filestat_get: () => Errno.noent,
  };
}

function fileType(fd: number): number {
  if (fd === ROOT_FD) return FILETYPE.directory;
  return fd < ROOT_FD ? FILETYPE.characterDevice : FILETYPE.regularFile;
}

/** Runs `transfer` over a vector of buffers until one is not used up; a negative result is a failed system call. */
function eachVector(
  memory: EngineMemory,
  vectors: number,
  count: number,
  totalAt: number,
  transfer: (bytes: Uint8Array) => number,
): number {
  let total = 0;
  for (let i = 0; i < count; i += 1) {
    const word = (vectors >>> 2) + 2 * i;
    const length = memory.words[word + 1]! >>> 0;
    const moved = transfer(memory.slice(memory.words[word]!, length));
    if (moved < 0) return Errno.io;
    total += moved;
    if (moved < length) break;
  }
  memory.words[totalAt >>> 2] = total;
  return Errno.success;
}

function lineSplitter(log: (line: string) => void): (text: string) => void {
  let unfinished = '';
  return (text) => {
    const lines = (unfinished + text).split('\n');
    unfinished = (lines.pop() ?? '').slice(0, 4096);
    lines.forEach(log);
  };
}
