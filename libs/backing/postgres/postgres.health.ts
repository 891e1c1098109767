import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { PostgresClient } from './postgres.client';

/** Pings the shared pool: 1 s deadline, answers cached for 2 s. */
@Injectable()
export class PostgresHealth {
  readonly name = 'postgres';
  readonly required = true;

  constructor(
    private readonly postgres: PostgresClient,
    private readonly health: HealthIndicatorService,
  ) {}

  get driver(): string {
    return this.postgres.embedded ? 'embedded' : 'postgres';
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.postgres.ping())
      .withTimeout(1_000)
      .cacheFor(2_000);
  }
}
