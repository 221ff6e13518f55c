/** Notes what became of commands: the replies as they came, or how they were lost. */
import type { ReplyReceiver, TunnelReceiver } from '../../src/upstream/receiver.js';
import { commandsIn } from './fake-transport.js';

export class RecordingReceiver implements ReplyReceiver, TunnelReceiver {
  /** `3: +OK…`, `lost 2`, `lost 1 in its middle`, `refused 1`, `tunnel: …`, `tunnel closed`. */
  readonly events: string[] = [];
  /** All reply bytes, as latin1, and how many replies ended in them. */
  bytes = '';
  replies = 0;
  cause: Error | null = null;
  /** What came back with each loss and refusal: commands as words, or null where they were not kept. */
  readonly returned: (string[] | null)[] = [];
  /** Called with each event, for what a receiver does in return. */
  onEvent: () => void = () => undefined;

  receive(chunk: Buffer, start: number, end: number, completed: number): void {
    this.bytes += chunk.toString('latin1', start, end);
    this.replies += completed;
    this.#note(`${completed}: ${visible(chunk.subarray(start, end))}`);
  }
  lose(count: number, midReply: boolean, cause: Error, requests: Buffer | null): void {
    this.cause = cause;
    this.returned.push(requests === null ? null : commandsIn(requests));
    this.#note(midReply ? `lost ${count} in its middle` : `lost ${count}`);
  }
  refuse(count: number, cause: Error, requests: Buffer | null): void {
    this.cause = cause;
    this.returned.push(requests === null ? null : commandsIn(requests));
    this.#note(`refused ${count}`);
  }
  tunnelled(chunk: Buffer): void {
    this.#note(`tunnel: ${visible(chunk)}`);
  }
  tunnelClosed(cause: Error): void {
    this.cause = cause;
    this.#note('tunnel closed');
  }

  /** The events since the last look. */
  seen(): string[] {
    return this.events.splice(0);
  }

  #note(event: string): void {
    this.events.push(event);
    this.onEvent();
  }
}

function visible(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '|');
}
