import { Injectable } from '@nestjs/common';
import { Standing } from '@features/standing';
import { AppError } from '@kernel/errors';
import type { Page, PageQuery } from '@kernel/paging';
import { DeadLettersRepository } from './dead-letters.repository';
import { failureOf } from './job-faults';
import type { JobFailure, StoredJob } from './job.entity';
import { Jobs } from './jobs.service';

/** What became of one dead letter: the new job, or why there is none. */
export interface Redriven {
  id: string;
  jobId?: string;
  error?: JobFailure;
}

/**
 * Failed jobs that nobody tries again by himself: their attempts are used up, their worker stopped each time, or the platform was at fault. They are listed for
 * the whole instance, and redriven as new jobs in their makers' names. What is wrong with a request itself is its answer, and no dead letter.
 */
@Injectable()
export class DeadLetters {
  constructor(
    private readonly repository: DeadLettersRepository,
    private readonly jobs: Jobs,
    private readonly standing: Standing,
  ) {}

  page(kind: string | undefined, page: PageQuery): Promise<Page<StoredJob>> {
    return this.repository.page(kind, page);
  }

  /** One after the other; what is refused for one holds no other up. */
  async redrive(ids: readonly string[], requestId: string | null): Promise<Redriven[]> {
    const outcomes: Redriven[] = [];
    for (const id of new Set(ids)) outcomes.push(await this.one(id, requestId));
    return outcomes;
  }

  private async one(id: string, requestId: string | null): Promise<Redriven> {
    const job = await this.repository.take(id);
    if (job === undefined) return { id, error: failureOf(AppError.notFound('The dead letter')) };
    try {
      const { workspaceId, ownerId: userId, apiKeyId } = job;
      const maker = await this.standing.principal({ workspaceId, userId, apiKeyId });
      return { id, jobId: await this.jobs.again(maker, job, requestId) };
    } catch (error) {
      await this.repository.putBack(id);
      if (!(error instanceof AppError)) throw error;
      return { id, error: failureOf(error) };
    }
  }
}
