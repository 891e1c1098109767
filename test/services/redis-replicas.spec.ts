import { setTimeout as delay } from 'node:timers/promises';
import { roomInMinute, startOwnRedis, until, type OwnRedis } from '../support/redis';
import { percentile, startReplicas, traffic, type Answer, type Replica } from '../support/replicas';

const ME = '/api/v1/auth/me';
const LIMIT = 100;
const AT_ONCE = 16;
/** Far below the 1.5 s for which a principal is remembered and the second between two looks at what is open. */
const HEARD_MS = 700;
/** What a request would wait for each time if nobody noticed that Redis is gone. */
const BUDGET_MS = 50;
const figures: string[] = [];

const needed = process.env.TEST_DATABASE_URL !== undefined || process.env.REQUIRE_SERVICES === '1';
const title = 'Two processes that share a Redis';

(needed ? describe : describe.skip)(needed ? title : `${title}: TEST_DATABASE_URL is not set`, () => {
  let redis: OwnRedis;
  let both: [Replica, Replica];
  let close: () => Promise<void>;
  let token: string;

  const newKey = async (requests_per_minute?: number): Promise<{ id: string; secret: string }> => {
    const body = {
      name: 'limited',
      scopes: ['jobs:read', 'agents:read'],
      ...(requests_per_minute === undefined ? {} : { limits: { requests_per_minute } }),
    };
    const { status, json } = await both[0].ask('/api/v1/auth/keys', token, body);
    expect(status).toBe(201);
    return { id: String(json.id), secret: String(json.secret) };
  };

  const minute = async (): Promise<number> => Math.floor(Number((await redis.boss.time())[0]) / 60);

  /** Twice the limit at both doors, many at once; answers how often each status came. A try in which the minute turned says nothing. */
  async function storm(): Promise<Record<number, number>> {
    await roomInMinute(6);
    const { secret } = await newKey(LIMIT);
    const before = await minute();
    const statuses: Record<number, number> = {};
    let left = 2 * LIMIT;
    const ask = async (replica: Replica): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const { status } = await replica.ask(ME, secret);
        statuses[status] = (statuses[status] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, (_, place) => ask(both[place % 2 === 0 ? 0 : 1])));
    return (await minute()) === before ? statuses : storm();
  }

  const saysOfRedis = async (status: string): Promise<boolean> => {
    const found = await Promise.all(both.map((replica) => replica.service('redis')));
    return found.every((one) => one.status === status);
  };

  beforeAll(async () => {
    redis = await startOwnRedis();
    ({ both, close } = await startReplicas({ REDIS_URL: redis.url }));
    token = await both[0].register('first@example.org');
  });
  afterAll(async () => {
    await close?.();
    await redis?.close();
    process.stdout.write(`${figures.join('\n')}\n`);
  });

  it('admits exactly the limit over both, whoever asks at once', async () => {
    const rounds = [];
    for (let round = 0; round < 5; round += 1) rounds.push(await storm());
    figures.push(`limits over two processes: ${rounds.map((round) => `${round[200]} of ${LIMIT}`).join(', ')} admitted`);
    expect(rounds).toEqual(Array.from({ length: 5 }, () => ({ 200: LIMIT, 429: LIMIT })));
  });

  it('lets each hear at once what the other revokes', async () => {
    const took: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const { id, secret } = await newKey();
      expect((await both[0].ask(ME, secret)).status).toBe(200);
      const revoked = await fetch(`${both[1].url}/api/v1/auth/keys/${id}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${token}` },
      });
      expect(revoked.status).toBe(204);
      // What is being answered when the word comes is cut; the next request says why.
      took.push(await until(async () => (await both[0].ask(ME, secret).catch(() => undefined))?.status === 401, 5_000));
    }
    figures.push(`revocation heard by the other process: at most ${Math.max(...took).toFixed(0)} ms`);
    expect(Math.max(...took)).toBeLessThan(HEARD_MS);
  });

  it('serves on when Redis is killed and flushed, and shares limits again within 5 s of its start', async () => {
    const { secret } = await newKey();
    const asks = both.flatMap((replica) => [
      () => replica.ask(ME, secret),
      () => replica.ask('/api/v1/jobs', secret),
      () => replica.ask('/api/v1/agents', secret),
      () => replica.ask('/readyz'),
    ]);
    const measure = async (work: () => Promise<unknown>): Promise<Answer[]> => {
      const load = traffic(50, asks);
      await work();
      await load.stop();
      expect(load.failures).toEqual([]);
      return load.answers;
    };
    const before = await measure(() => delay(2_000));
    const during = await measure(async () => {
      await delay(200);
      await redis.server.kill();
      await until(() => saysOfRedis('down'), 5_000);
      expect((await both[0].ask('/health')).json).toMatchObject({ status: 'degraded' });
      await delay(1_000);
      await redis.server.restart();
      const back = await until(() => saysOfRedis('up'), 5_000);
      figures.push(`back to up ${back.toFixed(0)} ms after the start of Redis`);
      await redis.boss.flushall();
      await delay(300);
    });
    const times = (answers: Answer[]): string =>
      `p50 ${percentile(answers, 0.5).toFixed(1)} ms, p99 ${percentile(answers, 0.99).toFixed(1)} ms`;
    figures.push(
      `before: ${before.length} requests, ${times(before)}; killed, started, flushed: ${during.length} requests, ${times(during)}`,
    );
    expect(during.filter(({ status }) => status !== 200)).toEqual([]);
    expect(percentile(during, 0.5)).toBeLessThan(1.5 * percentile(before, 0.5) + BUDGET_MS / 2);
    expect(await storm()).toEqual({ 200: LIMIT, 429: LIMIT });
  });
});
