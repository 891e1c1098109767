import { createHash } from 'node:crypto';
import { AppError } from '@kernel/errors';
import { AttemptCounts } from '@kernel/limits';
import type { RedisClient } from './redis.client';
import { RedisScript } from './redis-script';

/**
 * KEYS: the times of the tries, latest first, by Redis' clock; ARGV: how many there may be within how many milliseconds. Answers the milliseconds
 * until there is room, 0 when the try was counted.
 */
const TAKE = new RedisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local oldest = redis.call('LINDEX', KEYS[1], -1)
while oldest and tonumber(oldest) <= now - window do
  redis.call('RPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], -1)
end
if oldest and redis.call('LLEN', KEYS[1]) >= limit then return math.max(1, oldest + window - now) end
redis.call('LPUSH', KEYS[1], string.format('%d', now))
redis.call('PEXPIRE', KEYS[1], window)
return 0
`);

/**
 * Counts tries over all processes that share a Redis, and by `local` in this one as well: that count holds while Redis is away, and when it was
 * flushed. The keys name people and addresses: Redis has their digest alone.
 */
export class RedisAttempts extends AttemptCounts {
  constructor(
    private readonly redis: RedisClient,
    private readonly local: AttemptCounts,
  ) {
    super();
  }

  async take(key: string, limit: number, seconds: number): Promise<number> {
    const here = await this.local.take(key, limit, seconds);
    if (here > 0) return here;
    const everywhere = await this.whileThere(this.redis.run((redis) => TAKE.run(redis, this.nameOf(key), limit, seconds * 1_000)));
    if (everywhere === undefined || everywhere === 0) return 0;
    await this.local.giveBack(key);
    return Number(everywhere);
  }

  async giveBack(key: string): Promise<void> {
    await this.local.giveBack(key);
    await this.whileThere(this.redis.run((redis) => redis.lpop(this.nameOf(key))));
  }

  private nameOf(key: string): string {
    return this.redis.named(`attempts:${createHash('sha256').update(key).digest('base64url')}`);
  }

  private async whileThere<T>(answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof AppError) return undefined;
      throw error;
    }
  }
}
