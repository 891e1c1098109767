import { Injectable } from '@nestjs/common';
import { PostgresClient, type Queryable } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { TERMINAL_STATUSES } from '@kernel/jobs';
import { isDeadLetter } from './job-faults';
import { JobHandlers } from './job-handlers.service';
import { JobLogRepository } from './job-log.repository';
import { JobSignals } from './job-signals.service';
import type { StoredJob } from './job.entity';
import type { JobOutcome, SettledJob } from './job.handler';
import { JobsRepository, type Ending } from './jobs.repository';
import { LeaseLost } from './lease-lost';

/** Ends jobs: the handler's domain rows, the last status and the last event in one transaction. */
@Injectable()
export class JobSettlement {
  constructor(
    private readonly client: PostgresClient,
    private readonly jobs: JobsRepository,
    private readonly log: JobLogRepository,
    private readonly handlers: JobHandlers,
    private readonly signals: JobSignals,
  ) {}

  /** Contracts (`kind@version`) whose jobs this process can end. */
  known(): string[] {
    return this.handlers.known();
  }

  /** Ends the job for the holder of this epoch; throws `conflict` when the lease is lost. */
  async finish(fence: Pick<StoredJob, 'id' | 'epoch'>, outcome: JobOutcome<object>): Promise<StoredJob> {
    const ended = await this.client.transaction(async (connection) => {
      const job = await this.jobs.lock(connection, fence.id);
      if (job === undefined || job.epoch !== fence.epoch || TERMINAL_STATUSES.has(job.status)) throw new LeaseLost();
      return this.end(connection, job, outcome);
    });
    this.signals.ended(ended);
    return ended;
  }

  /** Cancels an open job whoever works on it; a cancelled one stays as it is; `conflict` when it has ended otherwise. */
  async cancel(id: string): Promise<StoredJob> {
    const { job: cancelled, now } = await this.client.transaction(async (connection) => {
      const job = await this.jobs.lock(connection, id);
      if (job === undefined) throw AppError.notFound('The job');
      if (job.status === 'cancelled') return { job, now: false };
      if (TERMINAL_STATUSES.has(job.status)) throw new AppError('conflict', `The job has already ${job.status}.`);
      return { job: await this.end(connection, job, { status: 'cancelled' }), now: true };
    });
    if (now) this.signals.ended(cancelled);
    else this.signals.notify(id);
    return cancelled;
  }

  private async end(connection: Queryable, job: StoredJob, outcome: JobOutcome<object>): Promise<StoredJob> {
    const handler = this.handlers.get(job);
    const read = this.handlers.read(job);
    const settled = read === undefined ? {} : await handler.settle(connection, this.settledJob({ ...job, ...read }), outcome);
    return this.jobs.end(connection, job.id, endingOf(outcome, settled));
  }

  private settledJob(job: StoredJob): SettledJob<unknown> {
    const { id, workspaceId, ownerId, subjectId, attempt, payload } = job;
    return {
      id,
      workspaceId,
      ownerId,
      subjectId,
      attempt,
      payload,
      text: (connection, event) => this.log.textSinceReset(connection, id, event),
    };
  }
}

function endingOf(outcome: JobOutcome<object>, settled: object): Ending {
  if (outcome.status === 'succeeded') return { status: 'succeeded', event: 'done', data: settled, result: settled };
  if (outcome.status === 'failed')
    return { status: 'failed', event: 'error', data: outcome.error, error: outcome.error, dead: isDeadLetter(outcome.error) };
  return { status: 'cancelled', event: 'cancelled', data: {} };
}
