// A server of its own for tests and development: started, watched, killed, stopped and started again. One shape for every service.
import { spawn } from 'node:child_process';
import { chown, mkdir, mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { family, gone, killAll, signal } from './processes.mjs';

const POLL_MS = 30;
const READY_MS = 60_000;
const STOP_MS = 10_000;
export const NOBODY = 65_534;
export const isRoot = process.getuid?.() === 0;

/**
 * Starts a server and answers once it is ready: `port`, `pid`, `directory`; `stop()` ends it in order and removes a directory made here; `kill()` is
 * `kill -9` of the whole family and resolves when it is gone; `restart()` starts it again on the same data and port; `pause()` and `resume()` are
 * SIGSTOP and SIGCONT of the family; `log()` is what it wrote.
 *
 * - `name`: as people call it; also the name of the log file and of a directory made here.
 * - `directory`: kept when given; a temporary one else. `port`: a free one when unset.
 * - `prepare({ directory, port })`: once, before the first start; what it answers is handed to the others.
 * - `command({ directory, port, prepared })` answers `{ program, args, environment?, user? }`; `user: { uid, gid }` runs it as somebody else (as root only).
 * - `ready({ directory, port, prepared })`: true once the server answers; asked every 30 ms until `readyMs`.
 */
export async function startServer(description) {
  const { name, prepare, directory, port } = description;
  const own = directory === undefined;
  const home = directory ?? (await mkdtemp(join(tmpdir(), `sutazai-${name.toLowerCase()}-`)));
  const server = { ...description, home, port: port ?? (await freePort()), child: undefined };
  try {
    await mkdir(home, { recursive: true });
    server.prepared = await prepare?.({ directory: home, port: server.port });
    await launch(server);
  } catch (error) {
    if (own) await rm(home, { recursive: true, force: true });
    throw error;
  }
  return control(server, own);
}

function control(server, own) {
  const each = (name) => isRunning(server) && family(server.child.pid).forEach((pid) => signal(pid, name));
  return {
    port: server.port,
    directory: server.home,
    prepared: server.prepared,
    log: () => readFile(logOf(server), 'utf8'),
    get pid() {
      return server.child.pid;
    },
    async stop() {
      await end(server);
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
      await end(server);
      await launch(server);
    },
    pause: () => each('SIGSTOP'),
    resume: () => each('SIGCONT'),
  };
}

async function launch(server) {
  const place = { directory: server.home, port: server.port, prepared: server.prepared };
  const { program, args = [], environment = {}, user } = await server.command(place);
  const log = await open(logOf(server), 'a');
  const env = { PATH: process.env.PATH, HOME: server.home, LANG: 'C.UTF-8', ...environment };
  const options = { cwd: server.home, env, stdio: ['ignore', log.fd, log.fd], detached: true };
  server.child = spawnAs(user, program, args, options);
  server.failure = undefined;
  server.child.once('error', (error) => (server.failure = error));
  await log.close();
  server.onExit = () => isRunning(server) && family(server.child.pid).forEach((pid) => signal(pid, 'SIGKILL'));
  process.once('exit', server.onExit);
  try {
    await untilReady(server, place);
  } catch (error) {
    process.off('exit', server.onExit);
    if (isRunning(server)) await killAll(family(server.child.pid));
    throw error;
  }
}

/** On Linux a server is told to end when this process dies, whoever it runs as. */
function spawnAs(user, program, args, options) {
  const other = isRoot ? user : undefined;
  if (process.platform !== 'linux') return spawn(program, args, { ...options, ...other });
  const identity = other === undefined ? [] : [`--reuid=${other.uid}`, `--regid=${other.gid}`, '--clear-groups'];
  return spawn('setpriv', [...identity, '--pdeathsig', 'TERM', program, ...args], options);
}

async function untilReady(server, place) {
  const { name, readyMs = READY_MS } = server;
  const deadline = Date.now() + readyMs;
  for (;;) {
    if (server.failure) throw new Error(`${name} could not be started: ${server.failure.message}`);
    if (!isRunning(server))
      throw new Error(`${name} ended with ${server.child.exitCode ?? server.child.signalCode} at its start: ${await tail(server)}`);
    if ((await server.ready(place).catch(() => false)) && isRunning(server)) return;
    if (Date.now() > deadline) throw new Error(`${name} was not ready within ${readyMs / 1_000} s: ${await tail(server)}`);
    await delay(POLL_MS);
  }
}

async function end(server) {
  process.off('exit', server.onExit);
  if (!isRunning(server)) return;
  const members = family(server.child.pid);
  // One that is paused hears nothing.
  for (const pid of members) signal(pid, 'SIGCONT');
  signal(server.child.pid, server.stopSignal ?? 'SIGTERM');
  await gone(members, server.stopMs ?? STOP_MS).catch(() => killAll(members));
}

function ended(child) {
  return new Promise((done) => child.once('exit', done));
}

function isRunning({ child }) {
  return child !== undefined && child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function logOf(server) {
  return join(server.home, `${server.name.toLowerCase()}.log`);
}

async function tail(server) {
  const text = await readFile(logOf(server), 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-5).join(' | ');
}

/** A loopback port that is free now. */
export function freePort() {
  return new Promise((done, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** True when the address answers a GET with a status below 400. */
export async function answers(url, options = {}) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(1_000), ...options });
  await answer.arrayBuffer();
  return answer.ok;
}

export async function exists(path) {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Gives a folder to whom a server runs as. */
export async function giveTo(folder, user) {
  if (isRoot) await chown(folder, user.uid, user.gid);
}
