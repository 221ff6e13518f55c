/**
 * A conversation of one side: bytes that are sent on a connection of their own, and all that comes back. For servers that
 * are compared: what one of them says, and whether it hangs up, the other one must come to as well, however long it takes.
 */
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { eventually } from './eventually.js';
import { connectRaw, type RawClient } from './raw-client.js';

/** What a server answered. */
export interface Heard {
  readonly answer: string;
  /** It hung up. */
  readonly closed: boolean;
}

export class Talk {
  #answer = '';

  private constructor(private readonly client: RawClient) {
    client.socket.on('data', (chunk) => (this.#answer += chunk.toString('latin1')));
  }

  /** Connects to `port` and sends `bytes`. */
  static async begin(port: number, bytes: string | Uint8Array): Promise<Talk> {
    const talk = new Talk(await connectRaw(port));
    talk.client.write(bytes);
    return talk;
  }

  /** Up to now. */
  get heard(): Heard {
    return { answer: this.#answer, closed: this.client.ending !== null };
  }

  end(): void {
    this.client.reset();
  }
}

/** Waits until both have heard the same, but for what `mask` hides, and ends both; fails with the difference. */
export async function assertAlike(
  actual: Talk,
  expected: Talk,
  what: string,
  mask: (answer: string) => string = (answer) => answer,
): Promise<void> {
  const masked = ({ heard: { answer, closed } }: Talk): Heard => ({ answer: mask(answer), closed });
  const areAlike = (): boolean => isDeepStrictEqual(masked(actual), masked(expected));
  await eventually('both answers are alike', areAlike).catch(() => {
    assert.deepEqual(masked(actual), masked(expected), what);
  });
  for (const talk of [actual, expected]) talk.end();
}
