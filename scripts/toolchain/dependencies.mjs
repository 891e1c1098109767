import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { npm } from './npm.mjs';
import { ROOT, say } from './process.mjs';

const LOCKFILE = join(ROOT, 'package-lock.json');
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.install-stamp');

/** Makes node_modules what the lockfile says, by `npm ci` under the given Node; a matching stamp makes it one file read. */
export async function ensureDependencies(node) {
  if (isInstalled()) return;
  await withLock(join(ROOT, '.cache', 'toolchain.lock'), 'installing dependencies', async () => {
    if (isInstalled()) return;
    if (!agreesWithLockfile()) await install(node);
    writeFileSync(STAMP, lockfileHash());
  });
}

async function install(node) {
  say('Installing dependencies from the lockfile (about a minute, once) ...');
  const started = Date.now();
  // The lockfile's versions were old enough when they were locked (deploy/published.json): npm need not ask for each one's day again.
  await npm(node, ['ci', '--min-release-age=0'], 'Installing dependencies');
  say(`Dependencies are ready (${((Date.now() - started) / 1000).toFixed(0)} s).`);
}

function isInstalled() {
  return read(STAMP) === lockfileHash();
}

function lockfileHash() {
  return createHash('sha256').update(readFileSync(LOCKFILE)).digest('hex');
}

/** True when what npm noted in node_modules is already what the lockfile asks for, as after a developer's own `npm install`. */
function agreesWithLockfile() {
  const noted = read(join(MODULES, '.package-lock.json'));
  if (noted === undefined) return false;
  const present = JSON.parse(noted).packages;
  const wanted = JSON.parse(readFileSync(LOCKFILE, 'utf8')).packages;
  const missing = Object.entries(wanted).filter(([path, entry]) => path && !entry.optional && present[path]?.version !== entry.version);
  const foreign = Object.entries(present).filter(([path, entry]) => wanted[path]?.version !== entry.version);
  return missing.length === 0 && foreign.length === 0;
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
