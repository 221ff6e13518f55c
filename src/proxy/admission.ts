/**
 * The fast half of `route`: which commands simply pass now, as a table by command id, and the count of those that do.
 * Looked at once per command on the hot path.
 */
import { PLAIN_WRITE_ARGUMENTS } from '../command/plain-writes.js';
import { COMMANDS } from '../command/table.js';
import { PROMPT, SLOW, type Patience } from '../upstream/in-flight.js';
import type { OutageRules } from '../command/rules.js';
import { ROUTES, type Observer, type RouteName } from './observer.js';
import { outagePassTable } from './outage-route.js';
import { passTable, POSITIONS, type Position } from './route.js';
import type { Writes } from './write-run.js';

const ROUTE_COUNT = ROUTES.length;
const JOURNAL = ROUTES.indexOf('journal');
const IS_SLOW = Uint8Array.from(COMMANDS, ({ pace }) => (pace === 'slow' ? 1 : 0));
const NOTHING_PASSES = new Uint8Array(COMMANDS.length);
const PLAIN_WRITES = Uint8Array.from(PLAIN_WRITE_ARGUMENTS, (most) => (most > 0 ? 1 : 0));
/** A longer write is worth a look. */
const MAX_UNSEEN_WRITE_BYTES = 16 * 1024;

const PASSES: Readonly<Record<Position, Uint8Array>> = {
  shared: passTable('shared'),
  pinned: passTable('pinned'),
  kept: passTable('kept'),
  broken: passTable('broken'),
  locked: passTable('locked'),
};

const PASSES_IN_OUTAGE = new Map(POSITIONS.map((one) => [one, outagePassTable(one)]));

export class Admission {
  private table: Uint8Array = NOTHING_PASSES;
  private label = 0;
  private patience: Patience = PROMPT;
  /** Commands that may still be admitted before replies come. */
  private room = Infinity;
  /** Plain writes that may join a run in an outage. */
  private writes: Uint8Array = NOTHING_PASSES;
  private mayBuffer: () => boolean = () => false;
  private runWrites = 0;
  private runWriteBytes = 0;

  /** `filter` takes out the commands that must not pass unseen on this upstream. */
  constructor(
    private readonly observer: Observer,
    private readonly filter: (passes: Uint8Array) => Uint8Array,
  ) {}

  passes(commandId: number): boolean {
    return this.table[commandId] !== 0;
  }

  /** True when the command, of so many bytes and arguments, may pass as it came; it is counted then. */
  admits(commandId: number, bytes: number, argumentCount: number): boolean {
    if (this.table[commandId] === 0) return this.admitsWrite(commandId, bytes, argumentCount);
    return this.room > 0 && this.takes(commandId);
  }

  private admitsWrite(commandId: number, bytes: number, argumentCount: number): boolean {
    if (this.writes[commandId] === 0 || this.room <= 0 || bytes > MAX_UNSEEN_WRITE_BYTES)
      return false;
    if (argumentCount > PLAIN_WRITE_ARGUMENTS[commandId]!) return false;
    if (this.runWrites === 0 && !this.mayBuffer()) return false;
    this.runWrites += 1;
    this.runWriteBytes += bytes;
    return this.takes(commandId, JOURNAL);
  }

  /** The plain writes in the admitted run; null: it has none. Asked once per run. */
  takeWrites(): Writes | null {
    if (this.runWrites === 0) return null;
    const writes = { count: this.runWrites, bytes: this.runWriteBytes };
    this.runWrites = this.runWriteBytes = 0;
    return writes;
  }

  /** Counts a command that passes whatever it is. */
  takes(commandId: number, label = this.label): true {
    this.room -= 1;
    this.observer.commands[commandId * ROUTE_COUNT + label]! += 1;
    if (IS_SLOW[commandId] === 1) this.patience = SLOW;
    return true;
  }

  /** Lets no more than `commands` further ones pass; Infinity: as many as come. */
  limitTo(commands: number): void {
    this.room = commands;
  }
  get isFull(): boolean {
    return this.room <= 0;
  }

  /** How long the admitted run may take to be answered; asked once per run. */
  takePatience(): Patience {
    const patience = this.patience;
    this.patience = PROMPT;
    return patience;
  }

  /** The client's position has changed. */
  moveTo(position: Position): void {
    this.table = this.filter(PASSES[position]);
    this.writes = NOTHING_PASSES;
    this.label = ROUTES.indexOf(position === 'shared' ? 'shared' : 'pinned');
  }

  /**
   * The same while the outage store answers; what a rule speaks of must be seen. `mayBuffer`, asked once per run: whether
   * plain writes may join it; null: not where the client is.
   */
  moveToOutage(
    position: Position,
    rules: OutageRules,
    mayBuffer: (() => boolean) | null = null,
  ): void {
    this.table = rules.isEmpty ? this.filter(PASSES_IN_OUTAGE.get(position)!) : NOTHING_PASSES;
    this.writes = rules.isEmpty && mayBuffer !== null ? this.filter(PLAIN_WRITES) : NOTHING_PASSES;
    if (mayBuffer !== null) this.mayBuffer = mayBuffer;
    this.label = ROUTES.indexOf('outage');
  }

  /** Nothing passes until the next `moveTo`. */
  close(): void {
    this.table = this.writes = NOTHING_PASSES;
  }

  /** Counts a command that did not pass unseen; null: where the others go now. */
  count(commandId: number, route: RouteName | null): void {
    const label = route === null ? this.label : ROUTES.indexOf(route);
    this.observer.commands[commandId * ROUTE_COUNT + label]! += 1;
  }
}

export function patienceOf(commandId: number): Patience {
  return IS_SLOW[commandId] === 1 ? SLOW : PROMPT;
}
