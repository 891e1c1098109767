import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { FaultProxy } from '../support/fault-proxy';
import { openRedis, roomInMinute, startOwnRedis, until, type OwnRedis, type RedisPart } from '../support/redis';

/** A command's budget, and what a busy machine may add to it: far less than a slow Redis would. */
const BUDGET_MS = 50;
const SLACK_MS = 250;
const SLOW_MS = 1_500;

describe('Redis', () => {
  let redis: OwnRedis;
  const parts: RedisPart[] = [];
  const proxies: FaultProxy[] = [];
  let keys = 0;
  const newKey = (): string => `key:${(keys += 1)}`;

  const open = async (url = redis.url): Promise<RedisPart> => {
    const part = await openRedis(url);
    parts.push(part);
    return part;
  };
  /** Over a proxy in whose way faults can be put. */
  const openBehind = async (): Promise<{ part: RedisPart; proxy: FaultProxy }> => {
    const proxy = await FaultProxy.before({ port: redis.server.port });
    proxies.push(proxy);
    const url = new URL(redis.url);
    url.port = String(proxy.port);
    return { proxy, part: await open(url.href) };
  };
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await work();
    return performance.now() - started;
  };
  const isUp = ({ client }: RedisPart): Promise<boolean> =>
    client.check().then(
      () => true,
      () => false,
    );

  beforeAll(async () => {
    Logger.overrideLogger(false);
    redis = await startOwnRedis();
  });
  afterEach(async () => {
    redis.server.resume();
    for (const { client } of parts.splice(0)) client.onApplicationShutdown();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });
  afterAll(() => redis?.close());

  describe('limits', () => {
    it('are exact over processes that share it, whoever asks at once', async () => {
      const both = [await open(), await open()];
      for (let round = 0; round < 5; round += 1) {
        await roomInMinute(3);
        const key = newKey();
        const answers = await Promise.all(Array.from({ length: 400 }, (_, place) => both[place % 2]?.limits.take(key, 100)));
        expect(answers.filter((answer) => answer?.allowed)).toHaveLength(100);
        expect(new Set(answers.filter((answer) => answer?.allowed).map((answer) => answer?.remaining)).size).toBe(100);
        const refused = answers.find((answer) => answer?.allowed === false);
        expect(refused).toMatchObject({ limit: 100, remaining: 0 });
        expect(refused?.resetSeconds).toBeGreaterThanOrEqual(1);
        expect(refused?.resetSeconds).toBeLessThanOrEqual(60);
      }
    });

    it('cost one EVALSHA each, in one key of the platform that ends with the minute', async () => {
      const { limits } = await open();
      const key = newKey();
      await limits.take(key, 10);
      await redis.boss.config('RESETSTAT');
      await Promise.all(Array.from({ length: 50 }, () => limits.take(key, 10)));
      const stats = await redis.boss.info('commandstats');
      expect(stats).toMatch(/cmdstat_evalsha:calls=50,/);
      expect(stats).not.toContain('cmdstat_eval:');
      expect(await redis.boss.keys(`*${key}`)).toEqual([`app:limit:${key}`]);
      expect(await redis.boss.pttl(`app:limit:${key}`)).toBeLessThanOrEqual(60_000);
      expect(await redis.boss.pttl(`app:limit:${key}`)).toBeGreaterThan(0);
    });

    it('go on when Redis forgets the script, or everything', async () => {
      const { limits } = await open();
      const key = newKey();
      await roomInMinute(2);
      expect(await limits.take(key, 2)).toMatchObject({ allowed: true, remaining: 1 });
      await redis.boss.script('FLUSH');
      expect(await limits.take(key, 2)).toMatchObject({ allowed: true, remaining: 0 });
      expect(await limits.take(key, 2)).toMatchObject({ allowed: false });
      await redis.boss.flushall();
      expect(await limits.take(key, 2)).toMatchObject({ allowed: true, remaining: 1 });
    });

    it('are counted here at once when Redis is killed, and together again within 5 s of its start', async () => {
      const both = [await open(), await open()] as const;
      const key = newKey();
      await roomInMinute(10);
      await both[0].limits.take(key, 3);
      await redis.server.kill();
      await until(async () => !(await isUp(both[0])) && !(await isUp(both[1])), 1_000);
      for (const { limits } of both) {
        const answers = [];
        expect(await timed(async () => answers.push(await limits.take(key, 3)))).toBeLessThan(BUDGET_MS);
        for (let count = 0; count < 3; count += 1) answers.push(await limits.take(key, 3));
        expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, true, false]);
      }
      await redis.server.restart();
      expect(await until(async () => (await isUp(both[0])) && (await isUp(both[1])), 5_000)).toBeLessThan(5_000);
      const shared = newKey();
      const answers = await Promise.all(Array.from({ length: 40 }, (_, place) => both[place % 2 === 0 ? 0 : 1].limits.take(shared, 10)));
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(10);
    });

    it.each<['stopped' | 'silent' | 'slow']>([['stopped'], ['silent'], ['slow']])(
      'wait 50 ms for a Redis that is %s, three times, and then no more',
      async (how) => {
        const { part, proxy } = await openBehind();
        await part.limits.take(newKey(), 1);
        if (how === 'stopped') redis.server.pause();
        else await proxy.put(how === 'silent' ? { kind: 'silent' } : { kind: 'slow', milliseconds: SLOW_MS });
        for (let count = 0; count < 3; count += 1) {
          const took = await timed(() => part.limits.take(newKey(), 1));
          expect(took).toBeGreaterThan(BUDGET_MS - 5);
          expect(took).toBeLessThan(BUDGET_MS + SLACK_MS);
        }
        const later: number[] = [];
        for (let count = 0; count < 200; count += 1) {
          later.push(await timed(() => part.limits.take(newKey(), 1)));
          await delay(5);
        }
        // Most of them: the machine itself may hold up the others.
        const quick = (times: number[]): number => times.filter((took) => took < 5).length;
        expect(quick(later.slice(0, 10))).toBeGreaterThan(5);
        expect(quick(later)).toBeGreaterThan(160);
        await expect(part.client.check()).rejects.toThrow(/^Redis /);
        redis.server.resume();
        await proxy.clear();
        expect(await until(() => isUp(part), 5_000)).toBeLessThan(5_000);
      },
    );
  });

  it.each<[string, (url: URL) => Promise<(() => void) | void>, string]>([
    ['a wrong password', async (url) => void (url.password = 'wrong-horse'), 'REDIS_URL: Redis refuses this user name or password.'],
    [
      'an address where nobody listens',
      async (url) => void (url.port = String(await closedPort())),
      'REDIS_URL: nobody listens at this address.',
    ],
    ['something else', async (url) => otherServer(url), 'REDIS_URL: what answers there is not Redis.'],
  ])('names the setting for %s, without its secret, and limits are counted', async (_, change, sentence) => {
    const url = new URL(redis.url);
    const undo = await change(url);
    const part = await open(url.href);
    const found: unknown = await part.client.check().catch((error: unknown) => error);
    expect((found as Error).message).toBe(sentence);
    expect(JSON.stringify(found, Object.getOwnPropertyNames(found))).not.toContain(url.password);
    expect(await timed(() => part.limits.take('a', 1))).toBeLessThan(BUDGET_MS);
    expect(await part.limits.take('a', 1)).toMatchObject({ allowed: false });
    part.client.onApplicationShutdown();
    undo?.();
  });
});

async function closedPort(): Promise<number> {
  const proxy = await FaultProxy.before({ port: 1 });
  await proxy.close();
  return proxy.port;
}

async function otherServer(url: URL): Promise<() => void> {
  const server = createServer((_, reply) => reply.end('Hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.port = String((server.address() as AddressInfo).port);
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
