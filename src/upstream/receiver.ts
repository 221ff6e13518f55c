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
   * reply was already delivered, so nothing sensible can be said in its place. `requests`: exactly these `count` frames,
   * back to back, the receiver's from now on; null where they were not kept (streamed, or too many). One loss may be told
   * in several calls, oldest first; a connection whose server may still run them is in `Fences.pending` by then.
   */
  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void;
  /**
   * `count` commands never left: nobody ran them. `requests` as above. What a lane had gathered when its connection was
   * lost comes back this way too (`NeverSent`), behind what the same loss took: a client's order stays what it was.
   */
  refuse(count: number, cause: Error, requests: Buffer | null): void;
  /**
   * Asked instead of `receive` when the reply to the next `count` (one) commands says that the server cannot serve now:
   * `frame` is the error, `request` the command's frame if it was kept; both are the receiver's. True: it is dealt with.
   * False: deliver the error as any other reply.
   */
  unserved?(count: 1, frame: Buffer, request: Buffer | null): boolean;
}

/** For what nobody waits for. */
export const NOBODY: ReplyReceiver = { receive() {}, lose() {}, refuse() {} };

/** Gets everything that the upstream sends on one connection, once the connection belongs to this receiver alone. */
export interface TunnelReceiver {
  /** The chunk is only lent, as in `ReplyReceiver.receive`. */
  tunnelled(chunk: Buffer): void;
  tunnelClosed(cause: Error): void;
}

/** Gets what the upstream says unasked on one connection, piece by piece; only lent, as in `ReplyReceiver.receive`. */
export type PushReceiver = (chunk: Buffer, start: number, end: number) => void;

/**
 * The cause of a `refuse` that is no verdict: the connection was lost before the commands had left it. They can be said
 * again at once.
 */
export class NeverSent extends Error {
  constructor(override readonly cause: Error) {
    super(cause.message);
  }
}
