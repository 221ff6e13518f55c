/** Who gets the replies: the only way back up. `proxy/` implements these, `upstream/` calls them. */

export interface ReplyReceiver {
  /**
   * `chunk[start, end)` belongs to this receiver's replies and `completed` of them end in it. Whole or partial replies,
   * as they came. The receiver may keep the chunk.
   */
  receive(chunk: Buffer, start: number, end: number, completed: number): void;
  /**
   * `count` commands were sent and their replies will never come: they may have run (I5). `midReply`: part of the first
   * reply was already delivered, so nothing sensible can be said in its place.
   */
  lose(count: number, midReply: boolean, cause: Error): void;
  /** `count` commands never left: nobody ran them. */
  refuse(count: number, cause: Error): void;
}

/** Gets everything that the upstream sends on one connection, once the connection belongs to this receiver alone. */
export interface TunnelReceiver {
  tunnelled(chunk: Buffer): void;
  tunnelClosed(cause: Error): void;
}
