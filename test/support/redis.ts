import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { MemoryFanout, MemoryLimits } from '@backing/memory';
import { RedisClient, RedisFanout, RedisLimits } from '@backing/redis';
import type { AppConfig } from '@kernel/config';
import { loadScript } from '../scripts/load-script';
import type { TestServer } from './services';

/** A Redis that a test may kill, pause and flush; `boss` may do everything in it, as nobody of the product may. */
export interface OwnRedis {
  server: TestServer;
  url: string;
  boss: Redis;
  close(): Promise<void>;
}

export async function startOwnRedis(): Promise<OwnRedis> {
  const { startRedis } = await loadScript<{ startRedis(options: { users: string[] }): Promise<TestServer> }>('services/redis.mjs');
  const password = randomBytes(12).toString('hex');
  const server = await startRedis({ users: [`user boss on >${password} ~* &* +@all`] });
  const boss = new Redis({ port: server.port, host: '127.0.0.1', username: 'boss', password });
  // It is killed in the tests: the connection is made again.
  boss.on('error', () => undefined);
  return {
    server,
    url: server.url,
    boss,
    async close() {
      boss.disconnect();
      server.resume();
      await server.stop();
    },
  };
}

/** What one process has of Redis. */
export interface RedisPart {
  client: RedisClient;
  limits: RedisLimits;
  fanout: RedisFanout;
}

export async function openRedis(url: string): Promise<RedisPart> {
  const client = new RedisClient({ redis: { url }, role: 'api' } as AppConfig);
  client.onModuleInit();
  await client.onApplicationBootstrap();
  return { client, limits: new RedisLimits(client, new MemoryLimits()), fanout: new RedisFanout(client, new MemoryFanout()) };
}

/** Until the current minute of the clock has so many seconds left: what is counted in one minute is to be counted in one. */
export async function roomInMinute(seconds: number): Promise<void> {
  const left = 60_000 - (Date.now() % 60_000);
  if (left < seconds * 1_000) await delay(left + 20);
}

/** Asks again and again until it is so; answers the milliseconds that took. */
export async function until(so: () => Promise<boolean>, mostMs: number): Promise<number> {
  const started = performance.now();
  while (!(await so())) {
    if (performance.now() - started > mostMs) throw new Error(`It was not so within ${mostMs} ms.`);
    await delay(5);
  }
  return performance.now() - started;
}
