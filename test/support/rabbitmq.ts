import { connect, type ChannelModel } from 'amqplib';
import { JOB_PATTERN, type JobMessage } from '@kernel/jobs';
import { RabbitmqClient, RabbitmqTransport } from '@backing/rabbitmq';

/** One process's worth of RabbitMQ: its connections, its transport, and a consumer that does what the test says. */
export class RabbitmqProcess {
  readonly client: RabbitmqClient;
  readonly transport: RabbitmqTransport;
  /** Messages whose work ended well, in the order of their ends. */
  readonly done: JobMessage[] = [];
  running = 0;
  mostRunning = 0;
  work: (message: JobMessage) => Promise<void> = async () => undefined;

  constructor(url: string, kinds: readonly string[], concurrency: Record<string, number> = {}) {
    this.client = new RabbitmqClient(url, { heartbeatSeconds: 1, connectMs: 1_000 });
    this.transport = new RabbitmqTransport(this.client, concurrency);
    for (const part of [this.transport, this.client.publishing, this.client.consuming])
      Object.defineProperty(part, 'logger', { value: { log: () => undefined, warn: () => undefined, error: () => undefined } });
    this.transport.addHandler(JOB_PATTERN, (message: JobMessage) => this.take(message), true);
    this.transport.know(kinds.map((kind) => ({ kind, version: 1 })));
  }

  listen(): this {
    this.transport.listen((error) => {
      if (error !== undefined) throw error;
    });
    return this;
  }

  /** Resolves when it can publish. */
  async ready(milliseconds = 15_000): Promise<this> {
    if (this.transport.ready) return this;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Not ready within ${milliseconds} ms.`)), milliseconds);
      this.transport.onReady(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return this;
  }

  /** The connections break as those of a killed process do. */
  crash(): void {
    for (const link of [this.client.publishing, this.client.consuming]) {
      const socket = socketOf(link.connection);
      void link.close();
      socket?.destroy();
    }
  }

  async close(): Promise<void> {
    await this.transport.close();
    await this.client.onApplicationShutdown();
  }

  private async take(message: JobMessage): Promise<void> {
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    try {
      await this.work(message);
      this.done.push(message);
    } finally {
      this.running -= 1;
    }
  }
}

/** A plain connection of the driver's, for looking at what the platform left on the server. */
export async function look<T>(url: string, use: (connection: ChannelModel) => Promise<T>): Promise<T> {
  const connection = await connect(url);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

function socketOf(connection: unknown): { destroy(): void } | undefined {
  return (connection as { connection?: { stream?: { destroy(): void } } } | undefined)?.connection?.stream;
}
