// The client of Docker Compose, for checking docker-compose.yml: it needs no Docker for that. As a program: prints its path, or why it cannot be had.
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError, exitWith, isProgram } from '../toolchain/process.mjs';
import { exists } from './server.mjs';

/** Of Debian 13, which has it as one program that runs on Debian 12 too. */
const VERSION = '2.26.1';
const SUITE = 'trixie';
const PROGRAM = join('usr', 'libexec', 'docker', 'cli-plugins', 'docker-compose');
const DEADLINE_MS = 3 * 60_000;
const INSTEAD = 'install Docker Compose 2.24 or newer as `docker-compose`';

/** The path of the program; the one of the PATH where it is new enough, else a copy below SERVICES_CACHE. `offline` answers undefined instead of downloading. */
export async function ensureCompose({ cache = folders().servicesCache, offline = false } = {}) {
  if (await isRecent('docker-compose')) return 'docker-compose';
  const target = join(cache, `compose-${VERSION}`, 'docker-compose');
  if (await exists(target)) return target;
  if (offline) return undefined;
  await withLock(join(cache, `compose-${VERSION}.lock`), 'getting Docker Compose', async () => {
    if (!(await exists(target))) await download(target);
  });
  return target;
}

async function isRecent(program) {
  const said = await run(program, ['version', '--short']).catch(() => '');
  const [major, minor] = said.trim().replace(/^v/, '').split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 24);
}

/**
 * apt reads the package of the next Debian from the machine's own mirror, with lists and a cache of this call's own: nothing of the system is
 * changed or installed, and apt checks the signatures.
 */
async function download(target) {
  if (!(await exists('/usr/bin/apt-get'))) throw new StepError(`There is no Docker Compose and no apt-get here: ${INSTEAD}.`);
  const workshop = `${target}.new`;
  await rm(workshop, { recursive: true, force: true });
  try {
    for (const folder of ['lists/partial', 'cache/archives/partial']) await mkdir(join(workshop, folder), { recursive: true });
    await writeFile(join(workshop, 'sources.list'), `deb ${await mirror()} ${SUITE} main\n`);
    const options = optionsIn(workshop);
    await run('apt-get', [...options, 'update', '-qq'], workshop);
    await run('apt-get', [...options, 'download', '-qq', `docker-compose/${SUITE}`], workshop);
    const [file] = (await readdir(workshop)).filter((name) => name.endsWith('.deb'));
    await run('dpkg-deb', ['-x', file, 'unpacked'], workshop);
    const program = join(workshop, 'unpacked', PROGRAM);
    if (!(await isRecent(program))) throw new Error('the program does not run here');
    await copyFile(program, `${workshop}/docker-compose`);
    await chmod(`${workshop}/docker-compose`, 0o755);
    await rename(`${workshop}/docker-compose`, target);
  } catch (error) {
    const [last] = String(error.stderr || error.message)
      .trim()
      .split('\n')
      .slice(-1);
    throw new StepError(`Docker Compose could not be got from Debian (${last}): ${INSTEAD}.`);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

function optionsIn(folder) {
  const places = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::Cache': join(folder, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '1',
    'Acquire::http::Timeout': '20',
    // Who may write the folder is the caller alone.
    'APT::Sandbox::User': '',
  };
  return Object.entries(places).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Where this machine's own packages of Debian come from. */
async function mirror() {
  const lines = await run('apt-get', ['indextargets', '--format', '$(SITE) $(ORIGIN)', 'Created-By: Packages']);
  const sites = lines
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[0]);
  const site = sites.find((each) => /\/debian\/?$/.test(each));
  if (site === undefined) throw new Error('this machine has no mirror of Debian');
  return site;
}

async function run(program, args, cwd) {
  const { stdout } = await promisify(execFile)(program, args, { cwd, timeout: DEADLINE_MS, maxBuffer: 2 ** 26 });
  return stdout;
}

if (isProgram(import.meta.url)) await exitWith(async () => void process.stdout.write(`${await ensureCompose()}\n`));
