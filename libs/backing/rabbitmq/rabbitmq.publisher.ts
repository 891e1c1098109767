import { randomUUID } from 'node:crypto';
import type { ConfirmChannel } from 'amqplib';
import { ServiceGuard } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import { laneName, type JobLane, type JobMessage } from '@kernel/jobs';
import { RabbitmqChannel } from './rabbitmq.channel';
import { rabbitFault } from './rabbitmq.fault';
import type { RabbitmqLink } from './rabbitmq.link';
import { declareDelays, declareLane, declareTopology, JOBS_EXCHANGE, queueOf, routeOf } from './rabbitmq.topology';

/** A little less than the relay waits, so that its own words are the ones that are logged. */
const PUBLISH_MS = 4_500;
const ASK_MS = 1_000;

/**
 * Publishes with confirms and `mandatory`, only while there is a connection: nothing is kept in memory for later, for the outbox keeps it. A message that
 * no queue takes is an error, and its queue is declared again before the next one.
 */
export class RabbitmqPublisher {
  private readonly guard: ServiceGuard;
  private readonly channel: RabbitmqChannel<ConfirmChannel>;
  private readonly listeners: (() => void)[] = [];
  private readonly returned = new Set<string>();
  private declared = new Set<string>();
  private delays?: Promise<void>;
  private lanes: readonly JobLane[] = [];

  constructor(private readonly link: RabbitmqLink) {
    this.guard = new ServiceGuard({ service: 'RabbitMQ', deadlineMs: PUBLISH_MS, ping: () => this.ping() });
    this.channel = new RabbitmqChannel(link, {
      create: (connection) => connection.createConfirmChannel(),
      prepare: (channel) => this.prepare(channel),
      ready: () => this.listeners.forEach((listener) => listener()),
    });
  }

  get ready(): boolean {
    return this.channel.current !== undefined && this.link.blocked === undefined && !this.guard.isOpen;
  }

  onReady(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Lanes whose queues are declared whenever a channel is opened; others at their first message. */
  know(lanes: readonly JobLane[]): void {
    this.lanes = lanes;
  }

  async publish(message: JobMessage, delayMs: number): Promise<void> {
    const channel = this.usable();
    if (await this.guard.call(() => this.send(channel, message, delayMs))) return;
    this.declared.delete(laneName(message));
    // Said out here: a server that answers this is not away, and its guard must not count it.
    throw new AppError('unavailable', `RabbitMQ has no queue for ${laneName(message)}.`);
  }

  /** Messages in the lane's queue that no consumer has. */
  async waiting(lane: JobLane): Promise<number> {
    const channel = this.usable();
    return this.guard.call(
      async () => {
        await this.assure(channel, lane);
        return (await channel.checkQueue(queueOf(lane)).catch(rethrow)).messageCount;
      },
      { milliseconds: ASK_MS },
    );
  }

  /** Asks the server over the open channel. Errors: `unavailable`, with what is wrong. */
  async ping(): Promise<void> {
    await this.usable().checkExchange(JOBS_EXCHANGE).catch(rethrow);
  }

  close(): void {
    this.guard.close();
    this.channel.close();
  }

  private usable(): ConfirmChannel {
    const { current, fault } = this.channel;
    if (current === undefined) throw fault;
    if (this.link.blocked !== undefined)
      throw new AppError('unavailable', `RabbitMQ takes no messages now: ${this.link.blocked}.`, { retryAfterSeconds: 10 });
    return current;
  }

  private async prepare(channel: ConfirmChannel): Promise<void> {
    await declareTopology(channel, this.lanes);
    this.declared = new Set(this.lanes.map(laneName));
    this.delays = undefined;
    this.returned.clear();
    channel.on('return', ({ properties }: { properties: { messageId?: string } }) => this.returned.add(properties.messageId ?? ''));
  }

  private async assure(channel: ConfirmChannel, lane: JobLane): Promise<void> {
    if (this.declared.has(laneName(lane))) return;
    await declareLane(channel, lane).catch(rethrow);
    this.declared.add(laneName(lane));
  }

  private async assureDelays(channel: ConfirmChannel): Promise<void> {
    const declaring = (this.delays ??= declareDelays(channel));
    await declaring.catch((error: unknown) => {
      if (this.delays === declaring) this.delays = undefined;
      rethrow(error);
    });
  }

  /** Whether a queue took it. */
  private async send(channel: ConfirmChannel, message: JobMessage, delayMs: number): Promise<boolean> {
    const { job_id, kind, version } = message;
    await this.assure(channel, message);
    const { exchange, key } = routeOf(message, delayMs);
    if (exchange !== JOBS_EXCHANGE) await this.assureDelays(channel);
    const messageId = randomUUID();
    const options = { mandatory: true, persistent: true, messageId, type: kind, contentType: 'application/json' };
    await new Promise<void>((resolve, reject) => {
      const content = Buffer.from(JSON.stringify({ job_id, kind, version } satisfies JobMessage));
      // The return of a message comes before its confirm.
      channel.publish(exchange, key, content, options, (error: unknown) =>
        error === null || error === undefined ? resolve() : reject(rabbitFault(error)),
      );
    }).catch(rethrow);
    return !this.returned.delete(messageId);
  }
}

function rethrow(error: unknown): never {
  throw rabbitFault(error);
}
