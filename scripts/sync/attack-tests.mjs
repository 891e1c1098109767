// Finds the tests that bear numbers of attack cases, by reading the sources of the specs.
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';

const NUMBERS = /^(?:[A-R]\d{2}\b(?:,? and|,|:)? ?)+/;
const TESTS = new Set(['it', 'test']);
const FOLDERS = ['apps', 'libs', 'test'];

/** All tests with numbers: { file: from the root without `.spec.ts`, title: with those of its groups, cases }. */
export function attackTests(root) {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.spec.ts'))
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  return files.sort().flatMap((file) =>
    testsIn(readFileSync(file, 'utf8')).map((test) => ({
      file: relative(root, file)
        .split(sep)
        .join('/')
        .replace(/\.spec\.ts$/, ''),
      ...test,
    })),
  );
}

/** Tests with numbers of one source text. A test bears the numbers that its own title or one of its groups' titles begins with. */
export function testsIn(source) {
  if (!/['"`][A-R]\d{2}\b/.test(source)) return [];
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true);
  const found = [];
  const walk = (node, titles) => {
    const block = blockOf(node, file);
    if (block === undefined) return ts.forEachChild(node, (child) => walk(child, titles));
    for (const title of block.titles) {
      const path = [...titles, title];
      const cases = [...new Set(path.flatMap(numbersOf))].sort();
      if (!block.isTest) ts.forEachChild(node, (child) => walk(child, path));
      else if (cases.length > 0) found.push({ title: path.join(' › '), cases });
    }
  };
  walk(file, []);
  return found;
}

export function numbersOf(title) {
  return NUMBERS.exec(title)?.[0].match(/[A-R]\d{2}/g) ?? [];
}

/** A call of `describe` (or what is named after it, as describeDatabases), `it` or `test`, also with `.each`; its titles are several when rows of a table name them. */
function blockOf(node, file) {
  if (!ts.isCallExpression(node)) return undefined;
  const name = rootName(node.expression);
  const [first] = node.arguments;
  if ((!name.startsWith('describe') && !TESTS.has(name)) || first === undefined) return undefined;
  const title = textOf(first);
  return title === undefined ? undefined : { isTest: TESTS.has(name), titles: titlesOf(title, node.expression, file) };
}

/** What a template fills in is known only to the run: %s. */
function textOf(node) {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.head.text + node.templateSpans.map(({ literal }) => `%s${literal.text}`).join('') : undefined;
}

function rootName(expression) {
  if (ts.isIdentifier(expression)) return expression.text;
  if (ts.isPropertyAccessExpression(expression) || ts.isCallExpression(expression)) return rootName(expression.expression);
  if (ts.isTaggedTemplateExpression(expression)) return rootName(expression.tag);
  return '';
}

function titlesOf(title, callee, file) {
  if (!/^%[sj]/.test(title) || !ts.isCallExpression(callee)) return [title];
  const named = rowsOf(callee.arguments[0], file).map(nameOfRow);
  return named.length > 0 ? named.map((name) => title.replace(/^%[sj]/, () => name)) : [title];
}

function rowsOf(table, file) {
  if (table === undefined) return [];
  if (ts.isAsExpression(table) || ts.isSatisfiesExpression(table)) return rowsOf(table.expression, file);
  if (ts.isArrayLiteralExpression(table)) return [...table.elements];
  if (ts.isCallExpression(table) && /^Object\.(?:entries|keys)$/.test(table.expression.getText(file)))
    return keysOf(table.arguments[0], file);
  const value = ts.isIdentifier(table) ? valueOf(table.text, file) : undefined;
  return value === undefined ? [] : rowsOf(value, file);
}

/** Names of the members of an object; of one that is made while the tests are, all names of the file that begin with numbers. */
function keysOf(object, file) {
  const value = ts.isIdentifier(object) ? valueOf(object.text, file) : object;
  const keys = [];
  const look = (node) => {
    if (ts.isPropertyAssignment(node) && ts.isStringLiteralLike(node.name) && numbersOf(node.name.text).length > 0) keys.push(node.name);
    ts.forEachChild(node, look);
  };
  if (value !== undefined && ts.isObjectLiteralExpression(value)) keys.push(...value.properties.map(({ name }) => name).filter(Boolean));
  else look(file);
  return keys;
}

function valueOf(name, file) {
  let value;
  const look = (node) => {
    if (ts.isVariableDeclaration(node) && node.name.getText(file) === name) value ??= node.initializer;
    ts.forEachChild(node, look);
  };
  look(file);
  return value;
}

function nameOfRow(row) {
  const cell = ts.isArrayLiteralExpression(row) ? row.elements[0] : row;
  return cell !== undefined && ts.isStringLiteralLike(cell) ? cell.text : '%s';
}
