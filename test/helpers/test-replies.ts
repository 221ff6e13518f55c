/** The replies of one client whose writes are journaled, with the store and the journal in the test's hands. */
import { classify } from '../../src/command/classify.js';
import { BufferedReplies, type Deposit, type Write } from '../../src/proxy/buffered-replies.js';
import { WriteRun } from '../../src/proxy/write-run.js';
import { encodeCommand } from './raw-client.js';
import { RecordingReceiver } from './recording-receiver.js';
import { TestProxy } from './test-proxy.js';

/** What relative times of expiry are reckoned from. */
export const WALL_MS = 1_789_000_000_000;

function write(command: string): Write {
  const args = command.split(' ').map((word) => Buffer.from(word));
  return { id: classify(args[0]!, 0, args[0]!.length), frame: encodeCommand(...args), args };
}

/** What is to be journaled for one command. */
export function deposit(command: string, db = 0): Deposit {
  const one = write(command);
  return { db, bytes: one.frame.length, write: one, queued: null };
}

/** An EXEC; what it does not write is empty. */
export function transaction(...commands: string[]): Deposit {
  const queued = commands.map((command) => (command === '' ? null : write(command)));
  return { db: 0, bytes: 100, write: null, queued };
}

/** Commands that pass to the store as they came; those that begin with a capital letter are plain writes. */
export class Run {
  constructor(readonly commands: readonly string[]) {}
}

/** One client's replies between a store that the test plays and a `HandJournal`. */
export class TestReplies {
  readonly outage = new TestProxy().outage;
  readonly journal = this.outage.journal;
  readonly owner = new RecordingReceiver();
  readonly replies: BufferedReplies;
  /** How often the store had no memory left. */
  timesFull = 0;

  constructor() {
    const { desk } = this.outage;
    this.replies = new BufferedReplies({
      desk,
      wallMs: () => WALL_MS,
      owner: this.owner,
      onStoreFull: () => (this.timesFull += 1),
    });
  }

  /** The client asks for reads (a number) and writes, in this order. */
  readonly ask = (...items: (number | Deposit | Run)[]): this => {
    for (const item of items) {
      if (typeof item === 'number') this.replies.expect(item);
      else if (item instanceof Run) this.askRun(item.commands);
      else this.replies.expectWrite(item);
    }
    return this;
  };

  private askRun(commands: readonly string[]): void {
    const frames = commands.map((command) => encodeCommand(...command.split(' ')));
    const written = frames.filter((_, index) => /^[A-Z]/.test(commands[index]!));
    const bytes = written.reduce((sum, frame) => sum + frame.length, 0);
    const run = new WriteRun(0, Buffer.concat(frames), 0);
    this.replies.expectRun(run, frames.length, { count: written.length, bytes });
  }

  /** The store answers, in chunks that are filled anew afterwards. */
  readonly say = (...texts: (string | Buffer)[]): void => {
    for (const text of texts) {
      const chunk = Buffer.from(text as string, 'latin1');
      this.replies.receive(chunk, 0, chunk.length);
      chunk.fill(0x3f);
    }
  };

  /** Reply bytes that the client has been given. */
  get given(): string {
    return this.owner.bytes.replaceAll('\r\n', '|');
  }

  get isIdle(): boolean {
    return this.outage.desk.isIdle;
  }
}
