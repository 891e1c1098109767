import { Injectable } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { TERMINAL_EVENTS, TERMINAL_STATUSES } from '@kernel/jobs';
import { isTransient } from './job-faults';
import { JobLogRepository, type JobEvent, type LogPage } from './job-log.repository';
import { JobSignals } from './job-signals.service';
import type { JobSubscription } from './job-subscription';
import { JobTiming } from './job-timing.entity';
import { JobsRepository } from './jobs.repository';

const PAGE = 256;

/** Reads a job's log from any position to its end, first what is stored, then what comes, without a gap between them. */
@Injectable()
export class JobReader {
  constructor(
    private readonly log: JobLogRepository,
    private readonly jobs: JobsRepository,
    private readonly signals: JobSignals,
    private readonly timing: JobTiming,
  ) {}

  /**
   * Whether anything is left to read after this position: false at the terminal event. Throws `not_found`, `invalid` (beyond the last event of
   * a finished job, naming the `field` that asked for it) and `gone` (the next event is older than the retention).
   */
  async check(jobId: string, after: number, field = 'after'): Promise<boolean> {
    const page = await this.log.page(jobId, after, 1);
    if (page === undefined) throw AppError.notFound('The job');
    if (TERMINAL_STATUSES.has(page.status)) {
      if (after > page.lastSeq) throw AppError.field('invalid', field, `the last event of this finished job is ${page.lastSeq}.`);
      if (after === page.lastSeq) return false;
    }
    if (after < page.lastSeq && page.events[0]?.seq !== after + 1) {
      throw new AppError('gone', 'The events after this position are older than the retention.', { jobId });
    }
    return true;
  }

  /** Pages of events, each committed, until the terminal event or the abort. */
  async *pages(jobId: string, after: number, signal: AbortSignal): AsyncGenerator<JobEvent[]> {
    const subscription = this.signals.subscribe(jobId);
    let position = after;
    let toldAt = Number.NEGATIVE_INFINITY;
    try {
      while (!signal.aborted) {
        const page = await this.read(jobId, position, subscription, signal);
        // The retention has been here meanwhile: whoever asks again is told so.
        if (page === undefined || (page.events[0]?.seq ?? position + 1) !== position + 1) return;
        const last = page.events.at(-1);
        if (last !== undefined) {
          position = last.seq;
          yield page.events;
          if (TERMINAL_EVENTS.has(last.event)) return;
        } else if (TERMINAL_STATUSES.has(page.status)) return;
        else if (page.waits && performance.now() - toldAt >= this.timing.queuedEventMs) {
          toldAt = performance.now();
          await this.tellQueue(jobId, page);
        } else {
          const since = performance.now();
          await subscription.next(this.timing.readPollMs, signal);
          const now = performance.now();
          if (page.status === 'queued' && now - since >= this.timing.readPollMs - 1 && now - toldAt >= this.timing.queuedEventMs) {
            toldAt = now;
            await this.tellQueue(jobId, page);
          }
        }
      }
    } finally {
      subscription.close();
    }
  }

  /** The next page, also from a database that is away for a while: then it is asked again at each word and each poll. */
  private async read(jobId: string, position: number, subscription: JobSubscription, signal: AbortSignal): Promise<LogPage | undefined> {
    const since = performance.now();
    for (;;) {
      try {
        return await this.log.page(jobId, position, PAGE);
      } catch (error) {
        if (signal.aborted) return undefined;
        if (!isTransient(error) || performance.now() - since >= this.timing.readPatienceMs) throw error;
        await subscription.next(this.timing.readPollMs, signal);
      }
    }
  }

  /** While somebody reads a job that waits, for a worker or for a model, its place in the queue is told in its log. */
  private async tellQueue(jobId: string, page: LogPage): Promise<void> {
    const { kind } = page;
    const place = page.waits ? await this.jobs.placeOf(jobId) : await this.jobs.queuePosition({ id: jobId, kind });
    if (place === undefined) return;
    const { position, etaSeconds } = place;
    const written = await this.log.appendQueued(jobId, { position, eta_seconds: etaSeconds }, this.timing.queuedEventMs);
    if (written) this.signals.notify(jobId);
  }
}
