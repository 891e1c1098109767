import type { Redis, RedisOptions } from 'ioredis';
import { backoff } from '@kernel/calls';
import { AppError } from '@kernel/errors';
import { redisAddress } from './redis-address';
import { faultOf, versionFault } from './redis-fault';

const RECONNECT = { baseMs: 50, capMs: 500 };
const OPTIONS: RedisOptions = {
  lazyConnect: true,
  connectTimeout: 1_000,
  // A connection on which a command stays unanswered for so long is dead, although it is open.
  socketTimeout: 1_000,
  disconnectTimeout: 200,
  // What cannot be sent now, or was under way when the connection broke, fails at once: it is never sent twice, nor late.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableAutoPipelining: true,
  // The channels of today are subscribed to again, not those of the connection that broke.
  autoResubscribe: false,
  // HELLO says what is needed, without the right to INFO; a server that still loads refuses commands by itself.
  enableReadyCheck: false,
  disableClientInfo: true,
  retryStrategy: (times) => backoff(times - 1, RECONNECT),
};

export interface RedisConnectionEvents {
  /** Once, before it is connected. */
  made?: (redis: Redis) => void;
  /** Each time it can be used, after a reconnection too. */
  ready: (redis: Redis) => void;
  /** Each time it broke, was refused or could not be made, with a sentence that says why. */
  lost: (fault: string) => void;
}

/** One connection to Redis: loaded and opened by its first use, made again by itself when it breaks (capped backoff with jitter). */
export class RedisConnection {
  private opening?: Promise<Redis>;
  private redis?: Redis;
  private usable = false;
  private closed = false;
  private fault = 'Redis does not answer.';
  private settled: () => void = () => undefined;

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly events: RedisConnectionEvents,
  ) {}

  /** The connection. The first call opens it and waits for the end of the first try; later ones do not wait. Errors: `unavailable`. */
  async use(): Promise<Redis> {
    this.opening ??= this.open();
    const redis = await this.opening;
    if (!this.usable || redis.status !== 'ready') throw new AppError('unavailable', this.fault);
    return redis;
  }

  /** For good; what is under way fails. */
  close(): void {
    this.closed = true;
    this.usable = false;
    this.redis?.disconnect();
    this.settled();
  }

  private async open(): Promise<Redis> {
    const { Redis } = await import('ioredis');
    const redis = new Redis({ ...redisAddress(this.url), ...OPTIONS, connectionName: this.name });
    this.redis = redis;
    redis.on('error', (error: unknown) => (this.fault = faultOf(error)));
    redis.on('close', () => this.lose());
    redis.on('ready', () => void this.greet(redis));
    this.events.made?.(redis);
    if (this.closed) return redis;
    await new Promise<void>((resolve) => {
      this.settled = resolve;
      redis.connect().catch(() => undefined);
    });
    return redis;
  }

  private async greet(redis: Redis): Promise<void> {
    const fault = await redis.call('HELLO').then(versionFault, faultOf);
    if (this.closed || redis.status !== 'ready') return;
    if (fault === undefined) {
      this.usable = true;
      this.fault = 'Redis does not answer.';
      this.settled();
      this.events.ready(redis);
    } else {
      this.fault = fault;
      this.lose();
    }
  }

  private lose(): void {
    this.usable = false;
    this.settled();
    if (!this.closed) this.events.lost(this.fault);
  }
}
