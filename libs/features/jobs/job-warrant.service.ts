import { Injectable } from '@nestjs/common';
import { Standing } from '@features/standing';
import { isForbidden } from './job-faults';
import { JobHandlers } from './job-handlers.service';
import { JobTiming } from './job-timing.entity';
import type { StoredJob } from './job.entity';

/**
 * Asks whether the maker of a job may still have it done: before each attempt, and again and again while one runs. A job whose maker was suspended,
 * removed or demoted, or whose key was deleted, ends as failed with `forbidden`.
 */
@Injectable()
export class JobWarrant {
  constructor(
    private readonly standing: Standing,
    private readonly handlers: JobHandlers,
    private readonly timing: JobTiming,
  ) {}

  /** Errors: `forbidden`. */
  async assert(job: StoredJob): Promise<void> {
    const { workspaceId, ownerId: userId, apiKeyId } = job;
    await this.standing.assertMay({ workspaceId, userId, apiKeyId }, this.handlers.get(job).contract.needs);
  }

  /** Aborts the attempt with `forbidden` once its warrant is gone, until the answered function is called. */
  watch(job: StoredJob, controller: AbortController): () => void {
    let asking = false;
    const ask = async (): Promise<void> => {
      if (asking) return;
      asking = true;
      try {
        await this.assert(job);
      } catch (error) {
        // A database that does not answer has not said no.
        if (isForbidden(error)) controller.abort(error);
      } finally {
        asking = false;
      }
    };
    const timer = setInterval(() => void ask(), this.timing.standingMs);
    return () => clearInterval(timer);
  }
}
