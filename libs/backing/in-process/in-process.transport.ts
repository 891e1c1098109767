import { BaseRpcContext, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { AppError } from '@kernel/errors';
import { JOB_CONCURRENCY, JOB_PATTERN, type JobMessage, type JobTransport } from '@kernel/jobs';
import { isObservable, lastValueFrom } from 'rxjs';

interface Lane {
  waiting: Map<string, JobMessage>;
  running: number;
}

/**
 * Job messages inside one process: a Nest transport strategy and the `JobTransport` port in one. Messages wait in memory, first come first
 * served in each kind, from `publish` until a slot of the kind is free; one that waits already is taken once. What `close` leaves waiting
 * is still queued in the database and goes out again at the next start.
 */
export class InProcessTransport extends Server implements CustomTransportStrategy, JobTransport {
  readonly shared = false;
  readonly ready = true;
  private readonly lanes = new Map<string, Lane>();
  private open = false;
  private closed = false;

  constructor(private readonly concurrency: Readonly<Record<string, number>> = JOB_CONCURRENCY) {
    super();
  }

  onReady(): void {
    // It is from the start.
  }

  know(): void {
    // A lane is made by its first message.
  }

  async waiting(): Promise<number> {
    return 0;
  }

  async publish(message: JobMessage): Promise<void> {
    if (this.closed) throw new AppError('unavailable', 'The dispatcher is closed.');
    const lane = this.lane(message.kind);
    lane.waiting.set(message.job_id, message);
    this.dispatch(message.kind, lane);
  }

  listen(callback: (error?: Error) => void): void {
    if (this.getHandlerByPattern(JOB_PATTERN) === null) return callback(new Error(`Nobody listens to ${JOB_PATTERN}.`));
    this.open = true;
    for (const [kind, lane] of this.lanes) this.dispatch(kind, lane);
    callback();
  }

  close(): void {
    this.closed = true;
    this.open = false;
    this.lanes.clear();
  }

  on(): void {
    throw new Error('The in-process transport has no events.');
  }

  unwrap<T>(): T {
    throw new Error('The in-process transport wraps nothing.');
  }

  private lane(kind: string): Lane {
    const known = this.lanes.get(kind);
    if (known !== undefined) return known;
    const lane: Lane = { waiting: new Map(), running: 0 };
    this.lanes.set(kind, lane);
    return lane;
  }

  private dispatch(kind: string, lane: Lane): void {
    while (this.open && lane.running < (this.concurrency[kind] ?? 1)) {
      const [next] = lane.waiting.values();
      if (next === undefined) return;
      lane.waiting.delete(next.job_id);
      lane.running += 1;
      void this.deliver(next).finally(() => {
        lane.running -= 1;
        this.dispatch(kind, lane);
      });
    }
  }

  private async deliver(message: JobMessage): Promise<void> {
    try {
      const answer: unknown = await this.getHandlerByPattern(JOB_PATTERN)?.(message, new BaseRpcContext([message]));
      if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
    } catch (error) {
      // At a drain nobody takes what still waits; the row is the job.
      if (this.closed) return;
      this.logger.error(`The consumer failed at job ${message.job_id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
