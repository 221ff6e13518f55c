/**
 * What the sidecar remembers of itself, for people: since when it has been in its condition, how fast it works, and the
 * last hour. It looks once a second, and again when the mode changes, so that no outage is too short to be seen.
 */
import type { Clock, Timer } from '../base/clock.js';
import { History, POINT_PERIOD_MS, totalsByRoute, type Levels } from '../metrics/history.js';
import { Rate } from '../metrics/rate.js';
import type { Past } from '../metrics/page/past.js';
import { ConditionLog } from '../proxy/condition-log.js';
import type { Observer } from '../proxy/observer.js';
import { inSeconds, type Condition, type SidecarStatus } from '../proxy/status.js';

export interface ChronicleOptions {
  readonly clock: Clock;
  readonly observer: Observer;
  readonly condition: () => Condition;
  /** What has failed at this moment, for people; null when nothing has. */
  readonly cause: () => string | null;
  readonly levels: () => Levels;
}

const LOOK_PERIOD_MS = 1000;
/** In the status; the page's charts see more. */
const CONDITIONS_SHOWN = 20;

export class Chronicle {
  private readonly conditions: ConditionLog;
  private readonly commands = new Rate();
  private readonly history: History;
  private pointAtMs = -Infinity;
  private timer: Timer | null = null;

  constructor(private readonly options: ChronicleOptions) {
    this.conditions = new ConditionLog(options.clock);
    this.history = new History(options.observer);
  }

  start(): void {
    this.look();
    this.timer = this.options.clock.every(LOOK_PERIOD_MS, () => this.look());
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** The condition may have changed. */
  noteCondition(): void {
    const { condition, cause } = this.options;
    this.conditions.note(condition(), cause);
  }

  get past(): Past {
    return { points: this.history.points, conditions: this.conditions.list(Infinity) };
  }

  /** Its part of what the sidecar says of itself. */
  status(): Pick<SidecarStatus, 'conditionSinceSeconds' | 'conditions' | 'commands'> {
    this.noteCondition();
    return {
      conditionSinceSeconds: inSeconds(this.conditions.sinceMs),
      conditions: this.conditions.list(CONDITIONS_SHOWN),
      commands: { total: this.commandsTotal, perSecond: Math.round(this.commands.perSecond) },
    };
  }

  private get commandsTotal(): number {
    return totalsByRoute(this.options.observer.commands).reduce((sum, total) => sum + total, 0);
  }

  private look(): void {
    const { clock, levels } = this.options;
    const now = clock.now();
    this.noteCondition();
    this.commands.note(this.commandsTotal, now);
    // A timer that is late by a little is not late by a whole period.
    if (now - this.pointAtMs < POINT_PERIOD_MS - LOOK_PERIOD_MS / 2) return;
    this.pointAtMs = now;
    this.history.look(now, clock.wallMs(), levels());
  }
}
