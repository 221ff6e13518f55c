/** `respool check` without a process of its own: the real questions, and a page for what it prints. */
import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../../src/base/clock.js';
import type { CliHost, Output } from '../../src/cli/host.js';
import { dialUpstream } from '../../src/sidecar/sidecar.js';
import { lookAround } from '../../src/sidecar/surroundings.js';

/** Collects what a command prints. */
export class Page implements Output {
  text = '';
  readonly isTTY = false;
  write(text: string | Uint8Array): void {
    this.text += String(text);
  }
}

export class CheckHost implements CliHost {
  readonly stdout = new Page();
  readonly stderr = new Page();
  readonly clock = systemClock;
  readonly dialUpstream = dialUpstream;
  readonly lookAround = lookAround;
  readonly createSidecar = unused;
  readonly enterAsOwner = unused;
  readonly onStopSignal = unused;
  readonly onReloadSignal = unused;
  readonly sleep = unused;

  constructor(
    readonly argv: readonly string[],
    readonly env: Readonly<Record<string, string>> = {},
  ) {}

  readonly readFile = (path: string): string => readFileSync(path, 'utf8');
  readonly readDirectory = (path: string): readonly string[] => readdirSync(path);
}

function unused(): never {
  throw new Error('check does not need this');
}
