// Starts the built product as a process of its own, as `npm start` does, on a data directory and port of its own.
import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NODE_FLAGS } from '../../scripts/toolchain/process.mjs';

export const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** A loopback port that is free now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A server process that can be killed and started again on the same data. */
export class ServerProcess {
  constructor({ environment = {}, directory = mkdtempSync(join(tmpdir(), 'sutazai-server-')), nodeFlags = [], app = 'api' } = {}) {
    this.app = app;
    this.directory = directory;
    this.environment = environment;
    this.nodeFlags = nodeFlags;
    this.log = '';
  }

  /** Starts it; answers when `/readyz` is 200, with the milliseconds that took. Fails when the process ends first or after 60 s. */
  async start() {
    this.port ??= await freePort();
    // A worker's only door is that of its metrics.
    const ports = this.app === 'api' ? { PORT: String(this.port), METRICS_PORT: '0' } : { METRICS_PORT: String(this.port) };
    this.url = `http://127.0.0.1:${this.port}`;
    const started = performance.now();
    const child = spawn(process.execPath, [...NODE_FLAGS, ...this.nodeFlags, `dist/apps/${this.app}/src/main.js`], {
      cwd: repository,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        MODELS_DIR: process.env.MODELS_DIR ?? join(repository, '.data', 'models'),
        NODE_COMPILE_CACHE: join(tmpdir(), 'sutazai-compile'),
        DATA_DIR: this.directory,
        ...ports,
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (this.log += bytes));
    void this.ended.then(() => keepTraces(child.pid, this.log));
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`The server ended with ${child.exitCode ?? child.signalCode}:\n${this.log.slice(-4000)}`);
      const ready = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
        (r) => r.ok,
        () => false,
      );
      if (ready) return performance.now() - started;
      if (performance.now() - started > 60_000) throw new Error(`The server was not ready after 60 s:\n${this.log.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  get running() {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** kill -9, and wait until it is gone. */
  async kill() {
    this.child.kill('SIGKILL');
    return this.ended;
  }

  /** SIGTERM, and wait; answers { code, signal, milliseconds }. */
  async stop() {
    const asked = performance.now();
    this.child.kill('SIGTERM');
    return { ...(await this.ended), milliseconds: performance.now() - asked };
  }

  /** Resident memory in MB. */
  residentMegabytes() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  }

  remove() {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The log lines of an ended server, for the search for secrets; what is meant for the person at the console (the setup token) is not among them. */
function keepTraces(pid, log) {
  const folder = process.env.TEST_TRACES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const lines = log.split('\n').filter((line) => line.startsWith('{'));
  appendFileSync(join(folder, `process-${pid}.log`), `${lines.join('\n')}\n`);
}
