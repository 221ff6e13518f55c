/**
 * `respool status --watch`: looks once a second until it is asked to stop. On a terminal the picture is drawn in place;
 * elsewhere (a file, a pipe) there is a line when something has happened, and while something is the matter another one
 * every ten seconds. A sidecar that is gone is said to be, and asked again.
 */
import { formatSeconds, printable } from '../base/figures.js';
import { formatAddress, type TcpAddress } from '../config/addresses.js';
import { situationOf } from '../proxy/situation.js';
import type { SidecarStatus } from '../proxy/status.js';
import { fetchStatus } from './fetch-status.js';
import type { CliHost } from './host.js';
import { Terminal, type Line } from './terminal.js';
import { renderScreen } from './watch-screen.js';

/** The part of the process that watching needs. */
export type WatchHost = Pick<CliHost, 'stdout' | 'sleep' | 'onStopSignal' | 'clock' | 'env'>;

/** What one look found. */
type Look = SidecarStatus | Error;

interface View {
  show(look: Look): void;
  close(): void;
}

const REFRESH_MS = 1000;
const SAY_AGAIN_MS = 10_000;
const RATES_SHOWN = 60;

/** Resolves with 0 when it is asked to stop. */
export async function watchStatus(host: WatchHost, admin: TcpAddress): Promise<number> {
  let isStopped = false;
  const stopped = new Promise<null>((resolve) => {
    host.onStopSignal(() => {
      isStopped = true;
      resolve(null);
    });
  });
  const view = host.stdout.isTTY ? new Screen(host, admin) : new Lines(host, admin);
  try {
    while (!isStopped) {
      const look = await Promise.race([fetchStatus(admin), stopped]);
      if (look !== null) view.show(look);
      await Promise.race([host.sleep(REFRESH_MS), stopped]);
    }
  } finally {
    // Whatever happened: the terminal is somebody's.
    view.close();
  }
  return 0;
}

/** Since when there has been no word, and why. */
class Silence {
  private sinceMs: number | null = null;

  constructor(
    private readonly host: WatchHost,
    private readonly admin: TcpAddress,
  ) {}

  heard(): void {
    this.sinceMs = null;
  }

  sentence(problem: Error): string {
    const now = this.host.clock.now();
    this.sinceMs ??= now;
    const since = formatSeconds((now - this.sinceMs) / 1000);
    const reason = printable(problem.message);
    return `No word from the sidecar at ${formatAddress(this.admin)} for ${since} (${reason}). Trying again.`;
  }
}

class Screen implements View {
  private readonly terminal: Terminal;
  private readonly silence: Silence;
  private rates: readonly number[] = [];
  private picture: readonly Line[] = [];
  /** What the sidecar said last. */
  private said: readonly Line[] = [];

  constructor(
    host: WatchHost,
    private readonly admin: TcpAddress,
  ) {
    const isPlain = (host.env.NO_COLOR ?? '') !== '' || host.env.TERM === 'dumb';
    this.terminal = new Terminal(host.stdout, !isPlain);
    this.silence = new Silence(host, admin);
  }

  show(look: Look): void {
    this.picture = look instanceof Error ? this.pictureOfSilence(look) : this.pictureOf(look);
    this.terminal.show(this.picture);
  }

  close(): void {
    this.terminal.leave(this.picture);
  }

  private pictureOf(status: SidecarStatus): readonly Line[] {
    this.silence.heard();
    this.rates = [...this.rates, status.commands.perSecond].slice(-RATES_SHOWN);
    const { columns } = this.terminal;
    const admin = formatAddress(this.admin);
    this.said = renderScreen({ status, rates: this.rates, admin, columns });
    return this.said;
  }

  /** What was said last stays readable below. */
  private pictureOfSilence(problem: Error): readonly Line[] {
    const before = this.said.map((line): Line => line.map(([text]) => [text, 'dim']));
    return [[[`✖ ${this.silence.sentence(problem)}`, 'danger']], [], ...before];
  }
}

class Lines implements View {
  private readonly silence: Silence;
  private headline: string | null = null;
  private saidAtMs = 0;

  constructor(
    private readonly host: WatchHost,
    admin: TcpAddress,
  ) {
    this.silence = new Silence(host, admin);
  }

  show(look: Look): void {
    if (look instanceof Error)
      return this.say('gone', this.silence.sentence(look), 'gone', 'repeat');
    this.silence.heard();
    const { tone, headline, sentence } = situationOf(look);
    this.say(look.condition, sentence, headline, tone === 'good' ? 'once' : 'repeat');
  }

  close(): void {
    // Each line is complete.
  }

  private say(word: string, sentence: string, headline: string, how: 'once' | 'repeat'): void {
    const { clock, stdout } = this.host;
    const isOld = how === 'repeat' && clock.now() - this.saidAtMs >= SAY_AGAIN_MS;
    if (headline === this.headline && !isOld) return;
    this.headline = headline;
    this.saidAtMs = clock.now();
    stdout.write(`${new Date(clock.wallMs()).toISOString()} ${word.padEnd(9)} ${sentence}\n`);
  }
}
