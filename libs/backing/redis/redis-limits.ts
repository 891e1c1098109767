import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { AppError } from '@kernel/errors';
import { Limits, type LimitAnswer } from '@kernel/limits';
import type { RedisClient } from './redis.client';

/**
 * KEYS: the count; ARGV: the limit. The key holds the minute (of Redis' clock, so that all processes mean the same one) and what was taken in it.
 * Answers { 1 when allowed, how many are left, milliseconds until the next minute }.
 */
const TAKE = `
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
`;
const DIGEST = createHash('sha1').update(TAKE).digest('hex');

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
      const [allowed, remaining, rest] = await this.redis.run((redis) => evaluate(redis, this.redis.named(`limit:${key}`), perMinute));
      return { allowed: allowed === 1, limit: perMinute, remaining, resetSeconds: Math.max(1, Math.ceil(rest / 1_000)) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return this.fallback.take(key, perMinute);
    }
  }
}

/** A Redis that was started anew does not know the script yet: it is told once. */
async function evaluate(redis: Redis, key: string, perMinute: number): Promise<[number, number, number]> {
  try {
    return (await redis.evalsha(DIGEST, 1, key, perMinute)) as [number, number, number];
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return (await redis.eval(TAKE, 1, key, perMinute)) as [number, number, number];
  }
}
