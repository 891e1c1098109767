// Python packages for the tests, installed by pip into a folder of their own below SERVICES_CACHE.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError } from '../toolchain/process.mjs';

const run = promisify(execFile);
const INTERPRETERS = ['python3', 'python'];
const PROBE_MS = 20_000;
const INSTALL_MS = 10 * 60_000;

/**
 * Answers the Python interpreter and the folder for its PYTHONPATH with the packages of `requirements` (a file with exact versions; where it has
 * hashes, pip takes nothing else); `dependencies: false` leaves out what they ask for. `name` begins the folder's name, `label` says in messages what it is. `offline` answers undefined instead of downloading.
 */
export async function ensurePythonPackages(packages) {
  const { name, label, requirements, dependencies = true, cache = folders().servicesCache, offline = false } = packages;
  const digest = createHash('sha256')
    .update(await readFile(requirements, 'utf8'))
    .digest('hex')
    .slice(0, 12);
  const folder = join(cache, `${name}-${digest}`);
  const there = await exists(folder);
  if (!there && offline) return undefined;
  const python = await findPython();
  if (python === undefined) throw new StepError('There is no Python with pip here: install python3 and python3-pip.');
  if (!there) await withLock(`${folder}.lock`, `installing ${label}`, () => install(python, { folder, label, requirements, dependencies }));
  return { python, path: folder };
}

async function install(python, { folder, label, requirements, dependencies }) {
  if (await exists(folder)) return;
  const workshop = `${folder}.new`;
  await rm(workshop, { recursive: true, force: true });
  await mkdir(dirname(workshop), { recursive: true });
  const options = ['--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--quiet', '--target', workshop];
  if (!dependencies) options.push('--no-deps');
  try {
    await run(python, ['-m', 'pip', 'install', ...options, '-r', requirements], { timeout: INSTALL_MS, maxBuffer: 16 << 20 });
  } catch (error) {
    const reason = String(error.stderr ?? error.message)
      .trim()
      .split('\n')
      .at(-1);
    throw new StepError(`${label} could not be installed: ${reason}`);
  }
  await rename(workshop, folder);
}

async function findPython() {
  for (const python of INTERPRETERS) {
    const works = await run(python, ['-m', 'pip', '--version'], { timeout: PROBE_MS }).then(
      () => true,
      () => false,
    );
    if (works) return python;
  }
  return undefined;
}

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}
