/**
 * The part of JavaScript's WebAssembly interface that the engine needs, typed here because TypeScript ships these types
 * only together with the browser's. Nothing but declarations and the one cast; knows nothing of Valkey.
 */

/** A compiled module: opaque, shareable between threads. */
export interface WasmModule {
  readonly [Symbol.toStringTag]: 'WebAssembly.Module';
}

/** Linear memory. `buffer` is another object after every growth, and the old one is detached. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export type WasmFunction = (...args: number[]) => number | void;
export type WasmImports = Record<string, Record<string, unknown>>;

interface WasmApi {
  compile(bytes: Uint8Array): Promise<WasmModule>;
  readonly Module: {
    imports(module: WasmModule): { module: string; name: string; kind: string }[];
  };
  readonly Instance: new (module: WasmModule, imports: WasmImports) => { readonly exports: object };
  readonly Tag: new (type: { parameters: string[] }) => object;
}

export const webAssembly = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
