import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '@kernel/errors';

interface WorkerAnswer {
  id?: number;
  messages?: unknown[];
  error?: string;
  ready?: boolean;
  failed?: string;
  closed?: boolean;
}

interface Pending {
  resolve: (messages: unknown[]) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** One incarnation of the worker: what was asked of it fails with it. */
interface Incarnation {
  worker: Worker;
  ready: Promise<void>;
  /** Rejects `ready`; without effect once it is fulfilled. */
  failed: (error: Error) => void;
  pending: Map<number, Pending>;
  ended?: Error;
}

/** What `pg` sees of the embedded database: one session on one incarnation. */
export interface EmbeddedSession {
  readonly waitReady: Promise<void>;
  execProtocolStream(bytes: Uint8Array): Promise<unknown[]>;
}

/**
 * Owns the embedded database's thread. A message that is not answered within the deadline ends the thread (PGlite knows no statement timeout),
 * its callers fail with `timeout`, and the directory is opened again for the next session. An empty directory means memory only.
 */
export class EmbeddedDatabase {
  private incarnation?: Incarnation;
  private sequence = 0;
  private closed = false;

  constructor(
    private readonly directory: string,
    public deadlineMilliseconds: number,
  ) {}

  /** Starts the thread and waits until the engine has made or recovered its files. Errors: `unavailable`, `timeout`. */
  async open(deadlineMilliseconds: number): Promise<void> {
    const incarnation = this.current();
    const timer = setTimeout(() => this.expire(incarnation), deadlineMilliseconds);
    await incarnation.ready.finally(() => clearTimeout(timer));
  }

  /** A session for one `pg` client. It starts outside any transaction and dies with the thread it was opened on. */
  session(): EmbeddedSession {
    const incarnation = this.current();
    const ready = incarnation.ready.then(async () => {
      await this.send(incarnation, simpleQuery('ROLLBACK'));
    });
    ready.catch(() => undefined);
    return { waitReady: ready, execProtocolStream: (bytes) => this.send(incarnation, bytes) };
  }

  /** Closes the database in order; safe to call twice. */
  async close(): Promise<void> {
    this.closed = true;
    const incarnation = this.incarnation;
    this.incarnation = undefined;
    if (incarnation === undefined || incarnation.ended !== undefined) return;
    await incarnation.ready.catch(() => undefined);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 5_000);
      incarnation.worker.on('message', (answer: WorkerAnswer) => {
        if (answer.closed !== true) return;
        clearTimeout(timer);
        resolve();
      });
      incarnation.worker.postMessage('close');
    });
    await incarnation.worker.terminate();
  }

  private current(): Incarnation {
    if (this.closed) throw new AppError('unavailable', 'The embedded database is closed.');
    if (this.incarnation === undefined || this.incarnation.ended !== undefined) this.incarnation = this.start();
    return this.incarnation;
  }

  private start(): Incarnation {
    const worker = new Worker(join(__dirname, `embedded.worker${extname(__filename)}`), { workerData: { directory: this.directory } });
    const pending = new Map<number, Pending>();
    let open: () => void;
    let fail: (error: Error) => void;
    const ready = new Promise<void>((resolve, reject) => {
      open = resolve;
      fail = reject;
    });
    ready.catch(() => undefined);
    const incarnation: Incarnation = { worker, ready, failed: (error) => fail(error), pending };
    worker.on('message', (answer: WorkerAnswer) => {
      if (answer.ready === true) open();
      else if (answer.failed !== undefined)
        this.end(incarnation, new AppError('unavailable', `The embedded database did not open: ${answer.failed}`));
      else settle(pending, answer);
    });
    worker.on('error', (error) => this.end(incarnation, new AppError('unavailable', 'The embedded database stopped.', { cause: error })));
    worker.on('exit', () => this.end(incarnation, new AppError('unavailable', 'The embedded database stopped.')));
    return incarnation;
  }

  private send(incarnation: Incarnation, bytes: Uint8Array): Promise<unknown[]> {
    if (incarnation.ended !== undefined) return Promise.reject(incarnation.ended);
    const id = ++this.sequence;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.expire(incarnation), this.deadlineMilliseconds);
      incarnation.pending.set(id, { resolve, reject, timer });
      incarnation.worker.postMessage({ id, bytes: new Uint8Array(bytes) });
    });
  }

  private expire(incarnation: Incarnation): void {
    this.end(incarnation, new AppError('timeout', 'The database statement passed its deadline.'));
    void incarnation.worker.terminate();
  }

  private end(incarnation: Incarnation, error: Error): void {
    if (incarnation.ended !== undefined) return;
    incarnation.ended = error;
    incarnation.failed(error);
    for (const waiting of incarnation.pending.values()) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
    incarnation.pending.clear();
  }
}

function settle(pending: Map<number, Pending>, answer: WorkerAnswer): void {
  const waiting = answer.id === undefined ? undefined : pending.get(answer.id);
  if (waiting === undefined || answer.id === undefined) return;
  pending.delete(answer.id);
  clearTimeout(waiting.timer);
  if (answer.error === undefined) waiting.resolve(answer.messages ?? []);
  else waiting.reject(new AppError('unavailable', 'The embedded database failed.', { cause: new Error(answer.error) }));
}

/** A `Query` message of the PostgreSQL protocol, version 3. */
function simpleQuery(text: string): Uint8Array {
  const body = Buffer.from(`${text}\0`, 'utf8');
  const head = Buffer.alloc(5);
  head.write('Q');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
