import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { Neo4jClient } from './neo4j.client';

/** Asks over the shared driver: 1 s deadline, answers cached for 2 s. Only the lineage of documents needs it. */
@Injectable()
export class Neo4jHealth implements ServiceIndicator {
  readonly name = 'neo4j';
  readonly driver = 'neo4j';
  readonly required = false;

  constructor(
    private readonly client: Neo4jClient,
    private readonly health: HealthIndicatorService,
  ) {}

  /** Whether there is anything to check. */
  get enabled(): boolean {
    return this.client.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.client.ping())
      .withTimeout(1_000)
      .cacheFor(2_000);
  }
}
