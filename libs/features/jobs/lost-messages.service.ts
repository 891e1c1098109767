import { Injectable } from '@nestjs/common';
import { JobTransport } from '@kernel/jobs';
import { JobOutboxRepository } from './job-outbox.repository';
import { JobTiming } from './job-timing.entity';

const BATCH = 32;

/** Finds queued jobs whose message was published and got lost, and puts it into the outbox again. */
@Injectable()
export class LostMessages {
  constructor(
    private readonly outbox: JobOutboxRepository,
    private readonly transport: JobTransport,
    private readonly timing: JobTiming,
  ) {}

  /** At boot, where a single process had its messages in memory only. What others publish, and what waits in a transport of all, is left alone. */
  async recover(): Promise<void> {
    if (this.transport.shared) return;
    await this.outbox.releaseAll();
    while ((await this.outbox.redispatch(0, BATCH)) === BATCH);
  }

  /** A job counts as lost when nobody came for it and no message of its kind waits any more; answers how many went into the outbox. */
  async redispatch(): Promise<number> {
    const { redispatchMs, staleMs } = this.timing;
    if (!this.transport.shared) return this.outbox.redispatch(redispatchMs, BATCH);
    let lost = 0;
    for (const kind of await this.outbox.overdueKinds(redispatchMs)) {
      if (!this.transport.ready) break;
      const waiting = await this.transport.waiting(kind);
      lost += await this.outbox.redispatch(waiting === 0 ? redispatchMs : staleMs, BATCH, kind);
    }
    return lost;
  }
}
