import { Injectable, Logger } from '@nestjs/common';
import { JobLeaseRepository } from './job-lease.repository';
import { JobSettlement } from './job-settlement.service';
import { JobTiming } from './job-timing.entity';
import type { StoredJob } from './job.entity';
import { LostMessages } from './lost-messages.service';
import { OutboxRelay } from './outbox-relay.service';

const BATCH = 32;

/** Finds what crashes leave behind: leases that ran out, jobs that killed every worker they met, messages that were lost. */
@Injectable()
export class JobSweep {
  private readonly logger = new Logger(JobSweep.name);
  private timer?: NodeJS.Timeout;
  private turn: Promise<void> = Promise.resolve();
  private failing = false;

  constructor(
    private readonly leases: JobLeaseRepository,
    private readonly messages: LostMessages,
    private readonly settlement: JobSettlement,
    private readonly relay: OutboxRelay,
    private readonly timing: JobTiming,
  ) {}

  /** Before this process runs anything: what a dead process of this name had, it gives back now, and what was only in memory goes out again. */
  async recover(): Promise<void> {
    await this.leases.expireOwn();
    await this.messages.recover();
    await this.sweep();
  }

  start(): void {
    this.timer = setTimeout(() => {
      this.turn = this.guarded().finally(() => {
        if (this.timer !== undefined) this.start();
      });
    }, this.timing.pollMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.turn;
  }

  async sweep(): Promise<void> {
    if ((await this.leases.requeueExpired(BATCH)) > 0) this.relay.wake();
    for (const job of await this.leases.claimExhausted(BATCH, this.settlement.known())) await this.giveUp(job);
    // Last, for it asks the transport, which may be away.
    if ((await this.messages.redispatch()) > 0) this.relay.wake();
  }

  private async giveUp(job: StoredJob): Promise<void> {
    const message = `The worker stopped ${job.attempt} times while it ran this job.`;
    try {
      await this.settlement.finish(job, { status: 'failed', error: { code: 'internal', message, retryable: false } });
    } catch (error) {
      // Others must not wait for it; it is tried again when its short lease has run out.
      this.logger.error(`Job ${job.id} (${job.kind}) could not be ended.`, error instanceof Error ? error.stack : String(error));
    }
  }

  private async guarded(): Promise<void> {
    try {
      await this.sweep();
      this.failing = false;
    } catch (error) {
      if (!this.failing) this.logger.warn(`The sweep waits: ${error instanceof Error ? error.message : String(error)}`);
      this.failing = true;
    }
  }
}
