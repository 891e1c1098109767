import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { setImmediate as breathe } from 'node:timers/promises';
import { IdempotencyKeysRepository } from './idempotency-keys.repository';

const EVERY_MS = 600_000;
const AT_ONCE = 500;

/** Deletes what was kept for longer than 24 hours, every ten minutes and in small batches. */
@Injectable()
export class IdempotencyRetention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(IdempotencyRetention.name);
  private timer?: NodeJS.Timeout;
  private turn: Promise<unknown> = Promise.resolve();
  private stopped = false;

  constructor(private readonly repository: IdempotencyKeysRepository) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.turn = this.purge().catch((error: unknown) =>
        this.logger.warn(`Old idempotency keys stay for now: ${error instanceof Error ? error.message : String(error)}`),
      );
    }, EVERY_MS);
    this.timer.unref();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.turn;
  }

  /** Answers how many went. */
  async purge(): Promise<number> {
    let gone = 0;
    while (!this.stopped) {
      const batch = await this.repository.purge(AT_ONCE);
      gone += batch;
      if (batch < AT_ONCE) break;
      await breathe();
    }
    return gone;
  }
}
