/** One client of the random orders: says plain commands and transactions, each with a mark, and notes what it is told. */
import { ReplyFramer } from '../../src/resp/reply-framer.js';
import { chooseFrom } from '../conformance/random.js';
import { integerBelow, type Random } from './fuzz.js';
import { sha1 } from './marking-server.js';
import type { ProxyClient } from './test-proxy.js';

export interface Asked {
  readonly command: string;
  /** Of a transaction: the marks that EXEC answers with. */
  readonly marks: readonly string[];
  /** Of a transaction: that one of its results is a setting's. */
  readonly isSetting?: boolean;
  /** Of a transaction that WATCH guards. */
  readonly isGuarded?: boolean;
}

/** Whoever has said this has a connection of its own from then on. */
export const TIE = 'CLIENT ID';

/** A client, what it has asked for, and what it was told. */
export class Talker {
  readonly asked: Asked[] = [];
  private heard = '';

  constructor(
    private readonly client: ProxyClient,
    readonly name: string,
    /** Sources that it has told, and calls by their sha1. */
    private readonly scripts: readonly string[] = [],
  ) {}

  async say(random: Random, nextMark: () => number): Promise<void> {
    const commands: Asked[] = [];
    for (let left = 1 + integerBelow(random, 4); left > 0; left -= 1) {
      const chance = random();
      if (chance < 0.05) commands.push({ command: TIE, marks: [] });
      else if (chance < 0.7) commands.push(this.plain(random, nextMark));
      else commands.push(...this.transaction(random, nextMark));
    }
    // In one breath, or in two.
    const cut = integerBelow(random, commands.length + 1);
    for (const part of [commands.slice(0, cut), commands.slice(cut)]) {
      this.asked.push(...part);
      if (part.length > 0) await this.client.say(...part.map(({ command }) => command));
    }
  }

  async listen(): Promise<void> {
    this.heard += (await this.client.received()).replaceAll('|', '\r\n');
  }

  get isHungUpOn(): boolean {
    return this.client.isClosed;
  }

  /** By command: its reply, with blanks for line ends. */
  get replies(): string[] {
    const bytes = Buffer.from(this.heard);
    const framer = new ReplyFramer();
    const replies: string[] = [];
    for (let pos = 0; pos < bytes.length;) {
      const end = framer.scan(bytes, pos, bytes.length, 1);
      replies.push(bytes.toString('latin1', pos, end).replaceAll('\r\n', ' '));
      pos = end;
    }
    return replies;
  }

  private plain(random: Random, nextMark: () => number): Asked {
    const mark = String(nextMark());
    const { name, scripts } = this;
    const kinds = [`GET ${mark}`, `SET ${name} ${mark}`, `RPUSH ${name} ${mark}`];
    for (const source of scripts) kinds.push(`EVALSHA ${sha1(source)} 1 ${name} ${mark}`);
    if (scripts.length > 0) kinds.push(`EVAL ${chooseFrom(random, scripts)} 1 ${name} ${mark}`);
    return { command: chooseFrom(random, kinds), marks: [mark] };
  }

  private transaction(random: Random, nextMark: () => number): Asked[] {
    const queued = Array.from({ length: integerBelow(random, 3) }, () =>
      this.plain(random, nextMark),
    );
    const marks = queued.flatMap((one) => one.marks);
    const isGuarded = random() < 0.2;
    const isSetting = random() < 0.15;
    if (isSetting) queued.push({ command: `SELECT ${integerBelow(random, 2)}`, marks: [] });
    return [
      ...(isGuarded ? [{ command: 'WATCH k', marks: [] }] : []),
      { command: 'MULTI', marks: [], isGuarded },
      ...queued.map(({ command }) => ({ command, marks: [], isGuarded })),
      { command: 'EXEC', marks, isGuarded, isSetting },
    ];
  }
}
