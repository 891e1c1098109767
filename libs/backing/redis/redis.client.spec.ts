import type { AppConfig } from '@kernel/config';
import { RedisClient } from './redis.client';

describe('RedisClient without REDIS_URL', () => {
  it('does nothing, and says so to whoever calls it', async () => {
    const client = new RedisClient({ redis: {}, role: 'api' } as AppConfig);
    client.onModuleInit();
    await client.onApplicationBootstrap();
    expect(client.configured).toBe(false);
    await expect(client.run((redis) => redis.ping())).rejects.toMatchObject({ code: 'unavailable' });
    client.listen('news', () => undefined)();
    client.onApplicationShutdown();
  });
});
