import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PROGRAMS_IN, ensurePostgres, runnableByOthers } from './installation.mjs';
import { freePort } from './server.mjs';
import { family, gone, killAll, signal } from './processes.mjs';

/** Between finding a free port and listening somebody else may take it. */
const PORTS_TRIED = 5;
const READY_MS = 30_000;
const INITDB_MS = 60_000;
const STOP_MS = 10_000;
const POLL_MS = 30;
const NOBODY = 65_534;
// Letters beyond ASCII must have upper and lower case; macOS has no C.UTF-8.
const LOCALE = process.platform === 'linux' ? 'C.UTF-8' : 'en_US.UTF-8';
const isRoot = process.getuid?.() === 0;

/**
 * Starts a PostgreSQL 16 with pgvector of its own on loopback and answers once it takes connections: `url` (superuser "app"),
 * `pid`, `port`, `directory`; `stop()` shuts it down in order and removes a directory made here; `kill()` is `kill -9` of the
 * server with all its children and resolves when they are gone; `restart()` starts it again on the same data and port.
 * `directory` (data, log, password) must lie where others may pass; `settings` are server parameters, `fsync` stays on unless set.
 */
export async function startPostgres({ directory, port, settings = {} } = {}) {
  const own = directory === undefined;
  const home = directory ?? (await mkdtemp(join(tmpdir(), 'sutazai-postgres-')));
  const server = { home, settings, child: undefined };
  try {
    await prepare(server);
    await launch(server, port ? [port] : await freePorts());
  } catch (error) {
    if (own) await rm(home, { recursive: true, force: true });
    throw error;
  }
  return control(server, own);
}

function control(server, own) {
  return {
    url: `postgres://app:${server.password}@127.0.0.1:${server.port}/postgres`,
    port: server.port,
    directory: server.home,
    get pid() {
      return server.child.pid;
    },
    async stop() {
      await shutDown(server);
      if (own) await rm(server.home, { recursive: true, force: true });
    },
    async kill() {
      process.off('exit', server.onExit);
      if (!isRunning(server)) return;
      // Gone is gone for everybody only once this process has collected it.
      const collected = ended(server.child);
      await killAll(family(server.child.pid));
      await collected;
    },
    async restart() {
      await shutDown(server);
      await launch(server, [server.port]);
    },
  };
}

/** Makes the data directory on the first start; a second one finds it, and the password beside it. */
async function prepare(server) {
  await mkdir(server.home, { recursive: true });
  if (isRoot) await chown(server.home, NOBODY, NOBODY);
  const installation = await ensurePostgres();
  server.programs = join(isRoot ? await runnableByOthers(installation, server.home) : installation, PROGRAMS_IN);
  server.data = join(server.home, 'data');
  const passwordFile = join(server.home, 'password');
  if (!(await stat(server.data).catch(() => undefined))) {
    await writeFile(passwordFile, randomBytes(12).toString('hex'), { mode: 0o600 });
    if (isRoot) await chown(passwordFile, NOBODY, NOBODY);
    await initialise(server, passwordFile);
  }
  server.password = (await readFile(passwordFile, 'utf8')).trim();
}

async function initialise(server, passwordFile) {
  const log = await open(join(server.home, 'initdb.log'), 'a');
  const auth = ['--auth-host=scram-sha-256', '--auth-local=trust', `--pwfile=${passwordFile}`];
  const args = ['-D', server.data, '-U', 'app', ...auth, '-E', 'UTF8', `--locale=${LOCALE}`, '--data-checksums'];
  const child = spawnAsOther(server, 'initdb', args, { stdio: ['ignore', log.fd, log.fd], timeout: INITDB_MS });
  const code = await ended(child);
  await log.close();
  if (code !== 0) throw new Error(`initdb failed: ${await tail(join(server.home, 'initdb.log'))}`);
}

async function launch(server, ports) {
  for (const port of ports) {
    if (!(await isFree(port))) continue;
    server.port = port;
    if (await tryStart(server)) return;
  }
  throw new Error(`PostgreSQL found no free port from ${ports[0]} on`);
}

/** Answers false when somebody else took the port meanwhile. */
async function tryStart(server) {
  const path = join(server.home, 'postgres.log');
  const log = await open(path, 'w');
  const fixed = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: 200, ...server.settings };
  const args = ['-D', server.data, '-p', String(server.port)];
  for (const [name, value] of Object.entries(fixed)) args.push('-c', `${name}=${value}`);
  server.child = spawnAsOther(server, 'postgres', args, { stdio: ['ignore', log.fd, log.fd], detached: true });
  await log.close();
  server.onExit = () => isRunning(server) && family(server.child.pid).forEach((pid) => signal(pid, 'SIGKILL'));
  process.once('exit', server.onExit);
  try {
    await ready(server);
    return true;
  } catch (error) {
    process.off('exit', server.onExit);
    if (isRunning(server)) await killAll(family(server.child.pid));
    const text = await tail(path);
    if (/Address already in use/.test(text)) return false;
    throw new Error(`PostgreSQL did not start: ${error.message}; ${text}`, { cause: error });
  }
}

async function ready(server) {
  const deadline = Date.now() + READY_MS;
  const args = ['-q', '-h', '127.0.0.1', '-p', String(server.port), '-t', '2'];
  for (;;) {
    if (!isRunning(server)) throw new Error(`it ended with code ${server.child.exitCode ?? server.child.signalCode}`);
    const answered = await ended(spawnAsOther(server, 'pg_isready', args, { stdio: 'ignore' }));
    if (answered === 0 && isRunning(server)) return;
    if (Date.now() > deadline) throw new Error(`it took no connection within ${READY_MS / 1000} s`);
    await delay(POLL_MS);
  }
}

/** Fast shutdown (SIGINT: open transactions are rolled back), by force when it takes too long. */
async function shutDown(server) {
  process.off('exit', server.onExit);
  if (!isRunning(server)) return;
  const members = family(server.child.pid);
  signal(server.child.pid, 'SIGINT');
  await gone(members, STOP_MS).catch(() => killAll(members));
}

/** PostgreSQL refuses to run as root: there it runs as nobody. On Linux it is told to end when this process dies. */
function spawnAsOther(server, program, args, options) {
  const path = join(server.programs, program);
  const spawning = { cwd: server.home, ...options };
  if (process.platform !== 'linux') return spawn(path, args, { ...spawning, ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}) });
  const identity = isRoot ? [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
  return spawn('setpriv', [...identity, '--pdeathsig', 'INT', path, ...args], spawning);
}

function ended(child) {
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', (code, name) => done(name ?? code));
  });
}

function isRunning({ child }) {
  return child !== undefined && child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function freePorts() {
  return Promise.all(Array.from({ length: PORTS_TRIED }, freePort));
}

function isFree(port) {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => done(true)));
  });
}

async function tail(path) {
  const lines = (await readFile(path, 'utf8').catch(() => '')).trim().split('\n');
  return lines.slice(-5).join(' | ');
}
