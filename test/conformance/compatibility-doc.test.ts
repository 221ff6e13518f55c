/** docs/compatibility.md says what the tests accept and mask, no more and no less. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProjectFile } from '../helpers/project.js';
import { renderCompatibilityDoc } from './compatibility-doc.js';

test('docs/compatibility.md is made from the tables of the conformance tests', () => {
  assert.equal(
    readProjectFile('docs/compatibility.md'),
    renderCompatibilityDoc(),
    'stale: run "npm run docs" and commit the result',
  );
});
