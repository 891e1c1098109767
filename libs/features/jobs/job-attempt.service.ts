import type { PostgresClient, Queryable } from '@backing/postgres';
import type { JobEventName } from '@kernel/jobs';
import type { JobLeaseRepository } from './job-lease.repository';
import type { JobLogRepository } from './job-log.repository';
import type { JobSignals } from './job-signals.service';
import type { StoredJob, JobProgress } from './job.entity';
import type { HandlerEvent, JobContext } from './job.handler';
import { LeaseLost } from './lease-lost';

/** What an attempt writes through. */
export interface AttemptDoors {
  client: PostgresClient;
  leases: JobLeaseRepository;
  log: JobLogRepository;
  signals: JobSignals;
}

/** One attempt of a job, as its handler sees it. A fenced write that changes nothing aborts the attempt and throws. */
export class JobAttempt<Payload> implements JobContext<Payload> {
  readonly jobId: string;
  readonly workspaceId: string;
  readonly ownerId: string;
  readonly apiKeyId: string | null;
  readonly requestId: string | null;
  readonly subjectId: string | null;
  readonly attempt: number;
  readonly checkpoint: unknown;
  readonly signal: AbortSignal;

  constructor(
    private readonly job: StoredJob,
    readonly payload: Payload,
    private readonly controller: AbortController,
    private readonly doors: AttemptDoors,
  ) {
    this.jobId = job.id;
    this.workspaceId = job.workspaceId;
    this.ownerId = job.ownerId;
    this.apiKeyId = job.apiKeyId;
    this.requestId = job.requestId;
    this.subjectId = job.subjectId;
    this.attempt = job.attempt;
    this.checkpoint = job.checkpoint;
    this.signal = controller.signal;
  }

  emit(event: HandlerEvent, data: object): Promise<void> {
    return this.append(event, data);
  }

  progress(progress: JobProgress): Promise<void> {
    return this.append('progress', progress, progress);
  }

  async transaction<T>(work: (connection: Queryable) => Promise<T>, checkpoint?: unknown): Promise<T> {
    this.signal.throwIfAborted();
    return this.doors.client.transaction(async (connection) => {
      if ((await this.doors.leases.lock(connection, this.job)) === undefined) throw this.lost();
      const result = await work(connection);
      if (checkpoint !== undefined) await this.doors.leases.saveCheckpoint(connection, this.jobId, checkpoint);
      return result;
    });
  }

  private async append(event: JobEventName, data: object, progress?: JobProgress): Promise<void> {
    this.signal.throwIfAborted();
    const seq = await this.doors.log.append(this.job, event, data, progress);
    if (seq === undefined) throw this.lost();
    this.doors.signals.notify(this.jobId);
  }

  private lost(): Error {
    const reason = new LeaseLost();
    this.controller.abort(reason);
    return reason;
  }
}
