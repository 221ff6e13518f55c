/** What the Dockerfile says of how its image runs: command, environment, user, stop signal, health check. */
import assert from 'node:assert/strict';
import { parseDockerfile, parseEnv, parseExecForm, textsOf } from './dockerfile.js';
import { readProjectFile } from './project.js';

export interface Image {
  readonly entrypoint: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: { readonly uid: number; readonly gid: number };
  readonly stopSignal: string;
  readonly healthcheck: readonly string[];
}

/** The image of Respool, under whatever tag deploy/ names it. */
export function respoolImage(): Image {
  const stage = parseDockerfile(readProjectFile('Dockerfile')).at(-1);
  assert.ok(stage);
  const text = (name: string): string => textsOf(stage, name).join(' ');
  const [uid = 0, gid = 0] = text('USER').split(':').map(Number);
  return {
    entrypoint: parseExecForm(text('ENTRYPOINT')),
    env: parseEnv(text('ENV')),
    user: { uid, gid },
    stopSignal: text('STOPSIGNAL'),
    healthcheck: parseExecForm(text('HEALTHCHECK')),
  };
}
