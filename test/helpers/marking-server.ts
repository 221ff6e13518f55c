/**
 * The far end of fake streams for tests that are about order alone: it answers each command with a mark that tells whose
 * reply it is (`GET 17` with `17`, `RPUSH l 18` with `:18`), and notes what it has run. It knows transactions, because
 * order is what they are about, and no data: it imitates no Redis.
 */
import type { FakeStream, FakeTransport } from './fake-transport.js';

interface Connection {
  readonly stream: FakeStream;
  isOpen: boolean;
  /** Received and not run. */
  waiting: string[];
  /** Queued since MULTI; null outside a transaction. */
  queue: string[] | null;
}

export class MarkingServer {
  /** The writes that have taken effect, in order: `RPUSH l 18`. */
  readonly ran: string[] = [];
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
      this.connections.push({ stream, isOpen: false, waiting: [], queue: null });
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
    const [name] = command.split(' ');
    const { queue } = connection;
    switch (name) {
      case 'MULTI':
        connection.queue = [];
        return '+OK\r\n';
      case 'DISCARD':
        connection.queue = null;
        return '+OK\r\n';
      case 'EXEC': {
        if (queue === null) return '-ERR EXEC without MULTI\r\n';
        connection.queue = null;
        return `*${queue.length}\r\n${queue.map((one) => this.effect(one)).join('')}`;
      }
      default:
        if (queue === null) return this.effect(command);
        queue.push(command);
        return '+QUEUED\r\n';
    }
  }

  private effect(command: string): string {
    const [name, ...words] = command.split(' ');
    if (name === 'CLIENT') return '+OK\r\n';
    if (name !== 'GET') this.ran.push(command);
    const mark = words.at(-1)!;
    return name === 'RPUSH' ? `:${mark}\r\n` : `$${mark.length}\r\n${mark}\r\n`;
  }
}
