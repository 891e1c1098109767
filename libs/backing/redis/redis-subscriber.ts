import type { Redis } from 'ioredis';
import { RedisConnection } from './redis-connection';

/** A connection that only listens does not notice by itself that its peer is gone: so often it is asked. */
const HEARTBEAT_MS = 2_000;

export type ChannelListener = (message: string) => void;

/** The connection that listens: made when somebody first does, with one subscription for each channel as long as it has a listener. */
export class RedisSubscriber {
  private readonly channels = new Map<string, ChannelListener>();
  private readonly connection: RedisConnection;
  private heartbeat?: NodeJS.Timeout;

  constructor(url: string, name: string) {
    this.connection = new RedisConnection(url, name, {
      made: (redis) => redis.on('message', (channel, message) => this.channels.get(channel)?.(message)),
      ready: (redis) => this.listenAgain(redis),
      lost: () => undefined,
    });
  }

  /** One listener for each channel; answers a function that ends the listening. */
  listen(channel: string, listener: ChannelListener): () => void {
    this.heartbeat ??= this.startHeartbeat();
    this.channels.set(channel, listener);
    this.send((redis) => redis.subscribe(channel));
    return () => {
      this.channels.delete(channel);
      this.send((redis) => redis.unsubscribe(channel));
    };
  }

  close(): void {
    clearInterval(this.heartbeat);
    this.connection.close();
  }

  private listenAgain(redis: Redis): void {
    const channels = [...this.channels.keys()];
    if (channels.length > 0) redis.subscribe(...channels).catch(() => undefined);
  }

  /** What cannot be sent now is made good by the next `listenAgain`. */
  private send(command: (redis: Redis) => Promise<unknown>): void {
    this.connection
      .use()
      .then(command)
      .catch(() => undefined);
  }

  private startHeartbeat(): NodeJS.Timeout {
    return setInterval(() => this.send((redis) => redis.ping()), HEARTBEAT_MS).unref();
  }
}
