export { RedisAttempts } from './redis-attempts';
export { RedisClient } from './redis.client';
export { RedisFanout } from './redis-fanout';
export { RedisHealth } from './redis.health';
export { RedisLimits } from './redis-limits';
export { RedisModule } from './redis.module';
