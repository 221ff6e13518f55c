/**
 * Scripted cases: what several connections do in turn, where one command and one reply are not
 * enough. A scenario runs once against the server and once through the target; both runs record
 * what every connection received, and the two transcripts must be the same.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { encodeCommand, type RawClient } from '../helpers/raw-client.js';
import { RESET_ALL, type Words } from './fixture.js';
import { collect, type Outcome, type Pair, type Protocol, type Side } from './lock-step.js';
import { sameExec, sameReply } from './masks.js';
import { describeOutcome, escaped, type Difference } from './report.js';

/** One scripted case. */
export interface Scenario {
  readonly title: string;
  /** Commands whose success path is run here and nowhere else. */
  readonly covers?: readonly string[];
  /** Without it, both. */
  readonly protocols?: readonly Protocol[];
  readonly run: (stage: Stage) => Promise<void>;
}

/** What one connection received after it (or another one) had sent something. */
interface Step {
  readonly actor: string;
  readonly sent: string;
  /** The key of masks; for EXEC the queued commands. */
  readonly command: string | readonly string[];
  readonly outcome: Outcome;
}

const CONTAINERS =
  /^(acl|client|cluster|command|config|function|latency|memory|module|object|pubsub|script|slowlog|xgroup|xinfo)$/;
const QUIET_MS = 60;
const CLOSING_MS = 5_000;
const UNTIL_MS = 20_000;

/** One run of a scenario on one side. */
export class Stage {
  readonly protocol: Protocol;
  readonly transcript: Step[] = [];
  readonly #side: Side;
  readonly #actors: Actor[] = [];

  constructor(side: Side, protocol: Protocol) {
    this.#side = side;
    this.protocol = protocol;
  }

