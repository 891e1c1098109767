import { BaseRpcContext, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { AppError } from '@kernel/errors';
import { JOB_CONCURRENCY, JOB_PATTERN, laneName, type JobLane, type JobMessage, type JobTransport } from '@kernel/jobs';
import { isObservable, lastValueFrom } from 'rxjs';

interface Lane {
  waiting: JobMessage[];
  running: number;
  slots: number;
}

/**
 * Job messages inside one process: a Nest transport strategy and the `JobTransport` port in one. Messages wait in memory, first come first
 * served in each lane, from `publish` until a slot of it is free. What `close` leaves waiting
 * is still queued in the database and goes out again at the next start.
 */
export class InProcessTransport extends Server implements CustomTransportStrategy, JobTransport {
  readonly shared = false;
  readonly delays = false;
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

  onDead(): void {
    // Nothing is given up here: what is lost is found in the table.
  }

  async waiting(lane: JobLane): Promise<number> {
    return this.lanes.get(laneName(lane))?.waiting.length ?? 0;
  }

  async publish(message: JobMessage): Promise<void> {
    if (this.closed) throw new AppError('unavailable', 'The dispatcher is closed.');
    const lane = this.lane(message);
    lane.waiting.push(message);
    this.dispatch(lane);
  }

  listen(callback: (error?: Error) => void): void {
    if (this.getHandlerByPattern(JOB_PATTERN) === null) return callback(new Error(`Nobody listens to ${JOB_PATTERN}.`));
    this.open = true;
    for (const lane of this.lanes.values()) this.dispatch(lane);
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

  private lane(message: JobLane): Lane {
    const name = laneName(message);
    const known = this.lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = { waiting: [], running: 0, slots: this.concurrency[message.kind] ?? 1 };
    this.lanes.set(name, lane);
    return lane;
  }

  private dispatch(lane: Lane): void {
    while (this.open && lane.running < lane.slots) {
      const next = lane.waiting.shift();
      if (next === undefined) return;
      lane.running += 1;
      void this.deliver(next).finally(() => {
        lane.running -= 1;
        this.dispatch(lane);
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
