// Starts the built worker as a process of its own, as `npm run worker` does.
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, repository } from './server.mjs';

const READY_MS = 60_000;

/** A worker process that can be killed, stopped and paused; `environment` names the database, the broker and DATA_DIR. */
export class WorkerProcess {
  constructor(environment) {
    this.environment = environment;
    this.log = '';
  }

  /** Starts it; answers when its `/readyz` is 200, with the milliseconds that took. */
  async start() {
    this.port = await freePort();
    this.url = `http://127.0.0.1:${this.port}`;
    const started = performance.now();
    const child = spawn(process.execPath, ['dist/apps/worker/src/main.js'], {
      cwd: repository,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        MODELS_DIR: process.env.MODELS_DIR ?? join(repository, '.data', 'models'),
        NODE_COMPILE_CACHE: join(tmpdir(), 'sutazai-compile'),
        METRICS_PORT: String(this.port),
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (this.log += bytes));
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`The worker ended with ${child.exitCode ?? child.signalCode}:\n${this.log.slice(-4000)}`);
      const ready = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return performance.now() - started;
      if (performance.now() - started > READY_MS) throw new Error(`The worker was not ready in time:\n${this.log.slice(-4000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
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
}
