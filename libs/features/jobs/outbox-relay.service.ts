import { Injectable, Logger } from '@nestjs/common';
import { AppError } from '@kernel/errors';
import { JobTransport } from '@kernel/jobs';
import { JobHandlers } from './job-handlers.service';
import { JobOutboxRepository, type OutboxRow, type UnsentRow } from './job-outbox.repository';
import { JobTiming } from './job-timing.entity';

const BATCH = 500;
/** Batches under way at the same time while there are full ones: one is claimed or deleted while another waits for its confirms. */
const SIDE_BY_SIDE = 2;
const BACKOFF_CAP_MS = 10_000;

/**
 * Carries committed outbox rows to the transport, at least once each: claim, publish, delete. One loop, woken by `wake`, else by the clock;
 * an outage of the database or the transport slows it down and never ends it, and a message that cannot be published is tried again by itself. A transport that is not ready leaves the rows to another process's relay.
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
    private readonly handlers: JobHandlers,
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
      if (await this.carry()) await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => this.carryOn()));
      else
        await this.pause(
          this.failures === 0 ? this.timing.pollMs : Math.min(BACKOFF_CAP_MS, this.timing.pollMs * 2 ** (this.failures - 1)),
        );
    }
  }

  private async carryOn(): Promise<void> {
    while (!this.stopped && (await this.carry())) continue;
  }

  /** True when a full batch went out: there may be more. */
  private async carry(): Promise<boolean> {
    if (!this.transport.ready) return false;
    try {
      const rows = await this.outbox.claim(BATCH, this.timing.publishMs * 2, this.transport.shared ? undefined : this.handlers.lanes());
      const unsent = await this.publish(rows);
      // A message of its own trouble holds nobody up: only when none goes is it the transport's.
      if (unsent.length > 0 && unsent.length === rows.length) throw new AppError('unavailable', unsent[0]?.reason ?? '');
      this.failures = 0;
      return rows.length === BATCH;
    } catch (error) {
      this.failures += 1;
      if (this.failures === 1) this.logger.warn(`The outbox waits: ${wordsOf(error)}`);
      return false;
    }
  }

  /** All at once, so that they share the waiting for their confirms; answers those that were not taken within the deadline. */
  private async publish(rows: OutboxRow[]): Promise<UnsentRow[]> {
    const reasons = rows.map((): string | undefined => 'The transport did not take the message in time.');
    const publishing = rows.map(async ({ jobId, kind, version, delayMs }, n) => {
      reasons[n] = await this.transport.publish({ job_id: jobId, kind, version }, delayMs).then(() => undefined, wordsOf);
    });
    await this.withinDeadline(Promise.all(publishing));
    const sent = rows.filter((_, n) => reasons[n] === undefined).map(({ id }) => id);
    const unsent = rows.flatMap(({ id, tries }, n) => {
      const reason = reasons[n];
      return reason === undefined ? [] : [{ id, reason, delayMs: this.timing.backoff(tries + 1) }];
    });
    await this.outbox.delete(sent);
    await this.outbox.release(unsent);
    return unsent;
  }

  private async withinDeadline(publishing: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.timing.publishMs)));
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

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
