import { DEAD_QUEUE, queueOf, RabbitmqClient, RabbitmqTransport } from '@backing/rabbitmq';
import type { JobLane } from '@kernel/jobs';
import { JobsBench, testWork, testWorkTwo, type JobsProcess, type ProcessOptions } from './jobs';
import { look } from './rabbitmq';
import { startServerOf, type TestServer } from './services';
import { until } from './until';

const quiet = (): void => undefined;

/** What the API does with the transport: it publishes and takes nothing. */
class Publishing extends RabbitmqTransport {
  override listen(callback: (error?: Error) => void): void {
    callback();
  }
}

/** Relay, sweep, runner and the transport on a real broker and PostgreSQL, in one process each, without the rest of the product. */
export class JobsOverRabbitmq {
  private constructor(
    readonly server: TestServer,
    readonly bench: JobsBench,
  ) {}

  static async open(): Promise<JobsOverRabbitmq> {
    const server = await startServerOf('rabbitmq', 'startRabbitmq');
    return new JobsOverRabbitmq(server, await JobsBench.open('postgres'));
  }

  api(options?: ProcessOptions, url?: string): Promise<JobsProcess> {
    return this.begin(Publishing, options, url);
  }

  worker(options?: ProcessOptions): Promise<JobsProcess> {
    return this.begin(RabbitmqTransport, options);
  }

  /** Messages that wait in a queue. */
  messages(queue = queueOf(testWork)): Promise<number> {
    return look(this.server.url, async (connection) => (await (await connection.createChannel()).checkQueue(queue)).messageCount);
  }

  /** Puts a message where the platform puts none. */
  async plant(queue: string, content: string): Promise<void> {
    await look(this.server.url, async (connection) => {
      const channel = await connection.createConfirmChannel();
      channel.sendToQueue(queue, Buffer.from(content), { persistent: true });
      await channel.waitForConfirms();
    });
  }

  async purge(queue = queueOf(testWork)): Promise<void> {
    await look(this.server.url, async (connection) => (await connection.createChannel()).purgeQueue(queue));
  }

  /** Ends the processes and empties the broker. */
  async clear(): Promise<void> {
    await this.bench.stopAll();
    const lanes: JobLane[] = [testWork, testWorkTwo];
    await look(this.server.url, async (connection) => {
      const channel = await connection.createChannel();
      for (const queue of [...lanes.map(queueOf), DEAD_QUEUE]) await channel.deleteQueue(queue);
    });
  }

  async close(): Promise<void> {
    await this.bench.close();
    await this.server.stop();
  }

  private async begin(Transport: typeof RabbitmqTransport, options: ProcessOptions = {}, url = this.server.url): Promise<JobsProcess> {
    const client = new RabbitmqClient(url, { heartbeatSeconds: 1, connectMs: 1_000 });
    const carrier = new Transport(client, { [testWork.kind]: 4 });
    for (const part of [client.publishing, client.consuming]) Object.defineProperty(part, 'logger', { value: { log: quiet, warn: quiet } });
    const process = await this.bench.process({ ...options, carrier, providers: [client, ...(options.providers ?? [])] });
    if (url === this.server.url) await until(() => carrier.ready);
    return process;
  }
}
