import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { ChromaClient } from './chroma.client';

/** Asks the server for its heartbeat over the shared connections: 1 s deadline, answers cached for 2 s. Only collections that live there need it. */
@Injectable()
export class ChromaHealth implements ServiceIndicator {
  readonly name = 'chroma';
  readonly driver = 'chroma';
  readonly required = false;

  constructor(
    private readonly client: ChromaClient,
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