  /** A new connection; it says HELLO 3 first where the scenario runs in RESP3. */
  async open(name = 'client', protocol: Protocol = this.protocol): Promise<Actor> {
    const actor = new Actor(name, await this.#side.connect(protocol), this);
    this.#actors.push(actor);
    return actor;
  }

  /** Straight to the server, unrecorded; returns the reply as text. */
  async admin(...words: Words): Promise<string> {
    this.#side.admin.write(encodeCommand(...words));
    return (await this.#side.admin.readFrame()).toString('latin1');
  }

  /** Waits until the server itself says so in INFO, e.g. `blocked_clients:1`. */
  async until(infoLine: string): Promise<void> {
    const deadline = performance.now() + UNTIL_MS;
    while (!(await this.admin('INFO')).includes(`${infoLine}\r\n`)) {
      if (performance.now() > deadline) throw new Error(`never ${infoLine}`);
      await pause(5);
    }
  }

  get patienceMs(): number {
    return this.#side.patienceMs;
  }

  async end(): Promise<void> {
    await Promise.all(this.#actors.map((actor) => actor.close()));
  }
}

/** One connection of a scenario. */
export class Actor {
  readonly name: string;
  readonly #client: RawClient;
  readonly #stage: Stage;
  #sent = '';

  constructor(name: string, client: RawClient, stage: Stage) {
    this.name = name;
    this.#client = client;
    this.#stage = stage;
  }

  /** Sends a command and records its one reply. */
  async do(...words: Words): Promise<void> {
    this.send(...words);
    await this.receive(1, maskOf(words));
  }

  /** Sends a command and reads nothing. */
  send(...words: Words): void {
    this.raw(encodeCommand(...words));
  }

  /** Sends bytes (latin1) as they are and reads nothing. */
  raw(bytes: string | Buffer): void {
    this.#sent += (this.#sent === '' ? '' : ' ') + escaped(bytes);
    this.#client.write(bytes);
  }

  /** Sends EXEC and records its reply, each element masked as the command it answers. */
  async exec(...commands: string[]): Promise<void> {
    this.send('EXEC');
    await this.receive(1, commands);
  }

  /** Records the next `count` frames, or what comes instead. */
  async receive(count = 1, command: string | readonly string[] = ''): Promise<void> {
    this.#record(command, await collect(this.#client, count, this.#stage.patienceMs));
  }

  /** Records everything up to the closing of the connection, and that it closes. */
  async closes(): Promise<void> {
    const rest = await this.#client.readUntilClose(CLOSING_MS).catch(() => null);
    const text = rest?.toString('latin1') ?? '';
    this.#record('', { frames: [], ending: rest === null ? 'silent' : 'closed', rest: text });
  }

  /** Records that nothing arrives for a moment, or what does. */
  async quiet(): Promise<void> {
    const heard = await this.#client.expectSilence(QUIET_MS).then(
      () => '',
      (error: Error) => error.message,
    );
    this.#record('', { frames: [], ending: heard === '' ? 'open' : 'garbage', rest: heard });
  }

  /** A number the server said, unrecorded: for ids that the next command needs. */
  async number(...words: Words): Promise<string> {
    this.#client.write(encodeCommand(...words));
    return (await this.#client.readFrame()).toString('latin1').slice(1).trimEnd();
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  #record(command: string | readonly string[], outcome: Outcome): void {
    this.#stage.transcript.push({ actor: this.name, sent: this.#sent, command, outcome });
    this.#sent = '';
  }
}

/** Runs every scenario on both sides; returns what differed, at most one difference per scenario. */
export async function runScenarios(
  pair: Pair,
  scenarios: readonly Scenario[],
): Promise<Difference[]> {
  const differences: Difference[] = [];
  for (const scenario of scenarios) {
    for (const protocol of scenario.protocols ?? [2, 3]) {
      await pair.reset(RESET_ALL);
      const [direct, through] = await Promise.all([
        play(scenario, pair.direct, protocol),
        play(scenario, pair.through, protocol),
      ]);
      const mode = `${scenario.title}, RESP${protocol}`;
      if (direct.error !== null) throw new Error(`${mode}: ${direct.error}`);
      differences.push(...compare(mode, direct, through));
    }
  }
  return differences;
}

interface Played {
  readonly transcript: readonly Step[];
  readonly error: string | null;
}

async function play(scenario: Scenario, side: Side, protocol: Protocol): Promise<Played> {
  const stage = new Stage(side, protocol);
  let error: string | null = null;
  try {
    await scenario.run(stage);
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause);
  }
  await stage.end();
  return { transcript: stage.transcript, error };
}

/** The first step that differs says it all: the ones after it follow from it. */
function compare(mode: string, direct: Played, through: Played): Difference[] {
  const steps = Math.max(direct.transcript.length, through.transcript.length);
  for (let i = 0; i < steps; i += 1) {
    const [one, other] = [direct.transcript[i], through.transcript[i]];
    if (one !== undefined && other !== undefined && sameStep(one, other)) continue;
    const command = String(one?.command ?? other?.command);
    const before = direct.transcript.slice(Math.max(0, i - 6), i).map(sentBy);
    const sent = [...before, one === undefined ? '' : sentBy(one)].join('\n            ');
    const shown = (step: Step | undefined, error: string | null): string =>
      step === undefined
        ? `nothing: ${error ?? 'the scenario is over'}`
        : describeOutcome(step.outcome);
    const [left, right] = [shown(one, direct.error), shown(other, through.error)];
    return [{ mode, command, sent, direct: left, through: right }];
  }
  if (through.error === null) return [];
  return [{ mode, command: '', sent: '', direct: 'all steps done', through: through.error }];
}

function sentBy({ actor, sent }: Step): string {
  return `${actor}: ${sent === '' ? '(waits)' : sent}`;
}

function sameStep(one: Step, other: Step): boolean {
  const [a, b] = [one.outcome, other.outcome];
  if (a.ending !== b.ending || a.rest !== b.rest || a.frames.length !== b.frames.length)
    return false;
  return a.frames.every((frame, i) => {
    const twin = b.frames[i];
    if (twin === undefined) return false;
    const { command } = one;
    return typeof command === 'string'
      ? sameReply(command, frame, twin)
      : sameExec(command, frame, twin);
  });
}

function maskOf(words: Words): string {
  const [first = '', second = ''] = words.map((word) => word.toString().toLowerCase());
  return CONTAINERS.test(first) && second !== '' ? `${first}|${second}` : first;
}
