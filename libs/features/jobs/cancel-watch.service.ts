import { Injectable } from '@nestjs/common';
import { jobCancelled } from './job-faults';
import { JobSignals } from './job-signals.service';
import { JobTiming } from './job-timing.entity';
import { JobsRepository } from './jobs.repository';

/**
 * Asks the database, while attempts run in this process, which of their jobs were cancelled by others: what stops them when no word of it came. The
 * heartbeat would find the same, later.
 */
@Injectable()
export class CancelWatch {
  private timer?: NodeJS.Timeout;
  private asking = false;

  constructor(
    private readonly signals: JobSignals,
    private readonly jobs: JobsRepository,
    private readonly timing: JobTiming,
  ) {}

  start(): void {
    // A database that does not answer is asked again.
    this.timer = setInterval(() => void this.look().catch(() => undefined), this.timing.cancelPollMs);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Stops the attempts of one job that was cancelled. */
  cancelled(jobId: string): void {
    this.signals.abort(jobId, jobCancelled());
    this.signals.notify(jobId);
  }

  async look(): Promise<void> {
    const running = this.signals.running();
    if (this.asking || running.length === 0) return;
    this.asking = true;
    try {
      for (const jobId of await this.jobs.cancelledAmong(running)) this.cancelled(jobId);
    } finally {
      this.asking = false;
    }
  }
}
