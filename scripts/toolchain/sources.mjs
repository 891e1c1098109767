import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import { ROOT } from './process.mjs';

const TREES = ['apps', 'libs'];
const SETTINGS = ['.swcrc', 'tsconfig.json', 'package-lock.json', join('scripts', 'build.mjs')];

/** Every file the build turns into output, as sorted paths relative to the root: specs and notes are not among them. */
export function sourceFiles() {
  return TREES.flatMap((tree) => walk(tree)).sort();
}

/** One hash over the names and contents of everything the output depends on, so that any pull or edit is noticed. */
export function sourceHash() {
  const hash = createHash('sha256');
  for (const path of [...SETTINGS, ...sourceFiles()]) {
    hash.update(`${path.split(sep).join('/')}\0`);
    hash.update(readFileSync(join(ROOT, path)));
    hash.update('\0');
  }
  return hash.digest('hex');
}

function walk(folder) {
  return list(join(ROOT, folder)).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return walk(path);
    return /\.(spec\.ts|md)$/.test(entry.name) ? [] : [path];
  });
}

function list(folder) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}
