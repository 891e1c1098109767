import { setTimeout as delay } from 'node:timers/promises';
import type { OnApplicationShutdown } from '@nestjs/common';
import { backoff } from '@kernel/calls';
import { ServerList } from '@kernel/discovery';
import type { ConsulClient } from './consul.client';

/** The first question waits so long for the first answer. */
const FIRST_MS = 1_000;
const RETRY = { baseMs: 200, capMs: 2_000 };

/**
 * The healthy instances of one service, followed by one question that waits for news (`index`, https://developer.hashicorp.com/consul/api-docs/features/blocking),
 * from the first time that anybody asks. While Consul is away those that were known last stay.
 */
export class ConsulServers extends ServerList implements OnApplicationShutdown {
  readonly configured = true;
  private urls: readonly string[] = [];
  private readonly closing = new AbortController();
  private first?: Promise<void>;

  constructor(
    private readonly client: ConsulClient,
    private readonly service: string,
  ) {
    super();
  }

  async current(): Promise<readonly string[]> {
    this.first ??= this.begin();
    await this.first;
    return this.urls;
  }

  onApplicationShutdown(): void {
    this.closing.abort();
  }

  /** Resolves with the first answer, with the first failure, or when both let wait. */
  private begin(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, FIRST_MS);
      void this.follow(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private async follow(heard: () => void): Promise<void> {
    const { signal } = this.closing;
    let index: string | undefined;
    for (let failures = 0; !signal.aborted; ) {
      try {
        const found = await this.client.instances(this.service, index, signal);
        this.urls = found.urls;
        // An agent that was started anew counts from the beginning, and one without an index must not be asked in a circle.
        index = Number(found.index) > 0 && !(Number(found.index) < Number(index)) ? found.index : undefined;
        failures = 0;
        if (index === undefined) await this.pause(0);
      } catch {
        index = undefined;
        await this.pause(failures++);
      } finally {
        heard();
      }
    }
  }

  private async pause(attempt: number): Promise<void> {
    await delay(backoff(attempt, RETRY), undefined, { ref: false, signal: this.closing.signal }).catch(() => undefined);
  }
}
