import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { JobSignals } from '@features/jobs';
import { FaultProxy } from '../support/fault-proxy';
import { openRedis, startOwnRedis, until, type OwnRedis, type RedisPart } from '../support/redis';

/** So often readers look at the database by themselves. */
const POLL_MS = 250;
/** So often a connection that only listens is asked, and so long may the answer take. */
const HEARTBEAT_MS = 2_000;
const SILENCE_MS = 1_000;

describe('Words over Redis', () => {
  let redis: OwnRedis;
  const parts: RedisPart[] = [];
  const proxies: FaultProxy[] = [];

  const open = async (url = redis.url): Promise<RedisPart> => {
    const part = await openRedis(url);
    parts.push(part);
    return part;
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
  /** The connections that listen to a channel, by Redis' own numbers. */
  const listening = async (): Promise<(string | undefined)[]> =>
    [...String(await redis.boss.client('LIST')).matchAll(/^id=(\d+) .* name=sutazai-api-words .* sub=1 /gm)].map(([, id]) => id);

  beforeAll(async () => {
    Logger.overrideLogger(false);
    redis = await startOwnRedis();
  });
  afterEach(async () => {
    for (const { client } of parts.splice(0)) client.onApplicationShutdown();
    for (const proxy of proxies.splice(0)) await proxy.close();
  });
  afterAll(() => redis?.close());

  it('reach the listeners of every process once, those of the own one at once, and nobody who has left', async () => {
    const [one, other] = [await open(), await open()];
    const heard: string[] = [];
    one.fanout.subscribe('news', (word) => heard.push(`one ${word}`));
    const leave = other.fanout.subscribe('news', (word) => heard.push(`other ${word}`));
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:news'))[1] === 2, 2_000);
    one.fanout.publish('news', 'a b');
    expect(heard).toEqual(['one a b']);
    await until(async () => heard.length > 1, 1_000);
    leave();
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:news'))[1] === 1, 1_000);
    other.fanout.publish('news', 'c');
    await until(async () => heard.length > 2, 1_000);
    expect(heard).toEqual(['one a b', 'other a b', 'one c']);
  });

  it('wake whoever reads a job that another process works on, long before the next look at the database', async () => {
    const [reading, working] = [await open(), await open()];
    const reader = new JobSignals(reading.fanout).subscribe('a');
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:job:a'))[1] === 1, 2_000);
    const waiting = timed(() => reader.next(10_000, new AbortController().signal));
    new JobSignals(working.fanout).notify('a');
    expect(await waiting).toBeLessThan(POLL_MS);
    reader.close();
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:job:a'))[1] === 0, 2_000);
  });

  it('stop the attempts of a cancelled job in the process that has them', async () => {
    const [asked, working] = [await open(), await open()].map(({ fanout }) => new JobSignals(fanout)) as [JobSignals, JobSignals];
    const watch = working.watch();
    const { signal } = watch.attempt('a');
    watch.close();
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:jobs:cancelled'))[1] === 2, 2_000);
    asked.cancelled('a');
    await until(async () => signal.aborted, 1_000);
    expect(signal.reason).toMatchObject({ code: 'cancelled' });
  });

  it('are heard here while Redis is away, and everywhere again when it is back', async () => {
    const [one, other] = [await open(), await open()];
    const heard: string[] = [];
    one.fanout.subscribe('news', (word) => heard.push(word));
    await redis.server.kill();
    await until(async () => !(await isUp(one)), 1_000);
    one.fanout.publish('news', 'here');
    // Listened to for the first time while Redis is away.
    one.fanout.subscribe('late', (word) => heard.push(word));
    expect(heard).toEqual(['here']);
    await redis.server.restart();
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:news', 'app:late')).join() === 'app:news,1,app:late,1', 5_000);
    await until(() => isUp(other), 5_000);
    other.fanout.publish('news', 'there');
    other.fanout.publish('late', 'too');
    await until(async () => heard.length > 2, 1_000);
    expect(heard).toEqual(['here', 'there', 'too']);
  });

  it('come again over a new connection when that which listens has gone silent', async () => {
    const proxy = await FaultProxy.before({ port: redis.server.port });
    proxies.push(proxy);
    const url = new URL(redis.url);
    url.port = String(proxy.port);
    const [deaf, other] = [await open(url.href), await open()];
    let heard = 0;
    deaf.fanout.subscribe('news', () => (heard += 1));
    await until(async () => (await redis.boss.pubsub('NUMSUB', 'app:news'))[1] === 1, 2_000);
    const [first] = await listening();
    expect(first).toMatch(/^\d+$/);
    await proxy.put({ kind: 'silent' });
    await delay(HEARTBEAT_MS + SILENCE_MS + 500);
    await proxy.clear();
    await until(async () => {
      const ids = await listening();
      return ids.length === 1 && ids[0] !== first;
    }, 5_000);
    await until(() => isUp(other), 5_000);
    other.fanout.publish('news', 'again');
    await until(async () => heard > 0, 1_000);
  });
});
