import type { Channel, ChannelModel } from 'amqplib';
import { backoff } from '@kernel/calls';
import type { AppError } from '@kernel/errors';
import { rabbitFault } from './rabbitmq.fault';
import type { RabbitmqLink } from './rabbitmq.link';

const REOPEN = { baseMs: 200, capMs: 3_000 };

export interface ChannelOptions<C extends Channel> {
  create: (connection: ChannelModel) => Promise<C>;
  /** Runs on every new channel before it is used: declarations, consumers. */
  prepare: (channel: C) => Promise<void>;
  ready?: () => void;
}

/**
 * A channel that is there whenever the connection is. The server closes a channel for a single mistake (or when a delivery is not acknowledged for half an
 * hour) and leaves the connection open: another one is opened then, which the driver's own wrapper does not do.
 */
export class RabbitmqChannel<C extends Channel> {
  private opened?: C;
  private failures = 0;
  private timer?: NodeJS.Timeout;
  private closed = false;
  private reason?: AppError;

  constructor(
    private readonly link: RabbitmqLink,
    private readonly options: ChannelOptions<C>,
  ) {
    link.onConnected((connection) => void this.open(connection));
  }

  /** Undefined while it cannot be used. */
  get current(): C | undefined {
    return this.link.connection === undefined ? undefined : this.opened;
  }

  /** Why it cannot be used. */
  get fault(): AppError {
    return this.link.connection === undefined ? this.link.fault : (this.reason ?? this.link.fault);
  }

  /** No further channel is opened; the one that is there ends with its connection. */
  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
  }

  private async open(connection: ChannelModel): Promise<void> {
    clearTimeout(this.timer);
    this.opened = undefined;
    if (this.closed) return;
    try {
      const channel = await this.options.create(connection);
      channel.on('error', (error: unknown) => (this.reason = rabbitFault(error)));
      channel.on('close', () => this.lost(channel, connection));
      await this.options.prepare(channel);
      if (this.link.connection !== connection) return;
      this.opened = channel;
      this.failures = 0;
      this.reason = undefined;
      this.options.ready?.();
    } catch (error) {
      this.reason = rabbitFault(error);
      this.again(connection);
    }
  }

  private lost(channel: C, connection: ChannelModel): void {
    if (this.opened !== channel) return;
    this.opened = undefined;
    this.again(connection);
  }

  /** A connection that is gone brings its successor by itself. */
  private again(connection: ChannelModel): void {
    if (this.closed || this.link.connection !== connection) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => {
        if (this.link.connection === connection) void this.open(connection);
      },
      backoff(this.failures, REOPEN),
    );
    this.failures += 1;
  }
}
