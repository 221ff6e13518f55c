/**
 * Who sees replies come, beside those who get them: the slow log, the access log and traces hang here. Passed in from
 * above and null by default; `Pairing` asks it how many replies may pass before one that it wants, so that what is not
 * wanted stays in runs, and its requests stay bytes that nobody looks at.
 */
/** One reply that was wanted. `error` is only lent for the call. */
export interface SeenReply {
  readonly kind: 'shared' | 'pinned';
  /** Of the connection, as it is now. */
  readonly db: number;
  /** From sending the command to having its whole reply. */
  readonly durationMs: number;
  /** The part of it in which no earlier command's reply was awaited; 0 for a command that waits for something to happen. */
  readonly servedMs: number;
  /** The reply, or the last part of it, where it is an error. */
  readonly error: Buffer | null;
  /** The command's frame; null where it was not kept. */
  readonly request: Buffer | null;
}

export interface ReplyWatch {
  /**
   * How many of the next replies it does not want to see; 0 or less: it wants the next one. `servedMs`: as in `SeenReply`,
   * so far. Asked before every run, so that the answer may change until a reply is complete.
   */
  unseen(servedMs: number): number;
  /** So many replies came that it did not want. */
  passed(count: number): void;
  /** The one it wanted. */
  saw(reply: SeenReply): void;
}
