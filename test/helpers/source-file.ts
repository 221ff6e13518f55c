/**
 * What a source file uses, read with the TypeScript parser: the raw material of the architecture
 * test, which judges it. Comments and strings that merely mention something do not count.
 */
import ts from 'typescript';

/** One module that a file imports, re-exports, or resolves at run time. */
export interface ModuleUse {
  readonly module: string;
  /**
   * Names that exist at run time; of a default or namespace import those that the file uses of it
   * (`net.connect`); `*` for a dynamic import or a resolved path.
   */
  readonly values: readonly string[];
}

export interface SourceFacts {
  readonly modules: readonly ModuleUse[];
  /** Globals of interest in the order of use: `process.env`, `Date.now`, `setTimeout()`, `node:timers` … */
  readonly globals: readonly string[];
}

const MEMBERS = new Set([
  'process.env',
  'process.hrtime',
  'Date.now',
  'performance.now',
  'Math.random',
]);
const FUNCTIONS = new Set(['setTimeout', 'setInterval']);

/** Reads one file's facts; `path` only names it in the parser's messages. */
export function sourceFacts(path: string, text: string): SourceFacts {
  const root = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const modules: ModuleUse[] = [];
  const globals: string[] = [];
  const visit = (node: ts.Node): void => {
    const module = moduleUse(node, root);
    if (module !== null) modules.push(module);
    if (module !== null && /^node:timers/.test(module.module)) globals.push('node:timers');
    const used = globalUse(node);
    if (used !== null) globals.push(used);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return { modules, globals };
}

function moduleUse(node: ts.Node, root: ts.SourceFile): ModuleUse | null {
  if (ts.isImportDeclaration(node)) {
    return {
      module: textOf(node.moduleSpecifier),
      values: importedValues(node.importClause, root),
    };
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    return { module: textOf(node.moduleSpecifier), values: node.isTypeOnly ? [] : ['*'] };
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return { module: textOf(node.argument.literal), values: [] };
  }
  if (ts.isCallExpression(node) && isLoading(node.expression)) {
    const [argument] = node.arguments;
    if (argument !== undefined && ts.isStringLiteralLike(argument)) {
      return { module: argument.text, values: ['*'] };
    }
  }
  return null;
}

/** `import(…)`, `require(…)`, `require.resolve(…)` and `import.meta.resolve(…)`. */
function isLoading(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return /^(require|require\.resolve|import\.meta\.resolve)$/.test(callee.getText());
}

function importedValues(clause: ts.ImportClause | undefined, root: ts.SourceFile): string[] {
  if (clause === undefined || clause.isTypeOnly) return [];
  const values = clause.name === undefined ? [] : membersUsed(clause.name.text, root);
  const bindings = clause.namedBindings;
  if (bindings === undefined) return values;
  if (ts.isNamespaceImport(bindings)) return [...values, ...membersUsed(bindings.name.text, root)];
  for (const element of bindings.elements) {
    if (!element.isTypeOnly) values.push((element.propertyName ?? element.name).text);
  }
  return values;
}

/** `connect` of `net.connect(…)` for the name `net`; types (`net.Socket` after a colon) are not values. */
function membersUsed(name: string, root: ts.SourceFile): string[] {
  const members = new Set<string>();
  const visit = (node: ts.Node): void => {
    const isMember = ts.isPropertyAccessExpression(node) && node.expression.getText() === name;
    if (isMember) members.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return [...members];
}

function globalUse(node: ts.Node): string | null {
  if (ts.isPropertyAccessExpression(node)) {
    const text = node.getText().replace(/^globalThis\./, '');
    return MEMBERS.has(text) ? text : null;
  }
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date') {
    return (node.arguments?.length ?? 0) === 0 ? 'new Date()' : null;
  }
  if (ts.isCallExpression(node)) {
    const text = node.expression.getText().replace(/^globalThis\./, '');
    return FUNCTIONS.has(text) ? `${text}()` : null;
  }
  return null;
}

function textOf(node: ts.Node): string {
  return ts.isStringLiteralLike(node) ? node.text : node.getText();
}
