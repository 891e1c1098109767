import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { FaissClient } from './faiss.client';

/**
 * Asks over the shared connections: 1 s deadline, answers cached for 2 s. `up` also while the child has not been needed yet, but could be started;
 * `disabled` where neither FAISS_URL is set nor the native part is there.
 */
@Injectable()
export class FaissHealth implements ServiceIndicator {
  readonly name = 'faiss';
  readonly required = false;

  constructor(
    private readonly client: FaissClient,
    private readonly health: HealthIndicatorService,
  ) {}

  get driver(): string {
    return this.client.remote ? 'faiss' : 'embedded';
  }

  get enabled(): boolean {
    return this.client.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.client.ping(AbortSignal.timeout(1_000)))
      .withTimeout(1_000)
      .cacheFor(2_000);
  }
}
