/**
 * The reply to SCRIPT EXISTS, corrected to what the sidecar can promise (SEMANTICS §6): 1 for a script whose source it
 * holds, whatever the upstream has forgotten by itself; what it was told to forget through us is as the upstream says, for
 * whoever flushes looks for a 0. 1 for another only where it can be fetched. A 0 makes clients hand the source over.
 * Errors and +QUEUED pass as they came.
 */
import type { ReplyReceiver } from '../upstream/receiver.js';
import type { Scripts } from './script-lookup.js';

/** For the one reply to one SCRIPT EXISTS. */
export class ExistsReceiver implements ReplyReceiver {
  private readonly collected: Buffer[] = [];

  constructor(
    private readonly owner: ReplyReceiver,
    private readonly shas: readonly Buffer[],
    private readonly scripts: Scripts,
  ) {}

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    // No longer than the question was. The chunk is only lent.
    this.collected.push(Buffer.from(chunk.subarray(start, end)));
    if (completed === 0) return;
    const reply = this.corrected(Buffer.concat(this.collected));
    this.owner.receive(reply, 0, reply.length, completed);
  }

  /** The owner has seen nothing of it. */
  lose(count: number, _midReply: boolean, cause: Error, requests: Buffer | null): void {
    this.owner.lose(count, false, cause, requests);
  }
  refuse(count: number, cause: Error, requests: Buffer | null): void {
    this.owner.refuse(count, cause, requests);
  }
  unserved(count: 1, frame: Buffer, request: Buffer | null): boolean {
    return this.owner.unserved?.(count, frame, request) ?? false;
  }

  private corrected(reply: Buffer): Buffer {
    const [head, ...digits] = reply.toString('latin1').split('\r\n');
    if (head !== `*${this.shas.length}`) return reply;
    const promised = this.shas.map((sha, index) => `:${this.mayPromise(sha, digits[index]!)}\r\n`);
    return Buffer.from(`${head}\r\n${promised.join('')}`, 'latin1');
  }

  private mayPromise(sha: Buffer, digit: string): 0 | 1 {
    const { registry, lookup } = this.scripts;
    if (registry.isPromised(sha)) return 1;
    if (digit !== ':1') return 0;
    if (registry.has(sha)) return 1;
    lookup.learnSoon(sha);
    return lookup.hasShown ? 1 : 0;
  }
}
