/**
 * What a client has said since MULTI, so that a transaction whose connection is lost before its EXEC was sent, or that met
 * a busy upstream, can be told again, and one that runs in an outage can be journaled as a whole. Bounded: a longer
 * transaction is broken by the loss of its connection, as without a sidecar.
 *
 * A command's place is its number among all that its client has said and been answered, or is still to be.
 */
import type { SessionEffect } from '../command/table.js';
import { cutRequests } from '../resp/cut-requests.js';
import type { QueuedSetting } from './queued-settings.js';

const MAX_BYTES = 4 * 1024 * 1024;

export class TransactionLog {
  /** MULTI was answered with a yes. */
  isOpen = false;
  private bytes = 0;
  private frames: Buffer[] = [];
  /** Whether each of `frames` is one command. */
  private areCut = true;
  private count = 0;
  /** Of these: MULTI, and what is only answered. */
  private notQueued = 1;
  private isGivenUp = false;
  private queuedSettings: QueuedSetting[] = [];

  /** `place`: that of MULTI; `watchedAt`: that of the first WATCH before it, null when there was none. */
  constructor(
    readonly place: number,
    private readonly watchedAt: number | null = null,
  ) {}

  /** It is guarded by a WATCH that stands before `place`. */
  isWatchedBefore(place: number): boolean {
    return this.watchedAt !== null && this.watchedAt < place;
  }

  /** What keeping it costs. */
  get keptBytes(): number {
    return this.isGivenUp ? 0 : this.bytes;
  }

  /** The place behind its last command. */
  get end(): number {
    return this.place + this.count;
  }

  /** It cannot be told again: something of it is too long to keep, or it means something only where it was said. */
  giveUp(): void {
    this.isGivenUp = true;
    this.frames = [];
  }

  /** What is about to be noted is a setting, which EXEC will make. */
  setting(effect: SessionEffect, args: readonly Buffer[]): void {
    this.queuedSettings.push({ index: this.count - this.notQueued, effect, args });
  }

  /** What is about to be noted is answered at once, with an error. */
  misplaced(): void {
    this.notQueued += 1;
    this.giveUp();
  }

  /** What EXEC will set. */
  get settings(): readonly QueuedSetting[] {
    return this.queuedSettings;
  }

  /** Notes the `count` commands of `buffer[start, end)`: MULTI itself, or what is being queued. Copies them. */
  add(buffer: Buffer, start: number, end: number, count: number): void {
    this.count += count;
    this.bytes += end - start;
    if (this.bytes > MAX_BYTES) this.giveUp();
    if (this.isGivenUp) return;
    this.frames.push(Buffer.from(buffer.subarray(start, end)));
    this.areCut &&= count === 1;
  }

  /** One more was said, piece by piece. */
  addTooLong(): void {
    this.count += 1;
    this.giveUp();
  }

  /** Everything since MULTI as it was said; null when it was too much to keep. */
  get requests(): Buffer | null {
    return this.isGivenUp ? null : Buffer.concat(this.frames);
  }

  /** The command at `place`; null when it is none of these, or was not kept. */
  frameAt(place: number): Buffer | null {
    return this.isGivenUp ? null : (this.cut()[place - this.place] ?? null);
  }

  /** What stands at `place` and behind it will be said again. */
  cutAt(place: number): void {
    this.count = Math.max(0, place - this.place);
    this.queuedSettings = this.queuedSettings.filter(({ index }) => index < this.count - 1);
    if (this.isGivenUp) return;
    this.frames = this.cut().slice(0, this.count);
    this.bytes = this.frames.reduce((sum, frame) => sum + frame.length, 0);
  }

  /** Asked for each reply while refusals come: done once. */
  private cut(): readonly Buffer[] {
    if (!this.areCut) this.frames = cutRequests(Buffer.concat(this.frames));
    this.areCut = true;
    return this.frames;
  }
}
