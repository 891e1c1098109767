import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port';
import { modelsDirectory } from './models';

const ROOT = join(__dirname, '..', '..');
const READY_MS = 60_000;
const POLL_MS = 20;

/** An app of the built product as a process of its own, that can be killed, stopped and started again on the same settings. */
export class ProductProcess {
  log = '';
  private child?: ChildProcess;
  private ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }> = Promise.resolve({ code: null, signal: null });
  private probes = '';
  private address = '';

  constructor(
    private readonly app: 'api' | 'worker',
    private readonly environment: Record<string, string>,
  ) {}

  /** Of its API, or of its metrics and probes. */
  get url(): string {
    return this.address;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** Answers when `/readyz` is 200, with the milliseconds that took; rejects when the process ends first. */
  async start(): Promise<number> {
    const port = String(await freePort());
    const ports: Record<string, string> = this.app === 'api' ? { PORT: port, METRICS_PORT: '0' } : { METRICS_PORT: port };
    this.address = `http://127.0.0.1:${port}`;
    this.probes = `${this.address}/readyz`;
    const started = performance.now();
    const child = this.spawn(ports);
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`The ${this.app} ended with ${child.exitCode ?? child.signalCode}:\n${this.log.slice(-4_000)}`);
      const ready = await fetch(this.probes, { signal: AbortSignal.timeout(2_000) }).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return performance.now() - started;
      if (performance.now() - started > READY_MS) throw new Error(`The ${this.app} was not ready in time:\n${this.log.slice(-4_000)}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Runs it to its end, which a wrong setting makes a quick one. */
  async run(): Promise<{ code: number | null; log: string }> {
    this.spawn({ METRICS_PORT: '0', PORT: '0' });
    const { code } = await this.ended;
    return { code, log: this.log };
  }

  /** kill -9, and wait until it is gone. */
  async kill(): Promise<void> {
    if (this.running) this.child?.kill('SIGKILL');
    await this.ended;
  }

  /** SIGTERM, and wait. */
  async stop(): Promise<{ code: number | null; milliseconds: number }> {
    const asked = performance.now();
    this.child?.kill('SIGTERM');
    const { code } = await this.ended;
    return { code, milliseconds: performance.now() - asked };
  }

  get running(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  private spawn(ports: Record<string, string>): ChildProcess {
    const child = spawn(process.execPath, [join('dist', 'apps', this.app, 'src', 'main.js')], {
      cwd: ROOT,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        MODELS_DIR: modelsDirectory,
        NODE_COMPILE_CACHE: join(tmpdir(), 'sutazai-compile'),
        ...ports,
        ...this.environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (this.log += bytes.toString()));
    this.ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal })));
    this.child = child;
    return child;
  }
}
