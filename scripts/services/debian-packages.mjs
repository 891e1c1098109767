import { execFile } from 'node:child_process';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from '../toolchain/lock.mjs';
import { StepError, say } from '../toolchain/process.mjs';
import { exists, isRoot } from './server.mjs';

const INSTALL_MS = 10 * 60_000;
/** Asked by the packages' own scripts before they start a daemon: 101 forbids it. */
const DAEMON_POLICY = '/usr/sbin/policy-rc.d';

/**
 * Installs packages of Debian or Ubuntu, with their daemons kept from starting; the distribution's own signatures and mirrors. A StepError says what to
 * do where that cannot be: no apt here, or no root.
 */
export async function installDebianPackages(packages, { cache, name, instead }) {
  if (!(await exists('/usr/bin/apt-get'))) throw new StepError(`There is no ${name} here and no apt-get to install it: ${instead}.`);
  if (!isRoot) throw new StepError(`There is no ${name} here: run \`sudo apt-get install ${packages.join(' ')}\`, or ${instead}.`);
  await mkdir(cache, { recursive: true });
  await withLock(join(cache, 'apt.lock'), 'installing packages', () => withoutDaemons(() => install(packages, name)));
}

async function install(packages, name) {
  say(`Installing ${name} (${packages.join(', ')}) ...`);
  const options = { timeout: INSTALL_MS, maxBuffer: 2 ** 26, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  try {
    await promisify(execFile)('apt-get', ['update', '-qq'], options);
    await promisify(execFile)('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], options);
  } catch (error) {
    const last = String(error.stderr || error.message)
      .trim()
      .split('\n')
      .at(-1);
    throw new StepError(`${name} could not be installed: ${last}`);
  }
}

/** A policy that is there already is somebody's decision and stays. */
async function withoutDaemons(work) {
  const own = !(await exists(DAEMON_POLICY));
  if (own) {
    await writeFile(DAEMON_POLICY, '#!/bin/sh\nexit 101\n');
    await chmod(DAEMON_POLICY, 0o755);
  }
  try {
    await work();
  } finally {
    if (own) await rm(DAEMON_POLICY, { force: true });
  }
}
