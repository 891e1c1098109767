import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { ConsulClient } from './consul.client';
import { ConsulRegistration } from './consul.registration';

/** Asks the agent for its leader over the shared connections, and whether this process could enter itself. Nothing else of the platform needs it. */
@Injectable()
export class ConsulHealth implements ServiceIndicator {
  readonly name = 'consul';
  readonly driver = 'consul';
  readonly required = false;

  constructor(
    private readonly client: ConsulClient,
    private readonly registration: ConsulRegistration,
    private readonly health: HealthIndicatorService,
  ) {}

  /** Whether there is anything to check. */
  get enabled(): boolean {
    return this.client.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.state())
      .withTimeout(1_000)
      .cacheFor(2_000);
  }

  private async state(): Promise<void> {
    await this.client.ping();
    if (this.registration.refused !== undefined) throw this.registration.refused;
  }
}
