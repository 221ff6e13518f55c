/**
 * Checks manifests against Kubernetes' API without a cluster: `kubernetes-types` are the API's own OpenAPI definitions as
 * TypeScript, and a literal of such a type may have neither a field too many nor one of the wrong type, nor lack one.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import ts from 'typescript';
import type { Manifest } from './kustomize.js';
import { projectRoot } from './project.js';

/** Where `kubernetes-types` has the types of each API. */
const MODULES: Readonly<Record<string, string>> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'batch/v1': 'batch/v1',
};

/** What is wrong with the manifests, one sentence each; empty when they are as the API wants them. */
export function findTypeProblems(manifests: readonly Manifest[]): string[] {
  const statements = manifests.map((manifest, index) => {
    const module = MODULES[manifest.apiVersion];
    assert.ok(module, `${manifest.apiVersion} has types`);
    const type = `import('kubernetes-types/${module}.js').${manifest.kind}`;
    return `export const manifest${index}: ${type} = ${JSON.stringify(manifest, null, 2)};\n`;
  });
  // A file that is not there, in the project's place, so that its packages are found.
  const file = join(projectRoot, 'manifests-of-deploy.ts');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    types: [],
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const disk = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...disk,
    fileExists: (path) => path === file || disk.fileExists(path),
    readFile: (path) => (path === file ? statements.join('') : disk.readFile(path)),
    getSourceFile: (path, languageVersion) =>
      path === file
        ? ts.createSourceFile(path, statements.join(''), languageVersion)
        : disk.getSourceFile(path, languageVersion),
  };
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
