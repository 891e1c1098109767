import { Injectable } from '@nestjs/common';
import { PostgresClient, PostgresHealth } from '@backing/postgres';

/** A database that was silent for longer is asked before traffic is invited again. */
const SILENT_MILLISECONDS = 10_000;

/** Whether traffic should come here: started, not draining, and the database answered within the last 10 s. */
@Injectable()
export class Readiness {
  private stopping = false;

  constructor(
    private readonly postgres: PostgresClient,
    private readonly database: PostgresHealth,
  ) {}

  /** From now on nothing new should come; at once and for good. */
  drain(): void {
    this.stopping = true;
  }

  get draining(): boolean {
    return this.stopping;
  }

  async ready(): Promise<boolean> {
    if (!this.stopping && this.postgres.silentMilliseconds >= SILENT_MILLISECONDS) await this.database.check();
    return !this.stopping && this.postgres.silentMilliseconds < SILENT_MILLISECONDS;
  }
}
