import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../toolchain/process.mjs';

/**
 * The packages of package-lock.json, each by its place: `path`, `name` (what is really installed there, also under an alias),
 * `alias`, `version`, `integrity`, `license`, `dev`, `optional`, `installScript` and `entry`, the lockfile's own words. The lockfile
 * names the packages of every platform, so that whatever is made of it is the same everywhere.
 */
export function lockedPackages(lockfile = readLockfile()) {
  return Object.entries(lockfile.packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => {
      const alias = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
      return {
        path,
        alias,
        name: entry.name ?? alias,
        version: entry.version,
        integrity: entry.integrity,
        license: entry.license,
        dev: entry.dev === true,
        optional: entry.optional === true,
        installScript: entry.hasInstallScript === true,
        entry,
      };
    });
}

/** What is installed without the development dependencies, optional packages of all platforms included. */
export function productionPackages(lockfile = readLockfile()) {
  return lockedPackages(lockfile).filter(({ dev }) => !dev);
}

/** One of each name and version, in the order of their bytes; two copies are one required package as soon as one of them is required. */
export function distinct(packages) {
  const found = new Map();
  for (const each of packages) {
    const key = `${each.name}@${each.version}`;
    const known = found.get(key);
    if (known === undefined || (known.optional && !each.optional)) found.set(key, each);
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

/** The package that `from` (a path of the lockfile, '' for the root) gets when it asks for `name`; undefined when that one is left out. */
export function resolved(lockfile, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (lockfile.packages[path] !== undefined) return path;
    if (folder === '') return undefined;
  }
}

export function readLockfile() {
  return JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
}
