import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { PostgresListener } from '@backing/postgres';
import { CancelWatch } from './cancel-watch.service';
import { JobSignals } from './job-signals.service';
import { OutboxRelay } from './outbox-relay.service';

/** Of the platform's words in the database. */
const CHANNEL = 'sutazai_jobs';
const ARRIVED = 'arrived';
const CANCELLED = 'cancelled:';

/**
 * News of jobs between processes: a cancel reaches the worker that runs the job wherever it was asked for, and a job that was handed back is published by
 * whoever hears of it first. Both are found without it as well: a cancelled job by the watch or the attempt's next write, a row of the outbox by the relay's clock.
 */
@Injectable()
export class JobNews implements OnApplicationBootstrap {
  constructor(
    private readonly listener: PostgresListener,
    signals: JobSignals,
    private readonly cancels: CancelWatch,
    private readonly relay: OutboxRelay,
  ) {
    signals.onCancelled((jobId) => this.listener.notify(CHANNEL, `${CANCELLED}${jobId}`));
    signals.onHandedBack(() => this.listener.notify(CHANNEL, ARRIVED));
  }

  onApplicationBootstrap(): void {
    this.listener.listen(CHANNEL, {
      hear: (word) => this.hear(word),
      resumed: () => void this.catchUp().catch(() => undefined),
    });
  }

  private hear(word: string): void {
    if (word === ARRIVED) this.relay.wake();
    if (word.startsWith(CANCELLED)) this.cancels.cancelled(word.slice(CANCELLED.length));
  }

  /** What was said while nobody listened. */
  private async catchUp(): Promise<void> {
    this.relay.wake();
    await this.cancels.look();
  }
}
