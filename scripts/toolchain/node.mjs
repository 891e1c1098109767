import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { npm } from './npm.mjs';
import { ROOT, StepError, say } from './process.mjs';

const VERSION = '24.21.0';
const TOOLS = join(ROOT, '.tools');
const BINARY = join(TOOLS, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const STAMP = join(TOOLS, `.node-${VERSION}`);

/** True for the Node versions this product runs on: 24.15 and newer of the 24 line. */
export function isSuitable(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 24 && minor >= 15;
}

/** Answers the path of a suitable Node: the running one, else the repository's own, installed on the first call. */
export async function ensureNode() {
  if (isSuitable(process.versions.node)) return process.execPath;
  if (!isReady()) await withLock(join(ROOT, '.cache', 'toolchain.lock'), 'installing Node', install);
  return BINARY;
}

async function install() {
  if (isReady() || adopt()) return;
  say(`Node ${process.versions.node} is too old here: getting Node ${VERSION} into .tools (about 50 MB, once) ...`);
  const started = Date.now();
  const args = ['install', '--no-save', '--no-package-lock', '--ignore-scripts=false', '--prefix', TOOLS, `node@${VERSION}`];
  await npm(process.execPath, args, `Getting Node ${VERSION}`);
  if (!adopt()) throw new StepError(`The Node ${VERSION} just installed at ${BINARY} does not run on this machine.`);
  say(`Node ${VERSION} is ready (${((Date.now() - started) / 1000).toFixed(0)} s).`);
}

function isReady() {
  return existsSync(STAMP) && existsSync(BINARY);
}

/** Runs the binary once before trusting it: an interrupted install leaves a file that does not start. */
function adopt() {
  try {
    const version = execFileSync(BINARY, ['-p', 'process.versions.node'], { encoding: 'utf8', timeout: 30_000 }).trim();
    if (version !== VERSION) return false;
    writeFileSync(STAMP, `${version}\n`);
    return true;
  } catch {
    return false;
  }
}
