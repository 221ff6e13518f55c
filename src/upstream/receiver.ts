/** Who gets the replies: the only way back up. `proxy/` implements these, `upstream/` calls them. */

export interface ReplyReceiver {
  /**
   * `chunk[start, end)` belongs to this receiver's replies and `completed` of them end in it. Whole or partial replies,
   * as they came. The chunk is filled anew once `onDelivered` has said that nobody refers to it: who keeps a part of it
   * in any other way than by sending it to a client copies it.
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
  /** The chunk is only lent, as in `ReplyReceiver.receive`. */
  tunnelled(chunk: Buffer): void;
  tunnelClosed(cause: Error): void;
}
