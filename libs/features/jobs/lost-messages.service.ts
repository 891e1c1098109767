import { Injectable } from '@nestjs/common';
import { JobTransport, type JobLane } from '@kernel/jobs';
import { JobHandlers } from './job-handlers.service';
import { JobOutboxRepository } from './job-outbox.repository';
import { JobTiming } from './job-timing.entity';

const BATCH = 32;

/**
 * Finds queued jobs whose message was published and got lost, and puts it into the outbox again. A message is a token for any job of its lane: while one waits,
 * its lane goes on, and nothing counts as lost.
 */
@Injectable()
export class LostMessages {
  constructor(
    private readonly outbox: JobOutboxRepository,
    private readonly transport: JobTransport,
    private readonly handlers: JobHandlers,
    private readonly timing: JobTiming,
  ) {}

  /** At boot, where a single process had its messages in memory only. What others publish, and what waits in a transport of all, is left alone. */
  async recover(): Promise<void> {
    if (this.transport.shared) return;
    await this.outbox.releaseAll();
    while ((await this.outbox.redispatch(0, BATCH, this.handlers.lanes())) === BATCH);
  }

  /** A job counts as lost when nobody came for it and no message of its lane waits any more; answers how many went into the outbox. */
  async redispatch(): Promise<number> {
    const { redispatchMs } = this.timing;
    let lost = 0;
    for (const lane of await this.outbox.overdueLanes(redispatchMs)) {
      if (!this.transport.ready) break;
      if (!this.carries(lane) || (await this.transport.waiting(lane)) > 0) continue;
      lost += await this.outbox.redispatch(redispatchMs, BATCH, [lane]);
    }
    return lost;
  }

  /** What only this process would hear of, and cannot run, is left in the table for one that can. */
  private carries(lane: JobLane): boolean {
    return this.transport.shared || this.handlers.knows(lane);
  }
}
