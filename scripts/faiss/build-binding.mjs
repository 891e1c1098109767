// node scripts/faiss/build-binding.mjs [--to PATH]: the native part of FAISS for this machine, by default where the server looks for it.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { folders } from '../settings.mjs';
import { installDebianPackages } from '../services/debian-packages.mjs';
import { exists } from '../services/server.mjs';
import { ROOT, StepError, exitWith, isProgram, say } from '../toolchain/process.mjs';

const COMPILE_MS = 5 * 60_000;
const LOAD_MS = 30_000;
/** What the compiler needs beside itself; at run time libopenblas0 and libgomp1 are enough, FAISS is linked in where the library comes as an archive. */
export const PACKAGES = ['g++', 'libfaiss-dev', 'libopenblas-dev'];
const HEADERS = '/usr/include/faiss';
/** Where FAISS 1.7.3 (Debian 12) has the type of its ids; faiss-node wants it where later releases have it. */
const OLDER_IDS = '#pragma once\n#include <faiss/Index.h>\nnamespace faiss { using idx_t = Index::idx_t; }\n';

/** Beside dist: the default of FAISS_BINDING. */
export const USUAL_PLACE = join(ROOT, 'native', 'faiss-node.node');

/**
 * Makes faiss-node's binary at `target`: compiled from the package's own source against the FAISS of the distribution, installing what is missing as
 * root; where that cannot be, fetched as its authors published it. The file appears whole, and only once it could be loaded.
 */
export async function buildBinding(target) {
  const workshop = await mkdtemp(join(tmpdir(), 'sutazai-faiss-'));
  try {
    const made = (await prepared()) ? await compile(workshop) : await fetchPublished(workshop);
    await assertLoads(made);
    await mkdir(dirname(target), { recursive: true });
    // What was published brings its libraries beside it.
    if (basename(dirname(made)) === 'Release') await cp(dirname(made), dirname(target), { recursive: true });
    const draft = `${target}.${process.pid}`;
    await cp(made, draft);
    await rename(draft, target);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

/** Whether Node can load it here: a file of a cache is of no use where the libraries it needs are missing. */
export async function loads(path) {
  return exists(path).then(
    (there) =>
      there &&
      assertLoads(path).then(
        () => true,
        () => false,
      ),
  );
}

/** Whether everything is there to compile, after an attempt to install it. */
async function prepared() {
  if (process.platform !== 'linux') return false;
  if ((await runs('g++', ['--version'])) && (await exists(join(HEADERS, 'Index.h')))) return true;
  try {
    await installDebianPackages(PACKAGES, { cache: folders().servicesCache, name: 'FAISS', instead: 'have its published binary fetched' });
    return true;
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    say(error.message);
    return false;
  }
}

async function compile(workshop) {
  const source = packageFolder('faiss-node');
  const made = join(workshop, 'faiss-node.node');
  const ids = join(workshop, 'ids.h');
  const older = !/using idx_t/.test(await readFile(join(HEADERS, 'MetricType.h'), 'utf8'));
  await writeFile(ids, older ? OLDER_IDS : '#pragma once\n');
  const defines = ['NAPI_VERSION=8', 'NODE_GYP_MODULE_NAME=faiss_node', 'NAPI_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'];
  const includes = [await nodeHeaders(), packageFolder('node-addon-api', source)];
  const args = ['-O3', '-shared', '-fPIC', '-std=c++17', '-fopenmp'];
  args.push(...defines.map((name) => `-D${name}`), '-include', ids, ...includes.flatMap((folder) => ['-I', folder]));
  args.push(join(source, 'src', 'faiss.cc'), '-o', made, '-lfaiss', '-lopenblas', '-lgomp');
  try {
    await promisify(execFile)('g++', args, { timeout: COMPILE_MS, maxBuffer: 2 ** 26 });
  } catch (error) {
    throw new StepError(`The native part of FAISS could not be compiled: ${firstError(error)}`);
  }
  return made;
}

/** As faiss-node's own install script does it, which npm is not allowed to run here. */
async function fetchPublished(workshop) {
  say('Fetching the published binary of faiss-node ...');
  const place = join(workshop, 'package');
  await cp(packageFolder('faiss-node'), place, { recursive: true });
  const program = join(packageFolder('prebuild-install', packageFolder('faiss-node')), 'bin.js');
  try {
    await promisify(execFile)(process.execPath, [program, '--runtime', 'napi'], { cwd: place, timeout: COMPILE_MS });
  } catch (error) {
    throw new StepError(`The published binary of faiss-node could not be fetched: ${firstError(error)}`);
  }
  return join(place, 'build', 'Release', 'faiss-node.node');
}

/** Node's own headers lie beside it in every installation but some distributions'; a package has them, too. */
async function nodeHeaders() {
  const own = join(dirname(process.execPath), '..', 'include', 'node');
  if (await exists(join(own, 'node_api.h'))) return own;
  try {
    return join(packageFolder('node-api-headers'), 'include');
  } catch {
    throw new StepError(`Node's headers are not where they should be (${own}): use an installation of Node from nodejs.org.`);
  }
}

function packageFolder(name, from = ROOT) {
  const require = createRequire(join(from, 'package.json'));
  const found = require.resolve.paths(name)?.map((folder) => join(folder, name));
  for (const folder of found ?? []) {
    try {
      require(join(folder, 'package.json'));
      return folder;
    } catch {
      // Not in this folder.
    }
  }
  throw new StepError(`The package ${name} is not installed: run \`npm ci\`, with optional dependencies.`);
}

/** In a process of its own: a wrong binary may end it. */
async function assertLoads(path) {
  const args = [
    '-e',
    'const { IndexFlatL2 } = require(process.argv[1]); if (new IndexFlatL2(2).ntotal() !== 0) throw new Error("wrong")',
    path,
  ];
  try {
    await promisify(execFile)(process.execPath, args, { timeout: LOAD_MS });
  } catch (error) {
    throw new StepError(`The native part of FAISS was made, and cannot be loaded: ${firstError(error)}`);
  }
}

function runs(program, args) {
  return promisify(execFile)(program, args, { timeout: LOAD_MS }).then(
    () => true,
    () => false,
  );
}

function firstError(error) {
  const lines = String(error.stderr || error.message)
    .trim()
    .split('\n');
  return lines.find((line) => /error/i.test(line)) ?? lines.at(-1);
}

async function main(args) {
  const [flag, path, ...rest] = args;
  if ((flag !== undefined && (flag !== '--to' || path === undefined)) || rest.length > 0)
    throw new StepError('usage: npm run faiss:build [-- --to PATH]');
  const target = path === undefined ? USUAL_PLACE : resolve(path);
  await buildBinding(target);
  say(`The native part of FAISS is there${path === undefined ? '' : ': set FAISS_BINDING to it'}.`);
}

if (isProgram(import.meta.url)) await exitWith(() => main(process.argv.slice(2)));
