/**
 * Commands as lines of the log: the slow log and the access log. A line says what `ObservedCommand` says; keys appear as
 * a hash that is only good for telling two of them apart while this process lives, unless their names are allowed.
 * A flood is cut off: so many lines a second, then how many more there were.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import type { LogFields } from '../base/logger.js';
import type { ObservedCommand } from './observed-command.js';

export interface CommandLogOptions {
  readonly clock: Clock;
  /** Writes a line of the log. */
  readonly write: (event: string, fields: LogFields) => void;
  /** What happened, as the line says it: `slow command`. */
  readonly event: string;
  /** Keys are named as they are. */
  readonly showsKeys: boolean;
}

const MAX_LINES_PER_SECOND = 20;
const MAX_KEY_CHARACTERS = 128;
const HASH_CHARACTERS = 12;
/** One for the process, so that both logs call a key the same. */
const SALT = randomBytes(32);

export class CommandLog {
  private lines = 0;
  private more = 0;

  constructor(private readonly options: CommandLogOptions) {}

  add(command: ObservedCommand): void {
    if (this.lines === 0) this.options.clock.after(1000, () => this.secondIsOver());
    this.lines += 1;
    if (this.lines > MAX_LINES_PER_SECOND) this.more += 1;
    else this.options.write(this.options.event, this.fieldsOf(command));
  }

  private secondIsOver(): void {
    const { write, event } = this.options;
    if (this.more > 0) write(`${event}: more of them`, { count: this.more });
    this.lines = this.more = 0;
  }

  private fieldsOf(command: ObservedCommand): LogFields {
    const { name, key, keys, route, db, durationMs, behindMs, requestBytes, error } = command;
    return {
      command: name,
      key: key === null ? undefined : this.nameOf(key),
      keys: keys > 1 ? keys : undefined,
      milliseconds: tenths(durationMs),
      behindMilliseconds: tenths(behindMs) > 0 ? tenths(behindMs) : undefined,
      route,
      db,
      requestBytes: requestBytes ?? undefined,
      error: error ?? undefined,
    };
  }

  private nameOf(key: Buffer): string {
    if (this.options.showsKeys) return key.toString('utf8', 0, MAX_KEY_CHARACTERS);
    const hash = createHmac('sha256', SALT).update(key).digest('hex');
    return `#${hash.slice(0, HASH_CHARACTERS)}`;
  }
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
