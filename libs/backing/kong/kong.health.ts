import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { KongClient } from './kong.client';

/** Asks the gateway's status listener over the shared connections: 1 s deadline, answers cached for 2 s. Nothing of the platform needs it. */
@Injectable()
export class KongHealth implements ServiceIndicator {
  readonly name = 'kong';
  readonly driver = 'kong';
  readonly required = false;

  constructor(
    private readonly client: KongClient,
    private readonly health: HealthIndicatorService,
  ) {}

  /** Whether there is anything to check. */
  get enabled(): boolean {
    return this.client.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.client.ready())
      .withTimeout(1_000)
      .cacheFor(2_000);
  }
}
