import { Logger } from '@nestjs/common';
import { MemoryAttempts } from '@backing/memory';
import { RedisAttempts, type RedisClient } from '@backing/redis';
import { openRedis, startOwnRedis, until, type OwnRedis } from '../support/redis';

describe('Tries counted in Redis', () => {
  let redis: OwnRedis;
  const clients: RedisClient[] = [];

  const open = async (): Promise<RedisAttempts> => {
    const { client } = await openRedis(redis.url);
    clients.push(client);
    return new RedisAttempts(client, new MemoryAttempts());
  };
  const down = async (client: RedisClient | undefined): Promise<boolean> =>
    client === undefined ||
    client.check().then(
      () => false,
      () => true,
    );

  beforeAll(async () => {
    Logger.overrideLogger(false);
    redis = await startOwnRedis();
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.onApplicationShutdown();
  });
  afterAll(() => redis?.close());

  it('are limited over all processes, exactly, whoever tries at once', async () => {
    const both = [await open(), await open()] as const;
    const waits = await Promise.all(Array.from({ length: 60 }, (_, place) => both[place % 2 === 0 ? 0 : 1].take('a', 10, 60)));
    expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
    for (const wait of waits.filter((one) => one > 0)) {
      expect(wait).toBeGreaterThan(50_000);
      expect(wait).toBeLessThanOrEqual(60_000);
    }
    // Whoever has most gives one back; the other, which counts fewer than ten by itself, may take it.
    const firsts = waits.filter((wait, place) => wait === 0 && place % 2 === 0).length;
    const [giver, taker] = firsts > 5 ? both : [both[1], both[0]];
    await giver.giveBack('a');
    expect(await taker.take('a', 10, 60)).toBe(0);
    expect(await giver.take('a', 10, 60)).toBeGreaterThan(0);
  });

  it('count in a window that slides', async () => {
    const attempts = await open();
    expect(await attempts.take('b', 1, 1)).toBe(0);
    const wait = await attempts.take('b', 1, 1);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(1_000);
    await until(async () => (await attempts.take('b', 1, 1)) === 0, 2_000);
  });

  it('are kept under a digest: neither a name nor an address is in Redis', async () => {
    const attempts = await open();
    await redis.boss.flushall();
    await attempts.take('login of somebody@example.org', 10, 60);
    expect(await redis.boss.keys('*')).toEqual([expect.stringMatching(/^app:attempts:[A-Za-z0-9_-]{43}$/)]);
  });

  it('stay limited in each process when Redis is flushed, and when it is killed', async () => {
    const attempts = await open();
    for (let count = 0; count < 3; count += 1) expect(await attempts.take('c', 3, 60)).toBe(0);
    await redis.boss.flushall();
    expect(await attempts.take('c', 3, 60)).toBeGreaterThan(0);
    await redis.server.kill();
    await until(() => down(clients[0]), 2_000);
    expect(await attempts.take('c', 3, 60)).toBeGreaterThan(0);
    expect(await attempts.take('d', 1, 60)).toBe(0);
    expect(await attempts.take('d', 1, 60)).toBeGreaterThan(0);
    await attempts.giveBack('d');
    expect(await attempts.take('d', 1, 60)).toBe(0);
    await redis.server.restart();
  });
});
