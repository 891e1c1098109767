import { randomUUID } from 'node:crypto';
import type { ConfirmChannel } from 'amqplib';
import { ServiceGuard } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import type { JobMessage } from '@kernel/jobs';
import { RabbitmqChannel } from './rabbitmq.channel';
import { rabbitFault } from './rabbitmq.fault';
import type { RabbitmqLink } from './rabbitmq.link';
import { declareKind, declareTopology, JOBS_EXCHANGE, queueOf } from './rabbitmq.topology';

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
  private kinds: readonly string[] = [];

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

  /** Kinds whose queues are declared whenever a channel is opened; others at their first message. */
  know(kinds: readonly string[]): void {
    this.kinds = kinds;
  }

  async publish(message: JobMessage): Promise<void> {
    const channel = this.usable();
    if (await this.guard.call(() => this.send(channel, message))) return;
    this.declared.delete(message.kind);
    // Said out here: a server that answers this is not away, and its guard must not count it.
    throw new AppError('unavailable', `RabbitMQ has no queue for ${message.kind}.`);
  }

  /** Messages in the kind's queue that no consumer has. */
  async waiting(kind: string): Promise<number> {
    const channel = this.usable();
    return this.guard.call(
      async () => {
        if (!this.declared.has(kind)) await this.declare(channel, kind);
        return (await channel.checkQueue(queueOf(kind)).catch(rethrow)).messageCount;
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
    await declareTopology(channel, this.kinds);
    this.declared = new Set(this.kinds);
    this.returned.clear();
    channel.on('return', ({ properties }: { properties: { messageId?: string } }) => this.returned.add(properties.messageId ?? ''));
  }

  private async declare(channel: ConfirmChannel, kind: string): Promise<void> {
    await declareKind(channel, kind).catch(rethrow);
    this.declared.add(kind);
  }

  /** Whether a queue took it. */
  private async send(channel: ConfirmChannel, { job_id, kind }: JobMessage): Promise<boolean> {
    if (!this.declared.has(kind)) await this.declare(channel, kind);
    const messageId = randomUUID();
    const options = { mandatory: true, persistent: true, messageId, type: kind, contentType: 'application/json' };
    await new Promise<void>((resolve, reject) => {
      const content = Buffer.from(JSON.stringify({ job_id, kind } satisfies JobMessage));
      // The return of a message comes before its confirm.
      channel.publish(JOBS_EXCHANGE, kind, content, options, (error: unknown) =>
        error === null || error === undefined ? resolve() : reject(rabbitFault(error)),
      );
    }).catch(rethrow);
    return !this.returned.delete(messageId);
  }
}

function rethrow(error: unknown): never {
  throw rabbitFault(error);
}
