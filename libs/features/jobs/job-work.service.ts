import { Injectable } from '@nestjs/common';
import { CancelWatch } from './cancel-watch.service';
import { JobRetention } from './job-retention.service';
import { JobRunner } from './job-runner.service';
import { JobSweep } from './job-sweep.service';
import { OutboxRelay } from './outbox-relay.service';

/** Starts and stops what works on jobs in this process, in the order that loses nothing. */
@Injectable()
export class JobWork {
  private started = false;

  constructor(
    private readonly relay: OutboxRelay,
    private readonly sweep: JobSweep,
    private readonly retention: JobRetention,
    private readonly runner: JobRunner,
    private readonly cancels: CancelWatch,
  ) {}

  async start(): Promise<void> {
    await this.sweep.recover();
    this.started = true;
    this.cancels.start();
    this.relay.start();
    this.sweep.start();
    this.retention.start();
  }

  /** No new work, then the running jobs are handed back; a process that never started has nothing to give back. */
  async stop(): Promise<void> {
    if (!this.started) return;
    await Promise.all([this.relay.stop(), this.sweep.stop(), this.retention.stop()]);
    await this.runner.drain();
    this.cancels.stop();
  }
}
