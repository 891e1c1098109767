// node prune.mjs FOLDER: takes out of an installation of packages what no running server reads: sources of compiled code, declarations, maps, manuals,
// programs for other processors. Licences stay (and THIRD_PARTY_NOTICES holds them all).
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const FILES = /\.(?:map|d\.[cm]?ts|tsbuildinfo|markdown)$|^(?!licen[cs]e|notice|copying).*\.md$/i;
/** Whole: what would only be used to build another llama.cpp on the spot, a compiler that packages merely wish for, a page that shows a package off. */
const WHOLE = ['node-llama-cpp/llama/gitRelease.bundle', 'node-llama-cpp/llama/xpack', 'typescript', 'tinyld/playground'];
/** Packages that hold a program for one processor under names of this form. */
const PROGRAMS = { folder: '@node-llama-cpp', other: (name) => !name.startsWith(`${process.platform}-${process.arch}`) };

/** Answers the bytes that were taken out. */
export function prune(modules) {
  let freed = 0;
  const remove = (path) => {
    freed += bytesOf(path);
    rmSync(path, { recursive: true, force: true });
  };
  for (const path of WHOLE) remove(join(modules, path));
  for (const name of namesIn(join(modules, PROGRAMS.folder)).filter(PROGRAMS.other)) remove(join(modules, PROGRAMS.folder, name));
  for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true }))
    if (entry.isFile() && isSuperfluous(entry.name)) remove(join(entry.parentPath, entry.name));
  return freed;
}

export function isSuperfluous(name) {
  return FILES.test(name);
}

/** What a file or a folder holds; 0 when it is not there. */
export function bytesOf(path) {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.isFile() ? found.size : 0;
  return namesIn(path).reduce((sum, name) => sum + bytesOf(join(path, name)), 0);
}

function namesIn(folder) {
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) throw new Error('usage: node prune.mjs FOLDER');
  const freed = prune(folder);
  process.stdout.write(`${(freed / 1e6).toFixed(0)} MB taken out, ${(bytesOf(folder) / 1e6).toFixed(0)} MB left.\n`);
}
