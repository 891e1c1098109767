import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';

/** A script that Redis runs on one key: by its digest, one EVALSHA. */
export class RedisScript {
  private readonly digest: string;

  constructor(private readonly lua: string) {
    this.digest = createHash('sha1').update(lua).digest('hex');
  }

  /** A Redis that was started anew does not know the script yet: it is told once. */
  async run(redis: Redis, key: string, ...values: number[]): Promise<unknown> {
    try {
      return await redis.evalsha(this.digest, 1, key, ...values);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return redis.eval(this.lua, 1, key, ...values);
    }
  }
}
