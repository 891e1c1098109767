import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, StepError } from '../toolchain/process.mjs';
import { distinct, productionPackages } from './lockfile.mjs';

const TEXTS = /^(?:licen[cs]e|copying|copyright|notice)/i;
const RULE = '='.repeat(80);
const HEADER = `THIRD-PARTY NOTICES

The SutazAI Platform is installed together with the packages below. Each keeps its own licence; its text follows the packages that bear
it, word by word. Optional packages, most of them the binaries of one platform, are named at the end: their texts lie in the packages.
`;

/**
 * The licences of everything that is installed for running, with their texts. The texts are read from node_modules, of the packages
 * that every platform has; the lockfile says the rest, so that the outcome is the same on each.
 */
export function notices() {
  const packages = distinct(productionPackages());
  const required = packages.filter(({ optional }) => !optional);
  const sections = [...byText(required).entries()].map(([text, bearers]) => `${RULE}\n${bearers.join('\n')}\n\n${text}\n`);
  const optional = packages.filter((each) => each.optional).map(titleOf);
  return [HEADER, ...sections, `${RULE}\nOptional packages\n\n${optional.join('\n')}\n`].join('\n');
}

/** The texts in the order of the first package that bears each, with all that bear it. */
function byText(packages) {
  const found = new Map();
  for (const each of packages) {
    for (const text of textsOf(each)) found.set(text, [...(found.get(text) ?? []), titleOf(each)]);
  }
  return found;
}

function textsOf({ path, name, version, license }) {
  const folder = join(ROOT, path);
  const files = list(folder).filter((file) => TEXTS.test(file));
  if (files.length > 0) return [files.map((file) => clean(readFileSync(join(folder, file), 'utf8'))).join('\n\n')];
  const { author, homepage, version: present } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (present !== version) throw new StepError(`${path} holds ${name} ${present}, the lockfile ${version}: run npm ci.`);
  const who = typeof author === 'string' ? author : author?.name;
  const words = [who && `by ${who}`, homepage && `see ${homepage}`].filter(Boolean).join(', ');
  return [`The package brings no text; it names ${license}${words ? `: ${words}` : ''}.`];
}

/** Plain files only; in the order of their bytes, which no language of a machine changes. */
function list(folder) {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (error.code === 'ENOENT') throw new StepError(`${folder} is not installed: run npm ci.`);
    throw error;
  }
}

function clean(text) {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/\r\n?/g, '\n')
    .replace(/[ \t]+$/gm, '')
    .replace(/\f/g, '')
    .trim();
}

function titleOf({ name, version, license }) {
  return `${name} ${version} (${license})`;
}
