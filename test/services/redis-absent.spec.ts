import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FaultProxy } from '../support/fault-proxy';
import { startOwnRedis, until, type OwnRedis } from '../support/redis';
import { Replica } from '../support/replicas';

const ME = '/api/v1/auth/me';
/** What a request would wait for each time if nobody noticed that Redis is silent. */
const BUDGET_MS = 50;
const PRELOAD = ['--require', join(__dirname, '..', 'support', 'package-list.cjs')];
const SECRET = 'wrong-horse-staple';

describe('A process whose Redis', () => {
  let replica: Replica | undefined;
  let redis: OwnRedis;
  const folder = mkdtempSync(join(tmpdir(), 'sutazai-test-'));
  const loaded = (name: string): string[] => readFileSync(join(folder, name), 'utf8').split('\n');

  beforeAll(async () => {
    redis = await startOwnRedis();
  });
  afterEach(() => replica?.stop());
  afterAll(async () => {
    await redis?.close();
    rmSync(folder, { recursive: true });
  });

  it('is not there at its start serves, says so, and finds it when it comes', async () => {
    await redis.server.kill();
    replica = await Replica.start({ REDIS_URL: redis.url, LOADED_PACKAGES: join(folder, 'with') }, PRELOAD);
    const token = await replica.register('first@example.org');
    expect(loaded('with')).toContain('ioredis');
    const answers = [];
    for (let count = 0; count < 20; count += 1) answers.push(await replica.ask(ME, token));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.map(({ headers }) => Number(headers.get('x-ratelimit-remaining')))).toEqual(answers.map((_, place) => 99_999 - place));
    expect((await replica.ask('/health')).json).toMatchObject({ status: 'degraded' });
    expect((await replica.ask('/readyz')).status).toBe(200);
    expect(await replica.service('redis', token)).toMatchObject({
      status: 'down',
      driver: 'redis',
      required: false,
      since: expect.any(String),
      error: 'REDIS_URL: nobody listens at this address. Limits are counted per process.',
    });
    expect(await replica.service('redis')).not.toHaveProperty('error');
    await redis.server.restart();
    await until(async () => (await replica?.service('redis'))?.status === 'up', 5_000);
    await replica.ask(ME, token);
    expect(await redis.boss.keys('*')).toEqual([expect.stringMatching(/^app:limit:user:/)]);
  });

  it('and every other service is checked once for a thousand who ask at the same time', async () => {
    const asking = await Replica.start({ REDIS_URL: redis.url });
    replica = asking;
    await asking.ask('/health/detailed');
    const asked = performance.now();
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => asking.ask('/health/detailed')));
    // A check is good for two seconds, which a busy machine may need for a thousand answers.
    const most = 1 + Math.ceil((performance.now() - asked) / 2_000);
    const checks = new Map<string, Set<string>>();
    for (const answer of answers)
      for (const { name, checked_at: at = '' } of answer.json.services as { name: string; checked_at?: string }[])
        checks.set(name, (checks.get(name) ?? new Set()).add(at));
    expect([...checks.keys()]).toEqual(expect.arrayContaining(['postgres', 'redis']));
    for (const [name, times] of checks) expect({ name, checked: times.size <= most }).toEqual({ name, checked: true });
    process.stdout.write(
      `1,000 at the same time: checked ${[...checks].map(([name, times]) => `${name} ${times.size}`).join(', ')} time(s)\n`,
    );
  });

  it('refuses it serves, and names the setting without the password, in its log and to an admin', async () => {
    const url = new URL(redis.url);
    url.password = SECRET;
    replica = await Replica.start({ REDIS_URL: url.href, LOG_LEVEL: 'trace' });
    const token = await replica.register('first@example.org');
    const { status, json } = await replica.ask('/health/detailed', token);
    expect(status).toBe(200);
    const said = JSON.stringify(json);
    expect(said).toContain('REDIS_URL: Redis refuses this user name or password. Limits are counted per process.');
    expect(replica.log).toContain('REDIS_URL: Redis refuses this user name or password.');
    for (const text of [said, replica.log]) for (const secret of [SECRET, url.href]) expect(text).not.toContain(secret);
  });

  it('falls silent answers as fast as before, but for the first three', async () => {
    const proxy = await FaultProxy.before({ port: redis.server.port });
    const url = new URL(redis.url);
    url.port = String(proxy.port);
    replica = await Replica.start({ REDIS_URL: url.href });
    const token = await replica.register('first@example.org');
    const round = async (): Promise<number[]> => {
      const times = [];
      for (let count = 0; count < 150; count += 1) {
        const answer = await replica?.ask(ME, token);
        expect(answer?.status).toBe(200);
        times.push(answer?.milliseconds ?? Number.NaN);
      }
      return times;
    };
    const sorted = (times: number[]): number[] => times.toSorted((a, b) => a - b);
    const before = sorted(await round());
    await proxy.put({ kind: 'silent' });
    const first = await round();
    const after = sorted(first.slice(3));
    const figure = (times: number[]): string => `p50 ${times[75]?.toFixed(1)} ms, p99 ${times[145]?.toFixed(1)} ms`;
    process.stdout.write(
      `silent Redis: before ${figure(before)}; first three ${first.slice(0, 3).map(Math.round).join(', ')} ms; then ${figure(after)}\n`,
    );
    expect(after[75]).toBeLessThan(1.5 * (before[75] ?? 0) + BUDGET_MS / 2);
    await proxy.close();
  });

  it('is not set never loads its driver', async () => {
    replica = await Replica.start({ LOADED_PACKAGES: join(folder, 'without') }, PRELOAD);
    await replica.ask(ME, await replica.register('first@example.org'));
    expect(loaded('without')).toContain('pino');
    expect(loaded('without')).not.toContain('ioredis');
  });
});
