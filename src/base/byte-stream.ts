/**
 * The one port behind which every backend lives: a duplex stream of bytes that can be opened, written, paused and
 * abandoned. TCP, TLS, unix sockets and the embedded Valkey are adapters of it; lanes and pinned connections are
 * written once, above it. Nothing here knows RESP.
 */

/** What the owner of a stream is told. Each callback runs on the event loop, never from inside a method call. */
export interface ByteStreamHandlers {
  /** The stream is open: bytes written from now on go out. Called at most once. */
  onOpen(): void;
  /**
   * Bytes that arrived. Returning false says that nothing refers to `chunk` any more: the stream may fill it again with
   * what comes next, which spares an allocation per read.
   */
  onData(chunk: Buffer): boolean | void;
  /** `pendingBytes` fell to zero after a `write` had returned false. */
  onDrain(): void;
  /** The stream is over, for whatever reason; nothing follows. Called exactly once, also when opening failed. */
  onClose(cause: Error | null): void;
}

/** An open (or opening) byte stream. All methods are safe to call after the close; they then do nothing. */
export interface ByteStream {
  /**
   * Queues `bytes` for sending. Returns false when more than the high-water mark is queued: stop until `onDrain`.
   * The stream may keep a reference to `bytes` until it is sent, so the caller must not change them.
   */
  write(bytes: Uint8Array): boolean;
  /** Bytes accepted by `write` that the operating system (or the engine) has not taken yet. */
  readonly pendingBytes: number;
  /** Stops and restarts the delivery of `onData`; at most one further chunk may arrive after `pause`. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes in an orderly way. */
  end(): void;
  /**
   * Abandons the stream: what the kernel still holds is discarded and the peer sees a reset. `destroy` would let the
   * kernel deliver it once a broken path heals (seen, and applied twice), so abandoning always goes through here.
   */
  reset(): void;
}

/** Where streams come from: one address, one way to get there. */
export interface Transport {
  /** For people and logs, without secrets: `tcp 127.0.0.1:6379`, `unix /run/redis.sock`, `embedded`. */
  readonly description: string;
  /**
   * The peer is reached without a network: a stream that it has closed is one that it will never read again. Otherwise a
   * close proves nothing, for it may have been said on the peer's behalf.
   */
  readonly closeIsFinal?: boolean;
  /** Starts opening a stream. Never throws: a failure to open arrives as `onClose`. */
  open(handlers: ByteStreamHandlers): ByteStream;
}
