import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { JobAttempt } from './job-attempt.service';
import { JobHandlers } from './job-handlers.service';
import { JobLeaseRepository } from './job-lease.repository';
import { JobLogRepository } from './job-log.repository';
import { JobSignals } from './job-signals.service';
import type { StoredJob } from './job.entity';

/** Begins attempts, lets their handlers work, and puts jobs back into the queue. */
@Injectable()
export class JobAttempts {
  constructor(
    private readonly client: PostgresClient,
    private readonly leases: JobLeaseRepository,
    private readonly log: JobLogRepository,
    private readonly signals: JobSignals,
    private readonly handlers: JobHandlers,
  ) {}

  /** Opened before the claim, so that a cancel in between reaches the attempt. */
  open(jobId: string): AbortController {
    return this.signals.attempt(jobId);
  }

  close(jobId: string, controller: AbortController): void {
    this.signals.forget(jobId, controller);
  }

  abortAll(reason: Error): void {
    this.signals.abortAll(reason);
  }

  async claim(jobId: string): Promise<StoredJob | undefined> {
    const job = await this.leases.claim(jobId, this.handlers.known());
    if (job !== undefined) this.signals.notify(jobId);
    return job;
  }

  work(job: StoredJob, controller: AbortController): Promise<object> {
    const handler = this.handlers.get(job);
    const payload = handler.contract.payload.safeParse(job.payload);
    if (!payload.success) throw new AppError('internal', 'The stored payload breaks its contract.', { retryable: false });
    const { client, leases, log, signals } = this;
    return handler.run(new JobAttempt(job, payload.data, controller, { client, leases, log, signals }));
  }

  /** Back into the queue for later; the attempt counts. */
  async postpone(job: StoredJob, reason: string, delayMs: number): Promise<void> {
    await this.leases.requeue(job, reason, delayMs, false);
    this.signals.notify(job.id);
  }

  /** Back into the queue at once for whoever comes next; the attempt does not count. */
  async handBack(job: StoredJob): Promise<void> {
    await this.leases.requeue(job, 'The worker was shut down.', 0, true);
    this.signals.handedBack(job.id);
  }
}
