import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { JobTransport } from '@kernel/jobs';
import { JobOutboxRepository, type OutboxRow } from './job-outbox.repository';
import { JobTiming } from './job-timing.entity';

const BATCH = 32;
const BACKOFF_CAP_MS = 10_000;

/**
 * Carries committed outbox rows to the transport, at least once each: claim, publish, delete. One loop, woken by `wake`, else by the clock;
 * an outage of the database or the transport slows it down and never ends it. A transport that is not ready leaves the rows to another process's relay.
 */
@Injectable()
export class OutboxRelay {
  private readonly logger = new Logger(OutboxRelay.name);
  private loop?: Promise<void>;
  private stopped = false;
  private woken = false;
  private resume?: () => void;
  private failures = 0;

  constructor(
    private readonly outbox: JobOutboxRepository,
    private readonly transport: JobTransport,
    private readonly timing: JobTiming,
  ) {
    transport.onReady(() => this.wake());
  }

  start(): void {
    this.loop ??= this.turn();
  }

  wake(): void {
    this.woken = true;
    this.resume?.();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.wake();
    await this.loop;
  }

  private async turn(): Promise<void> {
    while (!this.stopped) {
      this.woken = false;
      const more = await this.carry();
      if (!more)
        await this.pause(
          this.failures === 0 ? this.timing.pollMs : Math.min(BACKOFF_CAP_MS, this.timing.pollMs * 2 ** (this.failures - 1)),
        );
    }
  }

  /** True when a full batch went out: there may be more. */
  private async carry(): Promise<boolean> {
    if (!this.transport.ready) return false;
    try {
      const rows = await this.outbox.claim(BATCH, this.timing.publishMs * 2);
      const unsent = await this.publish(rows);
      if (unsent.length > 0) throw new AppError('unavailable', `${unsent.length} job messages could not be published.`);
      this.failures = 0;
      return rows.length === BATCH;
    } catch (error) {
      this.failures += 1;
      if (this.failures === 1) this.logger.warn(`The outbox waits: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  private async publish(rows: OutboxRow[]): Promise<string[]> {
    const results = await Promise.allSettled(
      rows.map((row) => this.withDeadline(this.transport.publish({ job_id: row.jobId, kind: row.kind }))),
    );
    const idsOf = (status: 'fulfilled' | 'rejected'): string[] => rows.filter((_, n) => results[n]?.status === status).map((row) => row.id);
    await this.outbox.delete(idsOf('fulfilled'));
    const unsent = idsOf('rejected');
    await this.outbox.release(unsent, this.timing.pollMs);
    return unsent;
  }

  private async withDeadline(publishing: Promise<void>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new AppError('timeout', 'The transport did not take the message in time.')), this.timing.publishMs);
    });
    await Promise.race([publishing, deadline]).finally(() => clearTimeout(timer));
  }

  private async pause(milliseconds: number): Promise<void> {
    if (this.woken || this.stopped) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.resume = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.resume = undefined;
  }
}
