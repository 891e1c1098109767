import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { backoff } from '@kernel/calls';
import { type AppConfig, productRoot } from '@kernel/config';
import { AppError } from '@kernel/errors';

/** Milliseconds for a child to come up, and to end in order. */
const START_MS = 15_000;
const END_MS = 3_000;
/** One that lived for so long did not die of its start. */
const SETTLED_MS = 10_000;
const RESTART = { baseMs: 100, capMs: 5_000 };
/** A socket's path is at most 107 bytes on Linux, 103 on macOS. */
const MOST_PATH_BYTES = 100;

interface Incarnation {
  process: ChildProcess;
  ready: Promise<void>;
  readyAt?: number;
}

/**
 * The FAISS service as a child of this process, for FAISS may abort: started when it is first asked for, started again whenever it dies (at once, then
 * with backoff), ended with this process whatever happens to it. It listens on a socket file that only this user may open.
 */
export class FaissChild {
  private readonly logger = new Logger(FaissChild.name);
  private current?: Incarnation;
  private restart?: { timer: NodeJS.Timeout; over: Promise<void> };
  private deaths = 0;
  private closed = false;
  private socket?: { path: string; folder?: string };
  /** Why it cannot be started, as it said itself. */
  private fault?: string;

  constructor(private readonly config: AppConfig) {}

  /** Whether it was ever asked for. */
  get wanted(): boolean {
    return this.socket !== undefined;
  }

  get pid(): number | undefined {
    return this.current?.readyAt === undefined ? undefined : this.current.process.pid;
  }

  /** The path of the socket file on which it listens; the same for all its incarnations. */
  get path(): string {
    this.socket ??= socketFor(join(this.config.directory, 'faiss'));
    return this.socket.path;
  }

  /** Resolves once a child is there and listens. Errors: `unavailable` when it cannot be started. */
  async running(): Promise<void> {
    try {
      await this.once();
    } catch (error) {
      if (this.closed || this.fault !== undefined) throw error;
      await this.once();
    }
  }

  private async once(): Promise<void> {
    if (this.closed) throw new AppError('unavailable', 'FAISS is closed.', { retryAfterSeconds: 1 });
    if (this.fault !== undefined) throw cannotStart(this.fault, this.beginAgain());
    await this.restart?.over;
    this.current ??= this.start();
    await this.current.ready;
  }

  /** Ends it in order, by force when that takes too long. */
  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.restart?.timer);
    const child = this.current?.process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const force = setTimeout(() => child.kill('SIGKILL'), END_MS);
      await ended;
      clearTimeout(force);
    }
    if (this.socket?.folder !== undefined) rmSync(this.socket.folder, { recursive: true, force: true });
  }

  private start(): Incarnation {
    const directory = join(this.config.directory, 'faiss');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const program = join(productRoot(), 'dist', 'apps', 'faiss', 'src', 'main.js');
    if (!existsSync(program))
      throw new AppError('unavailable', 'The program of FAISS is missing: run `npm run build`.', { retryAfterSeconds: 60 });
    const child = spawn(process.execPath, [program, '--socket', this.path], {
      // Nothing of this process's settings, secrets least of all.
      env: {
        DATA_DIR: directory,
        FAISS_BINDING: this.config.faiss.binding ?? 'off',
        LOG_LEVEL: this.config.logLevel,
        SHUTDOWN_SECONDS: '2',
        OMP_NUM_THREADS: '1',
        OPENBLAS_NUM_THREADS: '1',
      },
      stdio: ['ignore', 'inherit', this.config.logLevel === 'silent' ? 'ignore' : 'inherit', 'ipc'],
    });
    const incarnation: Incarnation = { process: child, ready: this.whenReady(child) };
    incarnation.ready.then(
      () => (incarnation.readyAt = performance.now()),
      () => undefined,
    );
    child.once('exit', (code, signal) => this.died(incarnation, code, signal));
    // It holds nobody up: who waits for an answer of it has a connection open.
    child.unref();
    child.channel?.unref();
    return incarnation;
  }

  private async whenReady(child: ChildProcess): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const failed = (message: string): void => reject(new AppError('unavailable', message, { retryAfterSeconds: 1 }));
        timer = setTimeout(() => failed('FAISS did not come up in time.'), START_MS);
        child.on('message', (message: { ready?: boolean; fault?: string }) => {
          if (message.ready === true) resolve();
          if (message.fault === undefined) return;
          this.fault = message.fault;
          reject(cannotStart(message.fault, 60));
        });
        child.once('error', (error) => failed(`FAISS could not be started: ${error.message}`));
        child.once('exit', () => failed('FAISS ended at its start.'));
      });
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private died(incarnation: Incarnation, code: number | null, signal: string | null): void {
    if (this.current !== incarnation) return;
    this.current = undefined;
    if (this.closed) return;
    const settled = incarnation.readyAt !== undefined && performance.now() - incarnation.readyAt > SETTLED_MS;
    this.deaths = settled ? 0 : this.deaths + 1;
    if (this.fault !== undefined) return;
    this.logger.warn(`FAISS ended (${signal ?? code}) and is started again.`);
    this.startAfter(this.deaths <= 1 ? 0 : backoff(this.deaths - 2, RESTART));
  }

  private startAfter(milliseconds: number): void {
    let resume: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (resume = resolve));
    const timer = setTimeout(() => {
      this.restart = undefined;
      resume();
      void this.once().catch(() => undefined);
    }, milliseconds);
    timer.unref();
    this.restart = { timer, over };
  }

  /** A child that said why it cannot start is tried again when somebody asks, later. Answers the seconds until then. */
  private beginAgain(): number {
    if (this.restart === undefined) {
      const timer = setTimeout(() => {
        this.fault = undefined;
        this.restart = undefined;
      }, RESTART.capMs);
      timer.unref();
      this.restart = { timer, over: Promise.resolve() };
    }
    return RESTART.capMs / 1_000;
  }
}

function cannotStart(sentence: string, seconds: number): AppError {
  return new AppError('unavailable', sentence, { retryable: false, retryAfterSeconds: seconds });
}

/** Below the data directory; where that path is too long for a socket, in a folder of this user's own. */
function socketFor(directory: string): { path: string; folder?: string } {
  if (process.platform === 'win32') return { path: `\\\\?\\pipe\\sutazai-faiss-${randomBytes(16).toString('hex')}` };
  const path = join(directory, 'socket');
  if (Buffer.byteLength(path) <= MOST_PATH_BYTES) return { path };
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-'));
  return { path: join(folder, 'faiss'), folder };
}
