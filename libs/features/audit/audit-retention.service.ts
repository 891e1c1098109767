import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { setImmediate as breathe } from 'node:timers/promises';
import { AppConfig } from '@kernel/config';
import { AuditRepository } from './audit.repository';

const EVERY_MS = 3_600_000;
const AT_ONCE = 500;

/** Deletes audit entries older than RETENTION_AUDIT_DAYS, hourly and in small batches: the only way in which any goes. */
@Injectable()
export class AuditRetention implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(AuditRetention.name);
  private timer?: NodeJS.Timeout;
  private turn: Promise<unknown> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly repository: AuditRepository,
    private readonly config: AppConfig,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.turn = this.purge().catch((error: unknown) =>
        this.logger.warn(`Old audit entries stay for now: ${error instanceof Error ? error.message : String(error)}`),
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
      const batch = await this.repository.purge(this.config.retention.auditDays, AT_ONCE);
      gone += batch;
      if (batch < AT_ONCE) break;
      await breathe();
    }
    return gone;
  }
}
