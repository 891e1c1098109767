// npm run image:prove: does outside of Docker what deploy/Dockerfile does inside, says what it will weigh, and starts the API and the FAISS service
// from it as they run there: as user 10001, without rights, on a tree that cannot be written. Without Linux and root only the sum is shown.
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { refusal } from '../confinement/confinement.mjs';
import { freePort } from '../services/server.mjs';
import { folders } from '../settings.mjs';
import { npm } from '../toolchain/npm.mjs';
import { NODE_FLAGS, ROOT, StepError, exitWith, run, say } from '../toolchain/process.mjs';
import { copiesOf, stagesOf } from './dockerfile.mjs';
import { bytesOf, prune } from './prune.mjs';

const MEGABYTE = 1e6;
const LIMIT_MB = 600;
const USER = '10001';
const READY_MS = 60_000;
/** Those that need no other server. */
const PROGRAMS = ['dist/apps/api/src/main.js', 'dist/apps/faiss/src/main.js'];
/** Arguments: the tree, a folder that may be written to, and the program with its own. */
const MOUNTS = [
  'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"',
  `mount -t tmpfs -o uid=${USER},gid=${USER},mode=0700 tmpfs "$2"`,
  `cd "$1" && shift 2 && exec setpriv --reuid ${USER} --regid ${USER} --clear-groups --no-new-privs --inh-caps -all --bounding-set -all -- "$@"`,
].join(' && ');
/**
 * What lies below our own files, in MB: Debian 12 "slim", Node with its headers and npm as its image has them (the layer that takes npm out again does
 * not make it smaller), OpenBLAS with its Fortran library and OpenMP. Rounded up from what their packages name as installed size.
 */
const BASE = { 'Debian 12 slim': 80, 'Node 24 with headers and npm': 215, 'OpenBLAS, OpenMP': 50 };

await exitWith(async () => {
  const place = mkdtempSync(join(tmpdir(), 'sutazai-image-'));
  try {
    const app = join(place, 'app');
    const parts = await assemble(place, app);
    const total = show({ ...BASE, ...parts });
    if (total > LIMIT_MB) throw new StepError(`The image would be larger than ${LIMIT_MB} MB.`);
    const reason = refusal();
    if (reason === undefined) for (const program of PROGRAMS) await start(program, app, place);
    else say(`Not started: ${reason}.`);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

/** Every COPY of the last stage; answers the MB of each part. */
async function assemble(place, app) {
  const stages = stagesOf();
  const folder = await installed(place);
  await runStage(
    stages.find(({ name }) => name === 'faiss'),
    folder,
  );
  prune(join(folder, 'node_modules'));
  const made = { pruned: folder, faiss: folder, compiled: ROOT };
  const parts = {};
  for (const { from, sources, target } of copiesOf(stages.at(-1))) {
    for (const source of sources) {
      const path = from === undefined ? join(ROOT, source) : join(made[from], source.replace(/^\/build\//, ''));
      copyInto(app, path, source, target);
      const name = from === undefined ? 'scripts, licences' : target;
      parts[name] = (parts[name] ?? 0) + bytesOf(path) / MEGABYTE;
    }
  }
  return parts;
}

/** The packages for running, as the image gets them. */
async function installed(place) {
  const folder = join(place, 'build');
  mkdirSync(folder);
  for (const file of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(ROOT, file), join(folder, file));
  await npm(process.execPath, ['ci', '--omit=dev', '--min-release-age=0', '--prefix', folder], 'Installing the packages of the image');
  return folder;
}

/** What a stage copies from the context, and the scripts that it runs there. */
async function runStage(stage, folder) {
  for (const { sources, target } of copiesOf(stage)) for (const source of sources) copyInto(folder, join(ROOT, source), source, target);
  for (const { text } of stage.instructions.filter(({ keyword, text: line }) => keyword === 'RUN' && line.startsWith('node '))) {
    const code = await run(process.execPath, text.split(' ').slice(1), { cwd: folder, stdio: ['ignore', process.stderr, process.stderr] });
    if (code !== 0) throw new StepError(`${text} ended with ${code}.`);
  }
}

/** A target that ends with / is a folder. */
function copyInto(folder, path, source, target) {
  const to = join(folder, target.endsWith('/') ? join(target, source.split('/').at(-1)) : target);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(path, to, { recursive: true, dereference: true });
}

function show(parts) {
  for (const [name, size] of Object.entries(parts)) process.stdout.write(`${size.toFixed(1).padStart(7)} MB  ${name}\n`);
  const total = Object.values(parts).reduce((sum, size) => sum + size, 0);
  process.stdout.write(`${total.toFixed(1).padStart(7)} MB  in all, at most ${LIMIT_MB}\n`);
  return total;
}

/** One program of the image, on a data directory and a port of its own. */
async function start(program, app, place) {
  const port = await freePort();
  const binary = join(place, 'node');
  cpSync(process.execPath, binary);
  const data = mkdtempSync(join(place, 'data-'));
  execFileSync('chmod', ['-R', 'go+rX', place]);
  const env = { HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: '0', DATA_DIR: join(data, 'own'), HOME: data, TMPDIR: data };
  const args = ['--mount', '--propagation', 'private', '/bin/sh', '-c', MOUNTS, 'sh', app, data, binary, ...NODE_FLAGS, program];
  const options = { env: { PATH: process.env.PATH, MODELS_DIR: folders().modelsDir, ...env }, stdio: ['ignore', 'ignore', 'pipe'] };
  const child = spawn('unshare', args, options);
  let said = '';
  child.stderr.on('data', (bytes) => (said += bytes));
  const ended = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  try {
    await untilReady(child, `http://127.0.0.1:${port}/readyz`, () => said);
    process.stdout.write(`${program}: ${identityOf(child.pid)}, on a tree that is read-only, and /readyz answers 200\n`);
  } finally {
    child.kill('SIGTERM');
    const code = await ended;
    process.stdout.write(`${program}: ended by SIGTERM with ${code}\n`);
  }
}

function identityOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const uid = /^Uid:\s+(\d+)/m.exec(status)?.[1];
  const rights = /^CapEff:\s+(\w+)/m.exec(status)?.[1];
  if (uid !== USER || Number(`0x${rights}`) !== 0) throw new StepError(`It runs as ${uid} with the rights ${rights}.`);
  return `user ${uid}, rights ${rights}`;
}

async function untilReady(child, url, said) {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new StepError(`It did not start from the image's files: ${said().slice(-2_000)}`);
    const ready = await fetch(url, { signal: AbortSignal.timeout(1_000) }).then(
      (answer) => answer.ok,
      () => false,
    );
    if (ready) return;
    await delay(100);
  }
}
