import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '@kernel/errors';
import { acceptedReading } from './json-body';
import { JSON_THREAD, type JsonReading, type JsonTask } from './json.worker';

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/**
 * Reads large JSON bodies in one thread beside the event loop, which starts with the first of them. Errors: those of `parseJsonBody`, and
 * `unavailable` when the thread ends.
 */
export class JsonThread {
  private worker?: Worker;
  private sequence = 0;
  private readonly waiting = new Map<number, Waiting>();

  /** With `pack`, lists of at least eight numbers arrive as Float64Array. */
  read(body: Uint8Array, pack: boolean): Promise<unknown> {
    const id = ++this.sequence;
    // Bytes that have a buffer of their own are given away, others are copied.
    const whole = body.byteLength === body.buffer.byteLength;
    const task: JsonTask = { id, pack, bytes: body };
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.thread().postMessage(task, whole ? [body.buffer as ArrayBuffer] : []);
    });
  }

  async close(): Promise<void> {
    await this.worker?.terminate();
  }

  private thread(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(join(__dirname, `json.worker${extname(__filename)}`), { workerData: JSON_THREAD });
    worker.unref();
    worker.on('message', ({ id, reading }: { id: number; reading: JsonReading }) => this.settle(id, reading));
    worker.on('error', (error) => this.fail(worker, error));
    worker.on('exit', () => this.fail(worker));
    this.worker = worker;
    return worker;
  }

  private settle(id: number, reading: JsonReading): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    try {
      waiting?.resolve(acceptedReading(reading));
    } catch (error) {
      waiting?.reject(error as Error);
    }
  }

  private fail(worker: Worker, cause?: Error): void {
    if (this.worker === worker) this.worker = undefined;
    const error = new AppError('unavailable', 'The body could not be read.', { cause });
    for (const waiting of this.waiting.values()) waiting.reject(error);
    this.waiting.clear();
  }
}
