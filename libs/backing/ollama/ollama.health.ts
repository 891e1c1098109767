import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { OllamaClient } from './ollama.client';

/** Asks the server for its version over the shared connections: 1 s deadline, answers cached for 2 s. Nothing else of the platform needs it. */
@Injectable()
export class OllamaHealth {
  readonly name = 'ollama';
  readonly driver = 'ollama';
  readonly required = false;

  constructor(
    private readonly client: OllamaClient,
    private readonly health: HealthIndicatorService,
  ) {}

  /** Whether there is anything to check. */
  get enabled(): boolean {
    return this.client.configured;
  }

  check() {
    return this.health
      .check(this.name)
      .attempt(() => this.ping())
      .withTimeout(1_000)
      .cacheFor(2_000);
  }

  private async ping(): Promise<void> {
    await this.client.json({ path: 'version', method: 'GET', name: '', signal: new AbortController().signal, seconds: 1, probe: true });
  }
}
