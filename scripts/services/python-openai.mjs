// node scripts/services/python-openai.mjs: installs the official Python client of OpenAI for the tests.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { ROOT, StepError, exitWith, isProgram, say } from '../toolchain/process.mjs';

const run = promisify(execFile);
const REQUIREMENTS = join(ROOT, 'test', 'clients', 'requirements.txt');
const INTERPRETERS = ['python3', 'python'];
const PROBE_MS = 20_000;
const INSTALL_MS = 10 * 60_000;

/**
 * Answers the Python interpreter and the folder for its PYTHONPATH, below SERVICES_CACHE, into which pip has put the packages of
 * test/clients/requirements.txt. `offline` answers undefined instead of downloading.
 */
export async function ensurePythonOpenai({ cache = folders().servicesCache, offline = false } = {}) {
  const requirements = await readFile(REQUIREMENTS, 'utf8');
  const digest = createHash('sha256').update(requirements).digest('hex').slice(0, 12);
  const folder = join(cache, `python-openai-${digest}`);
  const there = await exists(folder);
  if (!there && offline) return undefined;
  const python = await findPython();
  if (python === undefined) throw new StepError('There is no Python with pip here: install python3 and python3-pip.');
  if (!there) await withLock(`${folder}.lock`, 'installing the Python client', () => install(python, folder));
  return { python, path: folder };
}

async function install(python, folder) {
  if (await exists(folder)) return;
  const workshop = `${folder}.new`;
  await rm(workshop, { recursive: true, force: true });
  await mkdir(dirname(workshop), { recursive: true });
  const options = ['--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--quiet', '--target', workshop];
  try {
    await run(python, ['-m', 'pip', 'install', ...options, '-r', REQUIREMENTS], { timeout: INSTALL_MS, maxBuffer: 16 << 20 });
  } catch (error) {
    const reason = String(error.stderr ?? error.message)
      .trim()
      .split('\n')
      .at(-1);
    throw new StepError(`The Python client could not be installed: ${reason}`);
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

async function main() {
  const { path } = await ensurePythonOpenai();
  say(`The Python client is in ${path}.`);
  return 0;
}

if (isProgram(import.meta.url)) await exitWith(main);
