/**
 * The far end of fake streams for tests that are about order alone: it answers each command with a mark that tells whose
 * reply it is (`GET 17` with `17`, `RPUSH l 18` with `:18`), and notes what it has run. It knows transactions, because
 * order is what they are about, and no data: it imitates no Redis. Scripts push (`EVALSHA <sha1> 1 l 19`); it may forget
 * them, and one of them may run too long.
 */
import { createHash } from 'node:crypto';
import type { FakeStream, FakeTransport } from './fake-transport.js';

interface Connection {
  readonly stream: FakeStream;
  isOpen: boolean;
  /** Received and not run. */
  waiting: string[];
  /** Queued since MULTI; null outside a transaction. */
  queue: string[] | null;
  /** Something was refused since MULTI. */
  isSpoiled: boolean;
}

const BUSY =
  'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.';
/** Seen on Redis 7.0. */
const SERVED_WHEN_BUSY: ReadonlySet<string> = new Set([
  ...['MULTI', 'DISCARD', 'WATCH', 'AUTH', 'HELLO'],
]);

const HAS_NO_MARK: ReadonlySet<string> = new Set(['CLIENT', 'PING', 'WATCH', 'SELECT']);

export class MarkingServer {
  /** The writes that have taken effect, in order: `RPUSH l 18`. */
  readonly ran: string[] = [];
  /** A script runs: whatever comes is refused. */
  isBusy = false;
  /** The sha1s of the scripts that it has, until they are flushed. */
  readonly scripts = new Set<string>();
  private connections: Connection[] = [];

  constructor(private transport: FakeTransport) {}

  /** The transport that is in use from now on. */
  use(transport: FakeTransport): void {
    if (transport === this.transport) return;
    this.transport = transport;
    this.connections = [];
  }

  /** Opens what was asked for, and takes in what was sent. */
  listen(): void {
    for (const stream of this.transport.streams.slice(this.connections.length))
      this.connections.push({ stream, isOpen: false, waiting: [], queue: null, isSpoiled: false });
    for (const connection of this.alive) {
      if (!connection.isOpen) connection.stream.open();
      connection.isOpen = true;
      connection.waiting.push(...connection.stream.sentCommands());
    }
  }

  /** Runs and answers up to `count` commands of the connection at `place` among those that have something to do. */
  answer(place: number, count: number): void {
    this.listen();
    const busy = this.alive.filter(({ waiting }) => waiting.length > 0);
    const connection = busy[place % Math.max(1, busy.length)];
    if (connection === undefined) return;
    const replies = connection.waiting.splice(0, count).map((one) => this.run(connection, one));
    connection.stream.say(replies.join(''));
  }

  /** Answers everything that comes; returns whether there was anything. */
  answerAll(): boolean {
    this.listen();
    const busy = this.alive.filter(({ waiting }) => waiting.length > 0);
    busy.forEach(() => this.answer(0, Infinity));
    return busy.length > 0;
  }

  /** A connection is lost; of what it had received and not answered, `alsoRan` commands have run. */
  lose(place: number, alsoRan: number): void {
    this.listen();
    const { alive } = this;
    const connection = alive[place % Math.max(1, alive.length)];
    if (connection === undefined) return;
    connection.waiting.splice(0, alsoRan).forEach((one) => this.run(connection, one));
    connection.stream.ending = 'reset';
    connection.stream.close();
  }

  private get alive(): Connection[] {
    return this.connections.filter(({ stream }) => stream.ending === null);
  }

  private run(connection: Connection, command: string): string {
    const name = command.split(' ')[0]!;
    const { queue } = connection;
    if (this.isBusy && !SERVED_WHEN_BUSY.has(name)) return this.refuse(connection, name);
    switch (name) {
      case 'MULTI':
        connection.queue = [];
        connection.isSpoiled = false;
        return '+OK\r\n';
      case 'DISCARD':
        connection.queue = null;
        return '+OK\r\n';
      case 'EXEC': {
        if (queue === null) return '-ERR EXEC without MULTI\r\n';
        connection.queue = null;
        if (connection.isSpoiled)
          return '-EXECABORT Transaction discarded because of previous errors.\r\n';
        return `*${queue.length}\r\n${queue.map((one) => this.effect(one)).join('')}`;
      }
      default:
        if (queue === null) return this.effect(command);
        queue.push(command);
        return '+QUEUED\r\n';
    }
  }

  private refuse(connection: Connection, name: string): string {
    if (name !== 'EXEC') {
      connection.isSpoiled = true;
      return `-${BUSY}\r\n`;
    }
    connection.queue = null;
    return `-EXECABORT Transaction discarded because of: ${BUSY}\r\n`;
  }

  private effect(command: string): string {
    const [name, ...words] = command.split(' ');
    if (HAS_NO_MARK.has(name!)) return '+OK\r\n';
    if (name === 'EVAL' || name === 'EVALSHA') return this.script(name, words);
    if (name !== 'GET') this.ran.push(command);
    const mark = words.at(-1)!;
    return name === 'RPUSH' ? `:${mark}\r\n` : `$${mark.length}\r\n${mark}\r\n`;
  }

  private script(name: 'EVAL' | 'EVALSHA', words: readonly string[]): string {
    const [script, , list, mark] = words as [string, string, string, string];
    if (name === 'EVAL') this.scripts.add(sha1(script));
    else if (!this.scripts.has(script)) return '-NOSCRIPT No matching script. Please use EVAL.\r\n';
    this.ran.push(`RPUSH ${list} ${mark}`);
    return `:${mark}\r\n`;
  }
}

/** As Redis knows scripts. */
export function sha1(source: string): string {
  return createHash('sha1').update(source).digest('hex');
}
