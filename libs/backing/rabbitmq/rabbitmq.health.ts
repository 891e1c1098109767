import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { RabbitmqClient } from './rabbitmq.client';
import { RabbitmqTransport } from './rabbitmq.transport';

/** Asks for the exchange over the open publishing channel: 1 s deadline, answers cached for 2 s. Without it jobs are accepted and wait. */
@Injectable()
export class RabbitmqHealth implements ServiceIndicator {
  readonly name = 'rabbitmq';
  readonly driver = 'rabbitmq';
  readonly required = false;

  constructor(
    private readonly client: RabbitmqClient,
    private readonly transport: RabbitmqTransport,
    private readonly health: HealthIndicatorService,
  ) {}

  get enabled(): boolean {
    return this.client.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.transport.ping())
      .withTimeout(1_000)
      .cacheFor(2_000);
  }
}
