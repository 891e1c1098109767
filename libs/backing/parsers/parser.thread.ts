import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '@kernel/errors';
import type { ParsedText, ParseRequest } from './formats/parsed-text';

const MEBIBYTE = 1_048_576;

export interface ParserLimits {
  /** From the moment the file is given to the thread. */
  seconds: number;
  /** Of the thread's heap, and as much again of the buffers that it holds. */
  megabytes: number;
}

export interface ThreadAnswer {
  /** UTF-16LE. */
  text: Uint8Array;
  parsed: Omit<ParsedText, 'text'>;
}

interface WorkerAnswer extends Partial<ThreadAnswer> {
  id: number;
  fault?: { code: 'unprocessable' | 'too_large' | 'unsupported_media_type'; message: string };
  failed?: string;
}

/** How often the thread's memory is looked at; buffers are not part of what V8 limits. */
const WATCH_MS = 100;

/**
 * One thread for untrusted files, one file at a time. A file that takes too long or too much memory, or whose reader gives up, ends the
 * thread. Errors: `unprocessable`, `too_large` or `unsupported_media_type` with a sentence about the file; the signal's reason.
 */
export class ParserThread {
  private readonly worker: Worker;
  private sequence = 0;
  private over = false;

  constructor(private readonly limits: ParserLimits) {
    const folder = __dirname;
    const extension = extname(__filename);
    this.worker = new Worker(join(folder, `parse.worker${extension}`), {
      workerData: { folder, extension },
      env: {},
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: limits.megabytes, maxYoungGenerationSizeMb: 64, stackSizeMb: 8 },
    });
    this.worker.unref();
    this.worker.stdout.resume();
    this.worker.stderr.resume();
    this.worker.on('error', () => (this.over = true));
    this.worker.on('exit', () => (this.over = true));
  }

  get ended(): boolean {
    return this.over;
  }

  async end(): Promise<void> {
    this.over = true;
    await this.worker.terminate();
  }

  /** May take the bytes away from the caller. */
  async read(request: ParseRequest, signal: AbortSignal): Promise<ThreadAnswer> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<ThreadAnswer>();
    const id = ++this.sequence;
    const stop = (error: unknown): void => {
      reject(error);
      void this.end();
    };
    const onMessage = (answer: WorkerAnswer): void => {
      if (answer.id !== id) return;
      if (answer.failed !== undefined) stop(new AppError('unprocessable', DAMAGED, { cause: new Error(answer.failed) }));
      else if (answer.fault !== undefined) reject(new AppError(answer.fault.code, answer.fault.message));
      else resolve(answer as ThreadAnswer);
    };
    const onError = (error: unknown): void => stop(asFault(error, this.limits));
    const onExit = (): void => stop(new AppError('internal', 'The thread that reads files ended.'));
    const onAbort = (): void => stop(signal.reason);
    this.worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    signal.addEventListener('abort', onAbort, { once: true });
    const deadline = setTimeout(() => stop(tooLong(this.limits)), this.limits.seconds * 1_000);
    const watch = setInterval(() => void this.watch(stop), WATCH_MS);
    this.worker.ref();
    const bytes = owned(request.bytes);
    this.worker.postMessage({ id, ...request, bytes }, [bytes.buffer]);
    return promise.finally(() => {
      clearTimeout(deadline);
      clearInterval(watch);
      signal.removeEventListener('abort', onAbort);
      this.worker.off('message', onMessage).off('error', onError).off('exit', onExit);
      this.worker.unref();
    });
  }

  private async watch(stop: (error: unknown) => void): Promise<void> {
    const heap = await this.worker.getHeapStatistics().catch(() => undefined);
    if (heap !== undefined && heap.external_memory > this.limits.megabytes * MEBIBYTE) stop(tooMuch(this.limits));
  }
}

const DAMAGED = 'The file is damaged, or of a kind that cannot be read.';

/** The bytes in a buffer that holds nothing else and so can be moved to the thread. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength ? new Uint8Array(buffer) : new Uint8Array(bytes);
}

function tooLong({ seconds }: ParserLimits): AppError {
  return new AppError('unprocessable', `The file cannot be read within ${seconds} seconds.`);
}

function tooMuch({ megabytes }: ParserLimits): AppError {
  return new AppError('unprocessable', `The file needs more than ${megabytes} MiB of memory to be read.`);
}

function asFault(error: unknown, limits: ParserLimits): AppError {
  const exhausted = (error as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return exhausted ? tooMuch(limits) : new AppError('internal', 'The thread that reads files failed.', { cause: error });
}
