import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { CATALOGUE } from '../models/catalogue.mjs';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError, say } from '../toolchain/process.mjs';
import { family, gone, killAll, signal } from './processes.mjs';
import { freePort } from './server.mjs';

const VERSION = '0.6.5';
const MODULE = `github.com/ollama/ollama@v${VERSION}`;
const BUILD_MS = 15 * 60_000;
const READY_MS = 30_000;
const STOP_MS = 5_000;
const POLL_MS = 30;
/** The built-in models by the names that Ollama's own library gives them. */
export const OLLAMA_NAMES = { 'smollm2-135m-instruct': 'smollm2:135m-instruct-q4_1', 'all-minilm-l6-v2': 'all-minilm:l6-v2' };

/**
 * Starts an Ollama of its own on loopback with the two built-in models imported, and answers once it can chat: `url`, `port`, `pid`, `directory` (kept
 * when given); `stop()` ends it with its runners and removes a directory made here; `kill()` is `kill -9` of the whole family; `restart()` starts it again on
 * the same port and models. `environment` adds variables of Ollama's own. The program is the one named `ollama` on the path, or is built
 * once from the Go module proxy into SERVICES_CACHE.
 */
export async function startOllama({ environment = {}, models = Object.keys(OLLAMA_NAMES), directory, port } = {}) {
  const program = await ensureOllama();
  const own = directory === undefined;
  const home = directory ?? (await mkdtemp(join(tmpdir(), 'sutazai-ollama-')));
  await mkdir(home, { recursive: true });
  const server = { program, home, environment, port: port ?? (await freePort()), child: undefined };
  try {
    await launch(server);
    for (const slug of models) await importModel(server, slug);
  } catch (error) {
    await end(server);
    if (own) await rm(home, { recursive: true, force: true });
    throw error;
  }
  return control(server, own);
}

/** The path of the program; `offline` answers undefined instead of building it. */
export async function ensureOllama({ cache = folders().servicesCache, offline = false } = {}) {
  const folder = join(cache, `ollama-${VERSION}`);
  const program = join(folder, 'ollama');
  if (await exists(program)) return program;
  const installed = await present('ollama', ['--version']);
  if (installed) return 'ollama';
  if (offline) return undefined;
  if (!(await present('go', ['version']))) {
    throw new StepError('There is neither an `ollama` nor a Go compiler here: set TEST_OLLAMA_URL to a server of yours.');
  }
  await withLock(`${folder}.lock`, 'building Ollama', async () => {
    if (!(await exists(program))) await build(folder);
  });
  return program;
}

async function build(folder) {
  const workshop = `${folder}.new`;
  await rm(workshop, { recursive: true, force: true });
  await mkdir(workshop, { recursive: true });
  say(`Building Ollama ${VERSION} from its Go module, once (about 2 minutes) ...`);
  try {
    const environment = { ...process.env, GOFLAGS: '-mod=mod', GOBIN: workshop };
    await promisify(execFile)('go', ['install', '-ldflags=-s -w', MODULE], { env: environment, timeout: BUILD_MS, maxBuffer: 2 ** 26 });
    await rename(workshop, folder);
  } catch (error) {
    throw new StepError(
      `Ollama ${VERSION} could not be built: ${String(error.stderr || error.message)
        .trim()
        .split('\n')
        .at(-1)}`,
    );
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
}

function control(server, own) {
  return {
    url: `http://127.0.0.1:${server.port}`,
    port: server.port,
    directory: server.home,
    log: () => readFile(join(server.home, 'ollama.log'), 'utf8'),
    get pid() {
      return server.child.pid;
    },
    async stop() {
      await end(server);
      if (own) await rm(server.home, { recursive: true, force: true });
    },
    async kill() {
      process.off('exit', server.onExit);
      if (isRunning(server)) await killAll(family(server.child.pid));
    },
    async restart() {
      await end(server);
      await launch(server);
    },
  };
}

async function launch(server) {
  const log = await open(join(server.home, 'ollama.log'), 'a');
  const env = {
    PATH: process.env.PATH,
    HOME: server.home,
    OLLAMA_HOST: `127.0.0.1:${server.port}`,
    OLLAMA_MODELS: join(server.home, 'models'),
    OLLAMA_NUM_PARALLEL: '1',
    ...server.environment,
  };
  const [command, args] =
    process.platform === 'linux' ? ['setpriv', ['--pdeathsig', 'TERM', server.program, 'serve']] : [server.program, ['serve']];
  server.child = spawn(command, args, { cwd: server.home, env, stdio: ['ignore', log.fd, log.fd], detached: true });
  server.child.once('error', (error) => (server.failure = error));
  await log.close();
  server.onExit = () => isRunning(server) && family(server.child.pid).forEach((pid) => signal(pid, 'SIGKILL'));
  process.once('exit', server.onExit);
  await ready(server);
}

async function ready(server) {
  const deadline = Date.now() + READY_MS;
  for (;;) {
    if (server.failure) throw server.failure;
    if (!isRunning(server)) throw new Error(`Ollama ended at once: ${await tail(join(server.home, 'ollama.log'))}`);
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/version`, { signal: AbortSignal.timeout(1_000) }).catch(
      () => undefined,
    );
    if (answer?.ok) return;
    if (Date.now() > deadline) throw new Error(`Ollama did not answer within ${READY_MS / 1000} s`);
    await delay(POLL_MS);
  }
}

/** The file becomes a blob of the store under its digest, and the model is made of it. One thread: more collapse on shared cores. */
async function importModel(server, slug) {
  const { name: file, sha256 } = CATALOGUE.find((entry) => entry.slug === slug);
  const source = join(folders().modelsDir, file);
  if (!(await exists(source))) throw new StepError(`${source} is not there: run \`npm run models -- fetch\`.`);
  const blobs = join(server.home, 'models', 'blobs');
  await mkdir(blobs, { recursive: true });
  await copyFile(source, join(blobs, `sha256-${sha256}`), constants.COPYFILE_FICLONE);
  const body = { model: OLLAMA_NAMES[slug], files: { [file]: `sha256:${sha256}` }, parameters: { num_thread: 1 }, stream: false };
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/create`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`Ollama could not import ${file}: ${answer.status} ${await answer.text()}`);
}

async function end(server) {
  if (server.onExit) process.off('exit', server.onExit);
  if (server.child === undefined || !isRunning(server)) return;
  const members = family(server.child.pid);
  signal(server.child.pid, 'SIGTERM');
  await gone(members, STOP_MS).catch(() => killAll(members));
}

function isRunning({ child }) {
  return child !== undefined && child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function present(command, args) {
  return promisify(execFile)(command, args, { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}

async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function tail(path) {
  return (await readFile(path, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' | ');
}
