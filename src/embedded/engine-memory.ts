/**
 * A view of the engine's linear memory that stays valid: growth replaces the underlying buffer, and only then are the
 * views made again, because making them costs more than most calls they are used in. Addresses come from WebAssembly as
 * signed 32-bit numbers, so everything above 2 GiB is negative until it is shifted.
 */
import type { WasmMemory } from './wasm-api.js';

export class EngineMemory {
  private memory: WasmMemory = { buffer: new ArrayBuffer(0) };
  private buffer = this.memory.buffer;
  private octetsView = new Uint8Array(this.buffer);
  private wordsView = new Int32Array(this.buffer);

  /** Binds the memory of an instance. To be called before the instance runs. */
  attach(memory: WasmMemory): void {
    this.memory = memory;
  }

  /** All bytes. Valid until control returns to WebAssembly. */
  get octets(): Uint8Array {
    if (this.memory.buffer !== this.buffer) this.wrap();
    return this.octetsView;
  }

  /** All aligned 32-bit words; the index of an address is `address >>> 2`. Valid until control returns to WebAssembly. */
  get words(): Int32Array {
    if (this.memory.buffer !== this.buffer) this.wrap();
    return this.wordsView;
  }

  /** A view of `length` bytes at `address`. Valid until control returns to WebAssembly. */
  slice(address: number, length: number): Uint8Array {
    const start = address >>> 0;
    return this.octets.subarray(start, start + length);
  }

  text(address: number, length: number): string {
    return Buffer.from(this.slice(address, length)).toString('utf8');
  }

  /** Writes an unsigned 64-bit number, given as two halves so that no BigInt is made. */
  setUint64(address: number, high: number, low: number): void {
    const word = address >>> 2;
    this.words[word] = low;
    this.words[word + 1] = high;
  }

  private wrap(): void {
    this.buffer = this.memory.buffer;
    this.octetsView = new Uint8Array(this.buffer);
    this.wordsView = new Int32Array(this.buffer, 0, this.buffer.byteLength >>> 2);
  }
}
