/** The status page for people: the document at `/`, and the events that keep it current. */
import type { Clock } from '../base/clock.js';
import type { SidecarStatus } from '../proxy/status.js';
import { EventStreams } from './event-streams.js';
import { renderDocument } from './page/document.js';
import { renderHour } from './page/hour.js';
import type { Markup } from './page/markup.js';
import { renderNow } from './page/now.js';
import type { Past } from './page/past.js';

export interface StatusPageOptions {
  readonly clock: Clock;
  readonly status: () => SidecarStatus;
  readonly past: () => Past;
}

export class StatusPage {
  readonly events: EventStreams;
  private hour: { readonly key: string; readonly charts: Markup } | null = null;

  constructor(private readonly options: StatusPageOptions) {
    this.events = new EventStreams(options.clock, [
      { event: 'now', read: () => JSON.stringify(renderNow(options.status())) },
      { event: 'hour', read: () => JSON.stringify(this.charts().text) },
    ]);
  }

  /** The document, as of this moment. */
  document(): string {
    return renderDocument(renderNow(this.options.status()), this.charts());
  }

  /** Made anew only when there is a new point or another condition: it is a hundred times the work of the rest. */
  private charts(): Markup {
    const past = this.options.past();
    const key = `${past.points.at(-1)?.wallMs} ${past.conditions.at(-1)?.time}`;
    if (this.hour?.key !== key) this.hour = { key, charts: renderHour(past) };
    return this.hour.charts;
  }
}
