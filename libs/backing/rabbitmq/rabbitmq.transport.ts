import { BaseRpcContext, Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { JOB_CONCURRENCY, JOB_PATTERN, type DeadMessage, type JobLane, type JobMessage, type JobTransport } from '@kernel/jobs';
import { isObservable, lastValueFrom } from 'rxjs';
import type { RabbitmqClient } from './rabbitmq.client';
import { RabbitmqConsumers } from './rabbitmq.consumers';
import { RabbitmqPublisher } from './rabbitmq.publisher';

/** What still runs when the process ends has been handed back by then; its acknowledgements need a moment. */
const SETTLE_MS = 1_000;

/**
 * Job messages over RabbitMQ: a Nest transport strategy and the `JobTransport` port in one. A process that only accepts jobs publishes; one that runs them
 * also listens. The topology is declared here: one durable quorum queue for each lane, dead letters in one queue.
 */
export class RabbitmqTransport extends Server implements CustomTransportStrategy, JobTransport {
  readonly shared = true;
  readonly delays = true;
  private readonly publisher: RabbitmqPublisher;
  private readonly consumers: RabbitmqConsumers;
  private lanes: readonly JobLane[] = [];
  private bury?: (dead: DeadMessage) => Promise<void>;

  constructor(
    private readonly client: RabbitmqClient,
    private readonly concurrency: Readonly<Record<string, number>> = JOB_CONCURRENCY,
  ) {
    super();
    this.publisher = new RabbitmqPublisher(client.publishing);
    this.consumers = new RabbitmqConsumers(client.consuming, (message) => this.run(message));
    client.beforeClose(async () => {
      await this.consumers.cancel();
      await this.consumers.settled(SETTLE_MS);
      this.publisher.close();
    });
  }

  get ready(): boolean {
    return this.publisher.ready;
  }

  onReady(listener: () => void): void {
    this.publisher.onReady(listener);
  }

  know(lanes: readonly JobLane[]): void {
    this.lanes = lanes;
    this.publisher.know(lanes);
    this.client.publishing.open();
  }

  async publish(message: JobMessage, delayMs = 0): Promise<void> {
    this.client.publishing.open();
    await this.publisher.publish(message, delayMs);
  }

  waiting(lane: JobLane): Promise<number> {
    return this.publisher.waiting(lane);
  }

  /** Those who run jobs look after the dead too. */
  onDead(listener: (dead: DeadMessage) => Promise<void>): void {
    this.bury = listener;
  }

  /** Asks the server over the publishing connection. Errors: `unavailable`, with what is wrong. */
  async ping(): Promise<void> {
    this.client.publishing.open();
    await this.publisher.ping();
  }

  /** Does not wait for the server: consumers begin whenever it is there. */
  listen(callback: (error?: Error) => void): void {
    if (this.getHandlerByPattern(JOB_PATTERN) === null) return callback(new Error(`Nobody listens to ${JOB_PATTERN}.`));
    this.consumers.start(this.lanes, (kind) => this.concurrency[kind] ?? 1);
    if (this.bury !== undefined) this.consumers.bury(this.bury);
    callback();
  }

  /** No new messages; what runs is ended or handed back by whoever runs it, and the connections close after that. */
  async close(): Promise<void> {
    await this.consumers.cancel();
  }

  on(): void {
    throw new Error('The RabbitMQ transport has no events.');
  }

  unwrap<T>(): T {
    throw new Error('The RabbitMQ transport wraps nothing for others.');
  }

  private async run(message: JobMessage): Promise<void> {
    const answer: unknown = await this.getHandlerByPattern(JOB_PATTERN)?.(message, new BaseRpcContext([message]));
    if (isObservable(answer)) await lastValueFrom(answer, { defaultValue: undefined });
  }
}
