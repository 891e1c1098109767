import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { ServiceGuard } from '@kernel/calls';
import { AppConfig } from '@kernel/config';
import { AppError } from '@kernel/errors';
import { redisPrefix } from './redis-address';
import { RedisConnection } from './redis-connection';
import { faultOf } from './redis-fault';
import { RedisSubscriber, type ChannelListener } from './redis-subscriber';

const COMMAND_MS = 50;
const CHECK_MS = 900;
/** The first requests should be counted together with those of other processes; a start does not wait longer for that. */
const START_MS = 250;

/**
 * The Redis of REDIS_URL; without that setting nothing is loaded and nothing may be called. One connection for commands and, once somebody
 * listens, one for words. A command has 50 ms; while Redis is away it fails at once. Errors: `unavailable`, `timeout`.
 */
@Injectable()
export class RedisClient implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(RedisClient.name);
  private readonly guard: ServiceGuard;
  private readonly commands?: RedisConnection;
  private readonly subscriber?: RedisSubscriber;
  /** What belongs to this installation in a Redis that others use as well: keys and channels. */
  private readonly prefix: string = '';
  private fault?: string;

  constructor(config: AppConfig) {
    const { url } = config.redis;
    this.guard = new ServiceGuard({ service: 'Redis', deadlineMs: COMMAND_MS, ping: () => this.pingInTime() });
    if (url === undefined) return;
    this.prefix = redisPrefix(url);
    const name = `sutazai-${config.role}`;
    this.commands = new RedisConnection(url, name, { ready: () => this.guard.look(), lost: (fault) => this.lose(fault) });
    this.subscriber = new RedisSubscriber(url, `${name}-words`);
  }

  get configured(): boolean {
    return this.commands !== undefined;
  }

  onModuleInit(): void {
    void this.connection().catch(() => undefined);
  }

  async onApplicationBootstrap(): Promise<void> {
    if (!this.configured) return;
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise((resolve) => (timer = setTimeout(resolve, START_MS)));
    await Promise.race([this.connection().catch(() => undefined), enough]);
    clearTimeout(timer);
  }

  onApplicationShutdown(): void {
    this.guard.close();
    this.commands?.close();
    this.subscriber?.close();
  }

  /** The platform's own name of a key or channel. */
  named(name: string): string {
    return this.prefix + name;
  }

  /** Sends one command (or one and, after its answer, another), within 50 ms. */
  run<T>(work: (redis: Redis) => Promise<T>, milliseconds = COMMAND_MS): Promise<T> {
    return this.guard.call(async () => this.answered(work(await this.connection())), { milliseconds });
  }

  /** To all who listen to the channel now. */
  async publish(channel: string, message: string): Promise<void> {
    await this.run((redis) => redis.publish(this.named(channel), message));
  }

  /** Answers a function that ends the listening; one listener for each channel. */
  listen(channel: string, listener: ChannelListener): () => void {
    return this.subscriber?.listen(this.named(channel), listener) ?? (() => undefined);
  }

  /** Errors: one with a sentence that says what is wrong. */
  async check(): Promise<void> {
    try {
      await this.run((redis) => redis.ping(), CHECK_MS);
      this.fault = undefined;
    } catch (error) {
      throw new Error(this.fault ?? (error as Error).message, { cause: error });
    }
  }

  /** As fast as a command must be: a Redis that answers too late is not used. */
  private async pingInTime(): Promise<void> {
    const redis = await this.connection();
    const asked = performance.now();
    await this.answered(redis.ping());
    if (performance.now() - asked > COMMAND_MS) throw new AppError('timeout', 'Redis answers too slowly.');
    this.found();
  }

  private async connection(): Promise<Redis> {
    if (this.commands === undefined) throw new AppError('unavailable', 'REDIS_URL is not set.');
    return this.commands.use();
  }

  /** Whatever Redis or its driver has against a command, it was not done. */
  private async answered<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw new AppError('unavailable', faultOf(error));
    }
  }

  private lose(fault: string): void {
    if (this.fault !== fault) this.logger.warn(`${fault} Limits are counted per process meanwhile.`);
    this.fault = fault;
    this.guard.trip(new AppError('unavailable', fault));
  }

  private found(): void {
    if (this.fault !== undefined) this.logger.log('Redis answers again.');
    this.fault = undefined;
  }
}
