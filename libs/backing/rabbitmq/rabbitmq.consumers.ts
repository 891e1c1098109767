import { Logger } from '@nestjs/common';
import type { Channel, ConsumeMessage } from 'amqplib';
import { backoff } from '@kernel/calls';
import type { JobMessage } from '@kernel/jobs';
import { RabbitmqChannel } from './rabbitmq.channel';
import type { RabbitmqLink } from './rabbitmq.link';
import { declareTopology, queueOf } from './rabbitmq.topology';

/** How long a message that could not be taken is kept before it goes back: the next worker must not fail in the same moment. */
const HOLD = { baseMs: 500, capMs: 5_000 };
const CANCEL_MS = 1_000;

/** Resolves when the work that the message named is committed; a rejection gives the message to somebody else. */
export type Delivery = (message: JobMessage) => Promise<void>;

/** Takes messages: a channel for each kind, so that a slow one closes no other, with as many unacknowledged as may run at once. */
export class RabbitmqConsumers {
  private readonly logger = new Logger(RabbitmqConsumers.name);
  private readonly running = new Set<Promise<void>>();
  private readonly channels = new Map<string, RabbitmqChannel<Channel>>();
  private readonly stop = new AbortController();

  constructor(
    private readonly link: RabbitmqLink,
    private readonly deliver: Delivery,
  ) {}

  start(kinds: readonly string[], prefetch: (kind: string) => number): void {
    for (const kind of kinds) {
      this.channels.set(
        kind,
        new RabbitmqChannel(this.link, {
          create: (connection) => connection.createChannel(),
          prepare: (channel) => this.consume(channel, kind, prefetch(kind)),
        }),
      );
    }
    this.link.open();
  }

  /** No further message comes here; those that run go on. */
  async cancel(): Promise<void> {
    this.stop.abort();
    const cancelled = [...this.channels].map(async ([kind, channel]) => {
      channel.close();
      await channel.current?.cancel(kind).catch(() => undefined);
    });
    await within(Promise.all(cancelled), CANCEL_MS);
  }

  /** Resolves when nothing runs any more, or after `milliseconds`: the server then gives what is left to others. */
  async settled(milliseconds: number): Promise<void> {
    await within(Promise.all(this.running), milliseconds);
  }

  private async consume(channel: Channel, kind: string, prefetch: number): Promise<void> {
    await declareTopology(channel, [kind]);
    await channel.prefetch(prefetch);
    const take = (message: ConsumeMessage | null): void => {
      // The queue was deleted under the consumer: another channel declares it again.
      if (message === null) return void channel.close().catch(() => undefined);
      const run = this.take(channel, message).finally(() => this.running.delete(run));
      this.running.add(run);
    };
    await channel.consume(queueOf(kind), take, { noAck: false, consumerTag: kind });
  }

  /** Acknowledges after the work: what this process loses on the way comes again. Never rejects. */
  private async take(channel: Channel, raw: ConsumeMessage): Promise<void> {
    const message = messageOf(raw);
    if (message === undefined) return this.answer(() => channel.nack(raw, false, false));
    if (this.stop.signal.aborted) return this.answer(() => channel.nack(raw, false, true));
    try {
      await this.deliver(message);
      this.answer(() => channel.ack(raw));
    } catch {
      await this.hold(Number(raw.properties.headers?.['x-delivery-count'] ?? 0));
      this.answer(() => channel.nack(raw, false, true));
    }
  }

  private hold(deliveries: number): Promise<void> {
    const { signal } = this.stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, backoff(deliveries, HOLD));
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }

  /** A channel that was closed meanwhile has given its messages back already. */
  private answer(say: () => void): void {
    try {
      say();
    } catch (error) {
      this.logger.debug(`A message could not be answered: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** Undefined for what no relay of ours wrote: it goes to the dead. */
function messageOf({ content }: ConsumeMessage): JobMessage | undefined {
  try {
    const { job_id, kind } = JSON.parse(content.toString('utf8')) as Partial<JobMessage>;
    return typeof job_id === 'string' && typeof kind === 'string' ? { job_id, kind } : undefined;
  } catch {
    return undefined;
  }
}

async function within(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}
