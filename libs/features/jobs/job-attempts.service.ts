import { Injectable } from '@nestjs/common';
import { PostgresClient } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { laneName, type JobMessage } from '@kernel/jobs';
import { JobAttempt } from './job-attempt.service';
import { JobHandlers } from './job-handlers.service';
import { JobLeaseRepository } from './job-lease.repository';
import { JobLogRepository } from './job-log.repository';
import { JobSignals } from './job-signals.service';
import type { StoredJob } from './job.entity';

/** A job that this process has now, and what stops its attempt. */
export interface ClaimedJob {
  job: StoredJob;
  controller: AbortController;
}

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

  close(jobId: string, controller: AbortController): void {
    this.signals.forget(jobId, controller);
  }

  abortAll(reason: Error): void {
    this.signals.abortAll(reason);
  }

  /**
   * The job whose turn it is in the message's lane, else the one that it names (somebody may have held its row for a moment), with a controller that every
   * abort since before the claim has reached. Undefined: nothing is to be done.
   */
  async claim(message: JobMessage): Promise<ClaimedJob | undefined> {
    if (!this.handlers.knows(message)) return undefined;
    const watch = this.signals.watch();
    try {
      const job = (await this.leases.claimNext(message)) ?? (await this.leases.claim(message.job_id, [laneName(message)]));
      if (job === undefined) return undefined;
      const controller = watch.attempt(job.id);
      this.signals.notify(job.id);
      return { job, controller };
    } finally {
      watch.close();
    }
  }

  work(job: StoredJob, controller: AbortController): Promise<object> {
    const handler = this.handlers.get(job);
    const read = this.handlers.read(job);
    if (read === undefined) throw new AppError('internal', 'The stored payload breaks its contract.', { retryable: false });
    const { client, leases, log, signals } = this;
    return handler.run(new JobAttempt(job, read.payload, controller, { client, leases, log, signals }));
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
