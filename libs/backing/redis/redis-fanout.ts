import { randomUUID } from 'node:crypto';
import { Fanout, type FanoutListener } from '@kernel/fanout';
import type { RedisClient } from './redis.client';

/**
 * Words to the listeners of all processes that share a Redis. Those of this process hear them through `local`, at once and also while Redis is
 * away; a channel is subscribed to as long as somebody here listens.
 */
export class RedisFanout extends Fanout {
  /** Marks what this process said itself, for it has been heard here already. */
  private readonly origin = `${randomUUID()} `;
  private readonly heard = new Map<string, { listeners: number; stop: () => void }>();

  constructor(
    private readonly redis: RedisClient,
    private readonly local: Fanout,
  ) {
    super();
  }

  publish(channel: string, message: string): void {
    this.local.publish(channel, message);
    this.redis.publish(channel, this.origin + message).catch(() => undefined);
  }

  subscribe(channel: string, listener: FanoutListener): () => void {
    const stop = this.local.subscribe(channel, listener);
    this.count(channel);
    let listening = true;
    return () => {
      if (!listening) return;
      listening = false;
      stop();
      this.uncount(channel);
    };
  }

  private count(channel: string): void {
    const known = this.heard.get(channel);
    if (known === undefined)
      this.heard.set(channel, { listeners: 1, stop: this.redis.listen(channel, (word) => this.hear(channel, word)) });
    else known.listeners += 1;
  }

  private uncount(channel: string): void {
    const known = this.heard.get(channel);
    if (known === undefined) return;
    known.listeners -= 1;
    if (known.listeners > 0) return;
    known.stop();
    this.heard.delete(channel);
  }

  private hear(channel: string, word: string): void {
    if (!word.startsWith(this.origin)) this.local.publish(channel, word.slice(this.origin.length));
  }
}
