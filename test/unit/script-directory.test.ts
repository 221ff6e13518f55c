import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readScriptDirectory } from '../../src/script/script-directory.js';
import { temporaryDirectory } from '../helpers/child-process.js';

test('the .lua files of a folder are read as they are, in the order of their names', async (t) => {
  const directory = temporaryDirectory(t);
  writeFileSync(join(directory, 'b.lua'), 'return 2\n');
  writeFileSync(join(directory, 'a.lua'), Buffer.from([0xff, 0, 13, 10]));
  writeFileSync(join(directory, 'empty.lua'), '');
  writeFileSync(join(directory, 'README'), 'not a script');
  mkdirSync(join(directory, '..data'));
  writeFileSync(join(directory, '..data', 'real'), 'return 3');
  // As Kubernetes mounts a ConfigMap.
  symlinkSync(join('..data', 'real'), join(directory, 'c.lua'));
  assert.deepEqual(await readScriptDirectory(directory), [
    Buffer.from([0xff, 0, 13, 10]),
    Buffer.from('return 2\n'),
    Buffer.from('return 3'),
    Buffer.alloc(0),
  ]);
});

test('what cannot be read is named', async (t) => {
  const directory = temporaryDirectory(t);
  await assert.rejects(
    readScriptDirectory(join(directory, 'gone')),
    /gone" cannot be read: ENOENT/,
  );
  mkdirSync(join(directory, 'folder.lua'));
  await assert.rejects(readScriptDirectory(directory), /folder\.lua" cannot be read: EISDIR/);
});

test('a folder with more than anybody means is refused before it is read', async (t) => {
  const directory = temporaryDirectory(t);
  const file = join(directory, 'dump.lua');
  writeFileSync(file, '');
  truncateSync(file, 2 ** 40);
  await assert.rejects(readScriptDirectory(directory), /dump\.lua" is too much/);
});
