import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import type { ServiceIndicator } from '@kernel/health';
import { RedisClient } from './redis.client';

/** Asks over the connection for commands: 1 s deadline, answers cached for 1 s. Without Redis limits are counted per process, and nothing else changes. */
@Injectable()
export class RedisHealth implements ServiceIndicator {
  readonly name = 'redis';
  readonly driver = 'redis';
  readonly required = false;

  constructor(
    private readonly redis: RedisClient,
    private readonly health: HealthIndicatorService,
  ) {}

  /** Whether there is anything to check. */
  get enabled(): boolean {
    return this.redis.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.ask())
      .withTimeout(1_000)
      .cacheFor(1_000);
  }

  private async ask(): Promise<void> {
    try {
      await this.redis.check();
    } catch (error) {
      throw new Error(`${(error as Error).message} Limits are counted per process.`, { cause: error });
    }
  }
}
