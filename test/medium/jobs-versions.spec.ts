import { sql } from '@backing/postgres';
import { describeDatabases } from '../support/databases';
import { JobsBench, testWork, testWorkTwo, type ProcessOptions } from '../support/jobs';
import { until } from '../support/until';

/** Long enough for a dozen sweeps of the shortened timing. */
const SWEEPS_MS = 800;

describeDatabases('Versions of a job', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  const second = (earlier = testWorkTwo.earlier): ProcessOptions => ({
    handler: (handler) => (handler.contract = { ...testWorkTwo, earlier }),
  });
  const untouched = async (id: string): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, SWEEPS_MS));
    expect(await bench.job(id)).toMatchObject({ status: 'queued', attempt: 0, epoch: 0 });
    expect(await bench.names(id)).toEqual(['accepted']);
    const [{ rows } = { rows: 0 }] = await bench.database.client.query<{ rows: number }>(
      sql`SELECT count(*)::int AS rows FROM outbox WHERE job_id = ${id}::uuid`,
    );
    expect(rows).toBe(1);
  };

  it('that an older process does not know are left for a newer one, and are no attempt of it', async () => {
    const old = await bench.process();
    const id = await bench.accept(old, {}, testWorkTwo);
    await untouched(id);
    const own = await bench.accept(old);
    expect(await bench.ended(old, own)).toMatchObject({ status: 'succeeded' });
    await bench.process(second());
    expect(await bench.ended(old, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  });

  it('that a newer process does not know any more are left for an older one', async () => {
    const young = await bench.process(second({}));
    const id = await bench.accept(young);
    await untouched(id);
    await bench.process();
    expect(await bench.ended(young, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  });

  it('that a newer process still reads are run by it, in the form of today', async () => {
    const young = await bench.process(second());
    const id = await bench.accept(young);
    expect(await bench.ended(young, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(young.handler.attempts.map(({ payload }) => payload)).toEqual([{ name: 'test', note: 'of the first version' }]);
  });

  it('are each held to their own payload: one that breaks it fails with a typed error at the first attempt', async () => {
    const young = await bench.process({ ...second(), idle: true });
    const id = await bench.accept(young);
    await bench.database.client.query(sql`UPDATE jobs SET payload = '{"name":"test","note":"not of this version"}' WHERE id = ${id}::uuid`);
    await young.run(id);
    expect(await bench.job(id)).toMatchObject({
      status: 'failed',
      attempt: 1,
      error: { code: 'internal', message: 'The stored payload breaks its contract.', retryable: false },
    });
    expect(young.handler.attempts).toEqual([]);
    await expect(young.jobs.retry(bench.principal, id, null)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('that nobody can end here are left as they are by the sweep', async () => {
    const old = await bench.process({ idle: true });
    const id = await bench.accept(old, {}, testWorkTwo);
    await bench.database.client.query(
      sql`UPDATE jobs SET status = 'running', attempt = max_attempts, epoch = 3, lease_until = now() - interval '1 minute' WHERE id = ${id}::uuid`,
    );
    await old.sweep.sweep();
    expect(await bench.job(id)).toMatchObject({ status: 'running', epoch: 3 });
    const young = await bench.process({ ...second(), idle: true });
    await until(async () => (await bench.job(id)).status === 'failed');
    expect(await young.jobs.get(bench.principal, id)).toMatchObject({ error: { code: 'internal', retryable: false } });
    expect(testWork.version).toBe(1);
  });
});
