import { AppError } from '@kernel/errors';
import { Limits, type LimitAnswer } from '@kernel/limits';
import type { RedisClient } from './redis.client';
import { RedisScript } from './redis-script';

/**
 * KEYS: the count; ARGV: the limit. The key holds the minute (of Redis' clock, so that all processes mean the same one) and what was taken in it.
 * Answers { 1 when allowed, how many are left, milliseconds until the next minute }.
 */
const TAKE = new RedisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local minute = math.floor(now / 60000)
local rest = (minute + 1) * 60000 - now
local limit = tonumber(ARGV[1])
local known, count = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
local taken = 0
if known and tonumber(known) == minute then taken = tonumber(count) end
if taken >= limit then return { 0, 0, rest } end
redis.call('SET', KEYS[1], string.format('%d %d', minute, taken + 1), 'PX', rest)
return { 1, limit - taken - 1, rest }
`);

/** Counts requests per key and minute over all processes that share a Redis, one EVALSHA for each. While Redis is away, `fallback` counts. */
export class RedisLimits extends Limits {
  constructor(
    private readonly redis: RedisClient,
    private readonly fallback: Limits,
  ) {
    super();
  }

  async take(key: string, perMinute: number): Promise<LimitAnswer> {
    try {
      const [allowed, remaining, rest] = await this.counted(key, perMinute);
      return { allowed: allowed === 1, limit: perMinute, remaining, resetSeconds: Math.max(1, Math.ceil(rest / 1_000)) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return this.fallback.take(key, perMinute);
    }
  }

  private async counted(key: string, perMinute: number): Promise<[allowed: number, remaining: number, rest: number]> {
    const answer = await this.redis.run((redis) => TAKE.run(redis, this.redis.named(`limit:${key}`), perMinute));
    return answer as [number, number, number];
  }
}
