/**
 * Server-sent events for the status page: what has changed is made into text once per tick, however many look. Bounded
 * (I6): so many streams and no more, and one whose reader does not read is closed; the page comes back by itself. Nothing
 * runs while nobody looks.
 */
import type { ServerResponse } from 'node:http';
import type { Clock, Timer } from '../base/clock.js';

/** A kind of event, and its text at this moment: one line. */
export interface News {
  readonly event: string;
  readonly read: () => string;
}

const TICK_MS = 1000;
/** Well below the connections of the admin server, so that scrapers and probes always get theirs. */
const MOST_STREAMS = 16;
const MOST_UNREAD_BYTES = 512 * 1024;
/** How soon a browser that lost its stream tries again. */
const RETRY = 'retry: 1500\n\n';
const BEAT = 'event: beat\ndata:\n\n';

export const EVENT_STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // Proxies that collect what they pass on would make it useless.
  'x-accel-buffering': 'no',
};

export class EventStreams {
  private readonly streams = new Set<ServerResponse>();
  private sent: readonly string[] = [];
  private timer: Timer | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly news: readonly News[],
  ) {}

  get count(): number {
    return this.streams.size;
  }

  /** Goes on with this response for as long as its reader stays. False: there are too many, and nothing was done. */
  open(response: ServerResponse): boolean {
    if (this.streams.size >= MOST_STREAMS) return false;
    response.writeHead(200, EVENT_STREAM_HEADERS);
    this.streams.add(response);
    response.on('close', () => this.closed(response));
    this.timer ??= this.clock.every(TICK_MS, () => this.tick());
    response.write(RETRY + this.texts().join(''));
    return true;
  }

  /** Ends all streams. */
  close(): void {
    for (const response of this.streams) response.end();
  }

  private closed(response: ServerResponse): void {
    this.streams.delete(response);
    if (this.streams.size > 0) return;
    this.timer?.cancel();
    this.timer = null;
  }

  private tick(): void {
    const texts = this.texts();
    const changed = texts.filter((text, index) => text !== this.sent[index]);
    this.sent = texts;
    const message = changed.length === 0 ? BEAT : changed.join('');
    for (const response of this.streams) {
      if (response.writableLength > MOST_UNREAD_BYTES) response.destroy();
      else response.write(message);
    }
  }

  private texts(): readonly string[] {
    return this.news.map(({ event, read }) => `event: ${event}\ndata: ${read()}\n\n`);
  }
}
