/**
 * The fast half of `route`: which commands simply pass now, as a table by command id, and the count of those that do.
 * Looked at once per command on the hot path.
 */
import { COMMANDS } from '../command/table.js';
import { PROMPT, SLOW, type Patience } from '../upstream/in-flight.js';
import type { OutageRules } from '../command/rules.js';
import { ROUTES, type Observer, type RouteName } from './observer.js';
import { outagePassTable } from './outage-route.js';
import { passTable, POSITIONS, type Position } from './route.js';

const ROUTE_COUNT = ROUTES.length;
const IS_SLOW = Uint8Array.from(COMMANDS, ({ pace }) => (pace === 'slow' ? 1 : 0));
const NOTHING_PASSES = new Uint8Array(COMMANDS.length);

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

  /** `filter` takes out the commands that must not pass unseen on this upstream. */
  constructor(
    private readonly observer: Observer,
    private readonly filter: (passes: Uint8Array) => Uint8Array,
  ) {}

  passes(commandId: number): boolean {
    return this.table[commandId] !== 0;
  }

  /** True when the command may pass as it came; it is counted then. */
  admits(commandId: number): boolean {
    return this.table[commandId] !== 0 && this.room > 0 && this.takes(commandId);
  }

  /** Counts a command that passes whatever it is. */
  takes(commandId: number): true {
    this.room -= 1;
    this.observer.commands[commandId * ROUTE_COUNT + this.label]! += 1;
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
    this.label = ROUTES.indexOf(position === 'shared' ? 'shared' : 'pinned');
  }

  /** The same while the outage store answers; what a rule speaks of must be seen. */
  moveToOutage(position: Position, rules: OutageRules): void {
    this.table = rules.isEmpty ? this.filter(PASSES_IN_OUTAGE.get(position)!) : NOTHING_PASSES;
    this.label = ROUTES.indexOf('outage');
  }

  /** Nothing passes until the next `moveTo`. */
  close(): void {
    this.table = NOTHING_PASSES;
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
