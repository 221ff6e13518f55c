/** Documentation that is made from the program's tables is what the tables say; `npm run docs` makes it again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VERSION } from '../../src/base/version.js';
import { renderConfigurationDoc } from '../../src/config/docs.js';
import { renderMetricsDoc } from '../../src/metrics/docs.js';
import { renderRoutingDoc } from '../../src/proxy/docs.js';
import { readProjectFile } from '../helpers/project.js';

const STALE = 'stale: run "npm run docs" and commit the result';

test('docs/configuration.md is made from the table of options', () => {
  assert.equal(readProjectFile('docs/configuration.md'), renderConfigurationDoc(), STALE);
});

test('docs/metrics.md is made from the table of metrics', () => {
  assert.equal(readProjectFile('docs/metrics.md'), renderMetricsDoc(), STALE);
});

test('docs/routing.md is the full product of effects and positions', () => {
  assert.equal(readProjectFile('docs/routing.md'), renderRoutingDoc(), STALE);
});

test('the program has the version of its package', () => {
  const { version } = JSON.parse(readProjectFile('package.json')) as { version: string };
  assert.equal(VERSION, version);
});
