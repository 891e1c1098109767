import { Logger } from '@nestjs/common';
import type { AmqpConnectionManager } from 'amqp-connection-manager';
import type { ChannelModel } from 'amqplib';
import { backoff } from '@kernel/calls';
import type { AppError } from '@kernel/errors';
import { rabbitAway, rabbitFault, versionFault } from './rabbitmq.fault';

/** Short: a server that is back must be used within seconds, also after a long outage. */
const RECONNECT = { baseMs: 250, capMs: 3_000 };
const CLOSE_MS = 2_000;

export interface LinkOptions {
  /** What it is for, as the server's own pages show it. */
  purpose: string;
  heartbeatSeconds: number;
  /** Milliseconds for the connection and its handshake. */
  connectMs: number;
}

type Listener = (connection: ChannelModel) => void;

/** One connection to RabbitMQ: begun by `open`, made again with capped backoff and jitter until `close`. The driver is loaded by `open`. */
export class RabbitmqLink {
  private readonly logger = new Logger(RabbitmqLink.name);
  private readonly listeners: Listener[] = [];
  private opening?: Promise<AmqpConnectionManager>;
  private current?: ChannelModel;
  private failures = 0;
  private reason: AppError = rabbitAway();
  private closed = false;
  /** Why the server takes no messages on this connection (a memory or disk alarm). */
  blocked?: string;

  constructor(
    private readonly url: string,
    private readonly options: LinkOptions,
  ) {}

  get connection(): ChannelModel | undefined {
    return this.current;
  }

  /** Why there is no connection; only true while there is none. */
  get fault(): AppError {
    return this.reason;
  }

  /** Hears of every new connection. */
  onConnected(listener: Listener): void {
    this.listeners.push(listener);
    if (this.current !== undefined) listener(this.current);
  }

  open(): void {
    if (this.closed) return;
    this.opening ??= this.begin();
    this.opening.catch((error: unknown) => this.logger.error(error instanceof Error ? error : String(error)));
  }

  async close(): Promise<void> {
    this.closed = true;
    const manager = await this.opening?.catch(() => undefined);
    if (manager === undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    // A server that does not answer is left as it is: the process ends and its socket with it.
    await Promise.race([manager.close().catch(() => undefined), late]).finally(() => clearTimeout(timer));
  }

  private async begin(): Promise<AmqpConnectionManager> {
    const { connect } = await import('amqp-connection-manager');
    const { purpose, heartbeatSeconds, connectMs } = this.options;
    const manager = connect([this.url], {
      heartbeatIntervalInSeconds: heartbeatSeconds,
      connectionOptions: { noDelay: true, timeout: connectMs, clientProperties: { connection_name: `sutazai ${purpose}` } },
    }) as AmqpConnectionManager;
    manager.on('connect', ({ connection }) => this.connected(connection as unknown as ChannelModel));
    manager.on('connectFailed', ({ err }) => this.lost(manager, err));
    manager.on('disconnect', ({ err }) => this.lost(manager, err));
    manager.on('blocked', ({ reason }) => (this.blocked = reason));
    manager.on('unblocked', () => (this.blocked = undefined));
    return manager;
  }

  private connected(connection: ChannelModel): void {
    const wrong = versionFault(versionOf(connection));
    if (wrong !== undefined) {
      this.reason = wrong;
      void connection.close().catch(() => undefined);
      return;
    }
    if (this.failures > 0) this.logger.log(`RabbitMQ is connected (${this.options.purpose}).`);
    this.failures = 0;
    this.blocked = undefined;
    this.current = connection;
    for (const listener of this.listeners) listener(connection);
  }

  /** The driver asks for its pause after this word. */
  private lost(manager: AmqpConnectionManager, error: unknown): void {
    this.current = undefined;
    if (error !== undefined) this.reason = rabbitFault(error);
    if (this.failures === 0 && !this.closed)
      this.logger.warn(`${this.reason.message} (${this.options.purpose}; tried again until it does)`);
    manager.reconnectTimeInSeconds = backoff(this.failures, RECONNECT) / 1_000;
    this.failures += 1;
  }
}

function versionOf(connection: ChannelModel): unknown {
  return (connection as unknown as { connection?: { serverProperties?: { version?: unknown } } }).connection?.serverProperties?.version;
}
