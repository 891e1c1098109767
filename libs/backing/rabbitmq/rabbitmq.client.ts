import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { RabbitmqLink, type LinkOptions } from './rabbitmq.link';

const HEARTBEAT_SECONDS = 10;
const CONNECT_MS = 3_000;

/**
 * The two connections to RabbitMQ, one for publishing and one for consuming, so that a server that slows publishers down does not slow its consumers.
 * Neither is opened, and no driver is loaded, before somebody needs it. Closed last.
 */
@Injectable()
export class RabbitmqClient implements OnApplicationShutdown {
  readonly publishing: RabbitmqLink;
  readonly consuming: RabbitmqLink;
  private readonly endings: (() => Promise<void> | void)[] = [];

  /** `url` is undefined where the settings name none: then nothing here is used. */
  constructor(
    readonly url: string | undefined,
    options: Partial<Omit<LinkOptions, 'purpose'>> = {},
  ) {
    const common = { heartbeatSeconds: HEARTBEAT_SECONDS, connectMs: CONNECT_MS, ...options };
    this.publishing = new RabbitmqLink(url ?? '', { ...common, purpose: 'publishing' });
    this.consuming = new RabbitmqLink(url ?? '', { ...common, purpose: 'consuming' });
  }

  get configured(): boolean {
    return this.url !== undefined;
  }

  /** What must end before the connections do. */
  beforeClose(ending: () => Promise<void> | void): void {
    this.endings.push(ending);
  }

  async onApplicationShutdown(): Promise<void> {
    for (const end of this.endings) await end();
    await Promise.all([this.consuming.close(), this.publishing.close()]);
  }
}
