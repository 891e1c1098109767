import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CATALOGUE } from '../models/catalogue.mjs';
import { folders } from '../settings.mjs';
import { withLock } from '../toolchain/lock.mjs';
import { StepError, say } from '../toolchain/process.mjs';
import { answers, exists, startServer } from './server.mjs';

const VERSION = '0.6.5';
const MODULE = `github.com/ollama/ollama@v${VERSION}`;
const BUILD_MS = 15 * 60_000;
const STOP_MS = 5_000;
/** The built-in models by the names that Ollama's own library gives them. */
export const OLLAMA_NAMES = { 'smollm2-135m-instruct': 'smollm2:135m-instruct-q4_1', 'all-minilm-l6-v2': 'all-minilm:l6-v2' };

/**
 * Starts an Ollama of its own on loopback with the two built-in models imported, and answers once it can chat: `url`, `port`, and what `startServer`
 * gives. `environment` adds variables of Ollama's own; `models` are slugs of the catalogue. The program is the one named `ollama` on the path, or is
 * built once from the Go module proxy into SERVICES_CACHE.
 */
export async function startOllama({ directory, port, environment = {}, models = Object.keys(OLLAMA_NAMES) } = {}) {
  const program = await ensureOllama();
  const server = await startServer({
    name: 'Ollama',
    directory,
    port,
    stopMs: STOP_MS,
    command: ({ directory: home, port: own }) => ({
      program,
      args: ['serve'],
      environment: {
        OLLAMA_HOST: `127.0.0.1:${own}`,
        OLLAMA_MODELS: join(home, 'models'),
        OLLAMA_NUM_PARALLEL: '1',
        ...environment,
      },
    }),
    ready: ({ port: own }) => answers(`http://127.0.0.1:${own}/api/version`),
  });
  Object.assign(server, { url: `http://127.0.0.1:${server.port}` });
  try {
    for (const slug of models) await importModel(server, slug);
  } catch (error) {
    await server.stop();
    throw error;
  }
  return server;
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

/** The file becomes a blob of the store under its digest, and the model is made of it. One thread: more collapse on shared cores. */
async function importModel({ url, directory }, slug) {
  const { name: file, sha256 } = CATALOGUE.find((entry) => entry.slug === slug);
  const source = join(folders().modelsDir, file);
  if (!(await exists(source))) throw new StepError(`${source} is not there: run \`npm run models -- fetch\`.`);
  const blobs = join(directory, 'models', 'blobs');
  await mkdir(blobs, { recursive: true });
  await copyFile(source, join(blobs, `sha256-${sha256}`), constants.COPYFILE_FICLONE);
  const body = { model: OLLAMA_NAMES[slug], files: { [file]: `sha256:${sha256}` }, parameters: { num_thread: 1 }, stream: false };
  const answer = await fetch(`${url}/api/create`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`Ollama could not import ${file}: ${answer.status} ${await answer.text()}`);
}

async function present(command, args) {
  return promisify(execFile)(command, args, { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}
