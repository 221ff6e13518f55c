/**
 * A headless Chromium, spoken to over two pipes in the DevTools protocol (`--remote-debugging-pipe`: JSON messages that
 * end in a zero byte). No driver library and no download: the browser is the system's own.
 */
import { writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { ManagedProcess, temporaryDirectory, type Cleanup } from './child-process.js';
import { eventually } from './eventually.js';

const FLAGS = [
  '--headless',
  // In a container there is often no user to whom the sandbox could be given; nothing but our own page is opened.
  '--no-sandbox',
  '--remote-debugging-pipe',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--hide-scrollbars',
  '--force-color-profile=srgb',
];

/** How a page is looked at. */
export interface View {
  readonly width: number;
  readonly height: number;
  /** Pixels of the picture per pixel of the page. */
  readonly scale?: number;
  readonly scheme?: 'light' | 'dark';
  readonly mobile?: boolean;
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

type Listener = (params: Record<string, unknown>) => void;

/** The browser's end of the two pipes. */
class Wire {
  #lastId = 0;
  #rest = '';
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Map<string, Listener>();

  constructor(
    private readonly toBrowser: Writable,
    fromBrowser: Readable,
  ) {
    toBrowser.on('error', () => undefined);
    fromBrowser.setEncoding('utf8').on('data', (text: string) => this.#read(text));
  }

  async send(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = (this.#lastId += 1);
    const answered = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.toBrowser.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answered;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  on(sessionId: string, method: string, listener: Listener): void {
    this.#listeners.set(`${sessionId} ${method}`, listener);
  }

  #read(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const message of messages) this.#take(JSON.parse(message) as Message);
  }

  #take(message: Message): void {
    if (message.id === undefined) {
      this.#listeners.get(`${message.sessionId} ${message.method}`)?.(message.params ?? {});
      return;
    }
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }
}

/** Starts a browser of the test's own; `t` ends it. */
export async function startBrowser(t: Cleanup): Promise<Browser> {
  const directory = temporaryDirectory(t, 'respool-browser-');
  const program = new ManagedProcess({
    file: 'chromium',
    args: [...FLAGS, `--user-data-dir=${directory}`],
    cwd: directory,
    // It keeps more in its home than in the directory that it is given.
    env: { ...process.env, HOME: directory },
    morePipes: 2,
  });
  t?.after(async () => void (await program.stop('SIGTERM', 2_000)));
  const [, , , toBrowser, fromBrowser] = program.child.stdio;
  const wire = new Wire(toBrowser as Writable, fromBrowser as Readable);
  const gone = program.exited().then((): never => {
    throw new Error(`chromium ended\n${program.output()}`);
  });
  // Only while it starts; later its end is the test's.
  gone.catch(() => undefined);
  await Promise.race([wire.send('Browser.getVersion'), gone]);
  return new Browser(wire);
}

export class Browser {
  constructor(private readonly wire: Wire) {}

  /** A tab, empty as yet. */
  async newTab(): Promise<Tab> {
    const { targetId } = await this.wire.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.wire.send('Target.attachToTarget', {
      targetId,
      flatten: true,
    });
    const tab = new Tab(this.wire, sessionId as string);
    await tab.begin();
    return tab;
  }
}

export class Tab {
  /** What the page has complained of: errors in its script, in the console, and what the browser refused it. */
  readonly complaints: string[] = [];
  /** All URLs that it has asked for. */
  readonly requests: string[] = [];

  constructor(
    private readonly wire: Wire,
    private readonly sessionId: string,
  ) {}

  async begin(): Promise<void> {
    const complain = (what: unknown): void => void this.complaints.push(JSON.stringify(what));
    this.#on('Runtime.exceptionThrown', complain);
    this.#on('Runtime.consoleAPICalled', complain);
    this.#on('Log.entryAdded', complain);
    this.#on('Network.requestWillBeSent', ({ request }) =>
      this.requests.push((request as { url: string }).url),
    );
    for (const domain of ['Page', 'Runtime', 'Log', 'Network'])
      await this.#send(`${domain}.enable`);
  }

  /** Opens a page and waits until its document is there. */
  async open(url: string): Promise<void> {
    const { errorText } = await this.#send('Page.navigate', { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText as string}`);
    await eventually('the document is there', () =>
      this.evaluate<boolean>(
        `document.readyState === 'complete' && location.href !== 'about:blank'`,
      ),
    );
  }

  /** The value of an expression in the page. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send('Runtime.evaluate', {
      expression,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** The text of the first element that `selector` finds; empty when there is none. */
  text(selector: string): Promise<string> {
    return this.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ''`);
  }

  async look({ width, height, scale = 1, scheme = 'light', mobile = false }: View): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: scale, mobile };
    await this.#send('Emulation.setDeviceMetricsOverride', metrics);
    const features = [{ name: 'prefers-color-scheme', value: scheme }];
    await this.#send('Emulation.setEmulatedMedia', { features });
  }

  /** Writes a picture to a PNG file: of the whole page, or of what can be seen without scrolling. */
  async picture(file: string, what: 'page' | 'view' = 'page'): Promise<void> {
    const captureBeyondViewport = what === 'page';
    const request = { format: 'png', captureBeyondViewport };
    const { data } = await this.#send('Page.captureScreenshot', request);
    writeFileSync(file, Buffer.from(data as string, 'base64'));
  }

  #on(method: string, listener: Listener): void {
    this.wire.on(this.sessionId, method, listener);
  }

  #send(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.wire.send(method, params, this.sessionId);
  }
}
