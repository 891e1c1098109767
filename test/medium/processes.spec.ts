import type { DataDirectory } from '@backing/data-directory';
import { sql } from '@backing/postgres';
import type { JobHandlers } from '@features/jobs';
import { Heartbeat, ProcessesRepository, WorkersHealth } from '@features/processes';
import { type AppConfig, parseConfig, type ProcessRole } from '@kernel/config';
import { v7 } from 'uuid';
import { countRows, describeDatabases, openDatabase, type TestDatabase } from '../support/databases';

const SHARED = { DATABASE_URL: 'postgres://db/app' };
const QUEUED = { ...SHARED, RABBITMQ_URL: 'amqp://broker' };

describeDatabases('Processes', (kind) => {
  let database: TestDatabase;
  let processes: ProcessesRepository;
  const running: Heartbeat[] = [];
  beforeAll(async () => {
    database = await openDatabase(kind);
    processes = new ProcessesRepository(database.client);
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.beforeApplicationShutdown()));
    expect(await countRows(database.client, 'processes')).toBe(0);
  });
  afterAll(() => database.close());

  const heartbeat = (id: string, settings: Record<string, string>, role: ProcessRole = 'api'): Heartbeat => {
    const handlers = { known: () => ['test.work@1'] } as unknown as JobHandlers;
    const one = new Heartbeat(parseConfig(settings, role), processes, handlers, { instanceId: id } as DataDirectory);
    running.push(one);
    return one;
  };
  const silence = (id: string, seconds: number) =>
    database.client.query(sql`UPDATE processes SET seen_at = now() - ${seconds} * interval '1 second' WHERE id = ${id}`);
  const rows = () =>
    database.client.query<{ id: string; role: string; kinds: string[]; pid: number }>(
      sql`SELECT id, role, kinds, pid FROM processes ORDER BY id`,
    );

  it('enter themselves, once also after a restart, with the jobs they can run', async () => {
    await heartbeat('a', SHARED).onApplicationBootstrap();
    await heartbeat('a', SHARED).onApplicationBootstrap();
    await heartbeat('b', QUEUED).onApplicationBootstrap();
    await heartbeat('c', QUEUED, 'worker').onApplicationBootstrap();
    expect(await rows()).toEqual([
      { id: 'a', role: 'api', kinds: ['test.work@1'], pid: process.pid },
      { id: 'b', role: 'api', kinds: [], pid: process.pid },
      { id: 'c', role: 'worker', kinds: ['test.work@1'], pid: process.pid },
    ]);
  });

  it('forget one that was silent for a minute, and it enters itself again', async () => {
    const [one, other] = [heartbeat('a', SHARED), heartbeat('b', SHARED)];
    await one.onApplicationBootstrap();
    await other.onApplicationBootstrap();
    await silence('a', 61);
    await other.beat();
    expect((await rows()).map(({ id }) => id)).toEqual(['b']);
    await one.beat();
    expect((await rows()).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('say that limits are per process while another API is alive, unless Redis is there', async () => {
    const [first, second] = [heartbeat('a', SHARED), heartbeat('b', SHARED)];
    await first.onApplicationBootstrap();
    expect(first.reasons).toEqual([]);
    await second.onApplicationBootstrap();
    await first.beat();
    expect([first.reasons, second.reasons]).toEqual([['limits per process'], ['limits per process']]);
    const withRedis = heartbeat('c', { ...SHARED, REDIS_URL: 'redis://cache' });
    await withRedis.onApplicationBootstrap();
    expect(withRedis.reasons).toEqual([]);
    await silence('b', 13);
    await silence('c', 13);
    await first.beat();
    expect(first.reasons).toEqual([]);
  });

  it('the embedded database is told of nobody', async () => {
    await heartbeat('a', {}).onApplicationBootstrap();
    expect(await rows()).toEqual([]);
  });

  describe('workers', () => {
    const workers = (settings: Record<string, string>) => new WorkersHealth(parseConfig(settings) as AppConfig, processes);
    const state = async () => (await workers(QUEUED).check()).workers;

    it('are this process where nothing else is set', async () => {
      expect([workers(SHARED).driver, workers(SHARED).required]).toEqual(['in-process', true]);
      expect(await workers(SHARED).check()).toEqual({ workers: { status: 'up', responseTime: 0 } });
    });

    it('are down without a live one, and up with one', async () => {
      expect(workers(QUEUED).required).toBe(false);
      expect(await state()).toMatchObject({ status: 'down', message: 'No worker is alive.', details: { alive: 0 } });
      await heartbeat('w', QUEUED, 'worker').onApplicationBootstrap();
      expect(await state()).toEqual({ status: 'up', details: { alive: 1, queue_lag_seconds: 0, outbox_lag_seconds: 0 } });
      await silence('w', 13);
      expect(await state()).toMatchObject({ status: 'down' });
    });

    it('are degraded when a due job waits for longer than 30 s; one that is not due waits for nobody', async () => {
      await heartbeat('w', QUEUED, 'worker').onApplicationBootstrap();
      const [user, workspace, job] = [v7(), v7(), v7()];
      const { client } = database;
      await client.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${user}, 'w@example.org', 'x')`);
      await client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${workspace}, 'w', ${user})`);
      await client.query(
        sql`INSERT INTO jobs (id, workspace_id, owner_id, kind, contract_version, payload, max_attempts, dispatched_at, retry_at)
            VALUES (${job}, ${workspace}, ${user}, 'test.work', 1, '{}', 3, now() - interval '40 seconds', now() + interval '1 hour')`,
      );
      expect(await state()).toMatchObject({ status: 'up', details: { queue_lag_seconds: 0 } });
      await client.query(sql`UPDATE jobs SET retry_at = NULL WHERE id = ${job}`);
      const late = await state();
      expect(late).toMatchObject({ status: 'degraded', message: expect.stringMatching(/^The oldest job has been waiting for 4\d s\.$/) });
      expect(late?.details?.queue_lag_seconds).toBeGreaterThanOrEqual(40);
    });
  });
});
