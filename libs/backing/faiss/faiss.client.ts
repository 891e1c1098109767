import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ServiceGuard } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError, ERROR_CODES, type ErrorCode } from '@kernel/errors';
import type { Dispatcher } from 'undici';
import { FaissChild } from './child/faiss-child';
import { BindingError } from './engine/native-binding';

/** Milliseconds for one call; for one that writes to disk; to connect. */
const CALL_MS = 5_000;
const WRITE_MS = 10_000;
const CONNECT_MS = 1_000;
/** What a child that is being started, or started again, may add before it listens. */
const CHILD_MS = 15_000;
const CONNECTIONS = 8;
/** A child may die of what it is asked; one that dies of something else may do so again while the call is repeated. */
const CHILD_RETRIES = 3;
/** How long the end of a child may take to be known, and between two looks. */
const FAREWELL_MS = 500;
const PAUSE_MS = 10;
const KEEP_ALIVE_MS = 10_000;
const RETRY_AFTER_SECONDS = 2;
/** An answer is bounded by the hits of one search. */
const MOST_ANSWER_BYTES = 4 * 1_048_576;

export interface FaissCall {
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  path: string;
  body?: Buffer;
  contentType?: string;
  /** It is on disk when it is answered. */
  writes?: boolean;
}

/**
 * The one way to FAISS: over kept connections to FAISS_URL, or to a child of this process, which the first call starts. Every call may be repeated
 * (writes go by id), and one that a dying child or connection took with it is repeated: once to a service, three times to a child. Errors: `unavailable` (away, or it cannot run here, with
 * what to do), `timeout`, and what the service itself answers.
 */
@Injectable()
export class FaissClient implements OnApplicationShutdown {
  private readonly guard: ServiceGuard;
  private readonly child: FaissChild;
  private connections?: Promise<Dispatcher>;

  constructor(private readonly config: AppConfig) {
    this.child = new FaissChild(config);
    this.guard = new ServiceGuard({ service: 'FAISS', deadlineMs: CALL_MS, ping: (signal) => this.ping(signal) });
  }

  get remote(): boolean {
    return this.config.faiss.url !== undefined;
  }

  /** There is a service, or its child can be started here; a native part that somebody named counts before it is looked for. */
  get configured(): boolean {
    const { binding, named } = this.config.faiss;
    return this.remote || (binding !== null && (named || existsSync(binding)));
  }

  /** The running child's number. */
  get childPid(): number | undefined {
    return this.child.pid;
  }

  /** Throws `unavailable` when a call would fail at once; asks nobody. */
  assertReachable(): void {
    this.assertPossible();
    this.guard.assertClosed();
  }

  call(call: FaissCall): Promise<Record<string, unknown>> {
    this.assertPossible();
    return this.guard.call((signal) => this.attempt(call, signal), { milliseconds: deadlineOf(call) + (this.remote ? 0 : CHILD_MS) });
  }

  /** Whether it answers; a child that nobody needed yet answers when it could be started. */
  async ping(signal: AbortSignal): Promise<void> {
    this.assertPossible();
    if (!this.remote && !this.child.wanted) return;
    await this.attempt({ method: 'GET', path: '/readyz' }, signal);
  }

  async onApplicationShutdown(): Promise<void> {
    this.guard.close();
    const connections = await this.connections?.catch(() => undefined);
    await connections?.destroy();
    await this.child.close();
  }

  private assertPossible(): void {
    const { binding } = this.config.faiss;
    if (this.remote || (binding !== null && existsSync(binding))) return;
    const { message } = new BindingError(binding === null ? 'is switched off (FAISS_BINDING=off)' : 'is missing');
    throw new AppError('unavailable', `${message} FAISS_URL names a service elsewhere.`, { retryable: false, retryAfterSeconds: 60 });
  }

  /** A call that broke under way is made again; one that found no child listening has not begun, and waits for the next. */
  private async attempt(call: FaissCall, signal: AbortSignal): Promise<Record<string, unknown>> {
    for (let broken = 0; ; ) {
      const { pid } = this.child;
      try {
        return await this.send(call, signal);
      } catch (error) {
        const kind = signal.aborted ? 'other' : kindOf(error);
        if (kind === 'broken') broken += 1;
        if (kind === 'other' || broken > (this.remote ? 1 : CHILD_RETRIES) || (kind === 'absent' && this.remote))
          throw this.translated(error);
        if (!this.remote) await this.farewell(pid, signal);
      }
    }
  }

  /** The end of a child is known a little after that of its connections: one that aborts is still being written to a file. */
  private async farewell(pid: number | undefined, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + FAREWELL_MS;
    do await delay(PAUSE_MS, undefined, { signal });
    while (pid !== undefined && this.child.pid === pid && performance.now() < deadline);
  }

  private async send(call: FaissCall, outer: AbortSignal): Promise<Record<string, unknown>> {
    if (this.remote) return this.request(call, outer);
    await untilAborted(this.child.running(), outer);
    const late = new AppError('timeout', `FAISS did not answer within ${deadlineOf(call) / 1_000} s.`);
    const own = new AbortController();
    const timer = setTimeout(() => own.abort(late), deadlineOf(call));
    try {
      return await this.request(call, AbortSignal.any([outer, own.signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  private async request({ method, path, body, contentType }: FaissCall, signal: AbortSignal): Promise<Record<string, unknown>> {
    this.connections ??= this.connect();
    const connections = await this.connections;
    const headers = contentType === undefined ? {} : { 'content-type': contentType };
    const origin = this.config.faiss.url === undefined ? 'http://faiss' : new URL(this.config.faiss.url).origin;
    const prefix = this.config.faiss.url === undefined ? '' : new URL(this.config.faiss.url).pathname.replace(/\/$/, '');
    const answer = await connections.request({ origin, path: prefix + path, method, body, headers, signal });
    const json = answered(await answer.body.text());
    if (answer.statusCode < 300) return json;
    throw fault(json, answer.statusCode, answer.headers['retry-after']);
  }

  private async connect(): Promise<Dispatcher> {
    const { Agent } = await import('undici');
    return new Agent({
      connections: CONNECTIONS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxResponseSize: MOST_ANSWER_BYTES,
      connect: { timeout: CONNECT_MS, ...(this.remote ? {} : { socketPath: this.child.path }) },
    });
  }

  private translated(error: unknown): unknown {
    if (error instanceof AppError) return error;
    return new AppError('unavailable', 'FAISS does not answer.', { cause: error, retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}

function deadlineOf({ writes }: FaissCall): number {
  return writes === true ? WRITE_MS : CALL_MS;
}

/** `broken`: the connection ended under the call; `absent`: nobody listens. */
function kindOf(error: unknown): 'broken' | 'absent' | 'other' {
  if (error instanceof AppError) return 'other';
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE') return 'broken';
  return code === 'ECONNREFUSED' || code === 'ENOENT' ? 'absent' : 'other';
}

function answered(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    throw new AppError('unavailable', 'What answers at FAISS_URL is no FAISS service.', {
      cause: error,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
}

function fault(json: Record<string, unknown>, status: number, retryAfter: string | string[] | undefined): AppError {
  const { code, message } = (json.error ?? {}) as { code?: string; message?: string };
  const known = ERROR_CODES.find((one): one is ErrorCode => one === code);
  if (known === undefined) return new AppError('unavailable', `FAISS answered ${status}.`, { retryAfterSeconds: RETRY_AFTER_SECONDS });
  return new AppError(known, String(message), retryAfter === undefined ? {} : { retryAfterSeconds: Number(retryAfter) });
}

/** What goes on without whoever waited for it. */
async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
