import { Logger } from '@nestjs/common';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import { backoff } from '@kernel/calls';
import { laneName, type DeadMessage, type JobLane, type JobMessage } from '@kernel/jobs';
import { RabbitmqChannel } from './rabbitmq.channel';
import type { RabbitmqLink } from './rabbitmq.link';
import { DEAD_QUEUE, declareTopology, queueOf } from './rabbitmq.topology';

/** How long a message that could not be taken is kept before it goes back: the next worker must not fail in the same moment. */
const HOLD = { baseMs: 500, capMs: 5_000 };
const CANCEL_MS = 1_000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** The consumer of the dead, and how many of them it takes at once. */
const DEAD = 'the dead';
const DEAD_AT_ONCE = 16;

/** Resolves when the work that the message named is committed; a rejection gives the message to somebody else. */
export type Delivery = (message: JobMessage) => Promise<void>;

interface Consumption {
  name: string;
  queue: string;
  lanes: readonly JobLane[];
  prefetch: number;
  take: (raw: ConsumeMessage) => Promise<void>;
}

/** Takes messages: a channel for each lane, so that a slow one closes no other, with as many unacknowledged as may run at once. */
export class RabbitmqConsumers {
  private readonly logger = new Logger(RabbitmqConsumers.name);
  private readonly running = new Set<Promise<void>>();
  private readonly channels = new Map<string, RabbitmqChannel<Channel>>();
  private readonly stop = new AbortController();

  constructor(
    private readonly link: RabbitmqLink,
    private readonly deliver: Delivery,
  ) {}

  start(lanes: readonly JobLane[], prefetch: (kind: string) => number): void {
    for (const lane of lanes) {
      this.open(laneName(lane), (channel, name) =>
        this.consume(channel, {
          name,
          queue: queueOf(lane),
          lanes: [lane],
          prefetch: prefetch(lane.kind),
          take: (raw) => this.work(channel, raw),
        }),
      );
    }
    this.link.open();
  }

  /** What was given up is taken as well, by whoever knows what becomes of it. */
  bury(tell: (dead: DeadMessage) => Promise<void>): void {
    this.open(DEAD, (channel, name) =>
      this.consume(channel, {
        name,
        queue: DEAD_QUEUE,
        lanes: [],
        prefetch: DEAD_AT_ONCE,
        take: (raw) => this.answered(channel, raw, () => tell({ message: messageOf(raw), reason: reasonOf(raw) })),
      }),
    );
  }

  /** No further message comes here; those that run go on. */
  async cancel(): Promise<void> {
    this.stop.abort();
    const cancelled = [...this.channels].map(async ([name, channel]) => {
      channel.close();
      await channel.current?.cancel(name).catch(() => undefined);
    });
    await within(Promise.all(cancelled), CANCEL_MS);
  }

  /** Resolves when nothing runs any more, or after `milliseconds`: the server then gives what is left to others. */
  async settled(milliseconds: number): Promise<void> {
    await within(Promise.all(this.running), milliseconds);
  }

  private open(name: string, consume: (channel: Channel, name: string) => Promise<void>): void {
    const create = (connection: ChannelModel): Promise<Channel> => connection.createChannel();
    this.channels.set(name, new RabbitmqChannel(this.link, { create, prepare: (channel) => consume(channel, name) }));
  }

  private async consume(channel: Channel, { name, queue, lanes, prefetch, take }: Consumption): Promise<void> {
    await declareTopology(channel, lanes);
    await channel.prefetch(prefetch);
    const receive = (message: ConsumeMessage | null): void => {
      // The queue was deleted under the consumer: another channel declares it again.
      if (message === null) return void channel.close().catch(() => undefined);
      const run = take(message).finally(() => this.running.delete(run));
      this.running.add(run);
    };
    await channel.consume(queue, receive, { noAck: false, consumerTag: name });
  }

  /** Never rejects. */
  private async work(channel: Channel, raw: ConsumeMessage): Promise<void> {
    const message = messageOf(raw);
    if (message === undefined) return this.answer(() => channel.nack(raw, false, false));
    await this.answered(channel, raw, () => this.deliver(message));
  }

  /** Acknowledges after the work: what this process loses on the way comes again. Never rejects. */
  private async answered(channel: Channel, raw: ConsumeMessage, work: () => Promise<void>): Promise<void> {
    if (this.stop.signal.aborted) return this.answer(() => channel.nack(raw, false, true));
    try {
      await work();
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
    const { job_id, kind, version = 1 } = JSON.parse(content.toString('utf8')) as Partial<JobMessage>;
    const ours = UUID.test(String(job_id)) && typeof kind === 'string' && Number.isSafeInteger(version);
    return ours ? ({ job_id, kind, version } as JobMessage) : undefined;
  } catch {
    return undefined;
  }
}

/** `rejected`, `delivery_limit` … as the server says it. */
function reasonOf({ properties }: ConsumeMessage): string {
  return String(properties.headers?.['x-first-death-reason'] ?? 'unknown');
}

async function within(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}
