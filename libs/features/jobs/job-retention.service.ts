import { Injectable, Logger } from '@nestjs/common';
import { setImmediate as breathe } from 'node:timers/promises';
import { AppConfig } from '@kernel/config';
import { JobLogRepository } from './job-log.repository';
import { JobTiming } from './job-timing.entity';

const EVENTS_AT_ONCE = 500;
const JOBS_AT_ONCE = 32;

/** Deletes the events and later the rows of jobs that ended long ago, hourly and in small batches. */
@Injectable()
export class JobRetention {
  private readonly logger = new Logger(JobRetention.name);
  private timer?: NodeJS.Timeout;
  private turn: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly log: JobLogRepository,
    private readonly config: AppConfig,
    private readonly timing: JobTiming,
  ) {}

  start(): void {
    this.timer = setInterval(() => {
      this.turn = this.purge().catch((error: unknown) =>
        this.logger.warn(`Old jobs stay for now: ${error instanceof Error ? error.message : String(error)}`),
      );
    }, this.timing.retentionMs);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.turn;
  }

  async purge(): Promise<void> {
    const { eventsDays, jobsDays } = this.config.retention;
    await this.repeat(EVENTS_AT_ONCE, () => this.log.purgeEvents(eventsDays, EVENTS_AT_ONCE));
    await this.repeat(JOBS_AT_ONCE, () => this.log.purgeJobs(jobsDays, JOBS_AT_ONCE));
  }

  private async repeat(batch: number, work: () => Promise<number>): Promise<void> {
    while (!this.stopped && (await work()) === batch) await breathe();
  }
}
