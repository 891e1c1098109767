import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { folders } from '../settings.mjs';
import { ROOT, runForeground } from '../toolchain/process.mjs';

const USER = 10_001;
const PLACE = 'sutazai-confined-';

/**
 * Why a program cannot be confined here; undefined when it can. Linux and root are needed to make the mounts, and a kernel that lets
 * root make a mount namespace (a container may forbid it).
 */
export function refusal() {
  if (process.platform !== 'linux') return `there are no mount namespaces on ${process.platform}`;
  if (process.getuid() !== 0) return 'only root may make the mounts';
  try {
    const mounts = 'mount -t tmpfs tmpfs /tmp && mount --bind /tmp /mnt && mount -o remount,bind,ro /mnt && setpriv --version';
    execFileSync('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-c', mounts], { stdio: 'pipe', timeout: 10_000 });
    return undefined;
  } catch (error) {
    return `mounts are refused: ${String(error.stderr ?? '').trim() || error.message}`;
  }
}

/**
 * Runs Node with the arguments that `argumentsFor` answers (paths are from the repository's root), as user 10001, without capabilities
 * and without a way to get any, on a machine that is read-only but for a temporary folder in memory and the caller's folder `results`,
 * whose name inside is given to `argumentsFor` and `env`, which answers the environment. Answers the exit code; 97 means that the confinement did not hold.
 */
export async function runConfined(argumentsFor, { env: environmentFor, results }) {
  const place = mkdtempSync(join(tmpdir(), PLACE));
  const { servicesCache } = folders();
  mkdirSync(servicesCache, { recursive: true });
  chownSync(results, USER, USER);
  const enter = join(ROOT, 'scripts', 'confinement', 'enter.sh');
  const places = [place, ROOT, dirname(process.execPath), servicesCache, results];
  const inside = join(place, 'results');
  const program = [join(place, 'node', basename(process.execPath)), ...argumentsFor(inside)];
  const options = { env: environmentFor(inside) };
  try {
    return await runForeground('unshare', ['--mount', '--propagation', 'private', '/bin/sh', enter, ...places, ...program], options);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** A file of the repository, from its root, by its path inside the confinement or outside. */
export function pathInTree(path) {
  const [, inside] = path.split(new RegExp(`/${PLACE}[^/]+/tree/`));
  return inside ?? relative(ROOT, path);
}
