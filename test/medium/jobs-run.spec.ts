import { DeclaredJobs, DeltaWriter, JobHandlers } from '@features/jobs';
import { sql } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { countRows, describeDatabases } from '../support/databases';
import { gate, JobsBench, TestHandler, testWork } from '../support/jobs';
import { until } from '../support/until';

describeDatabases('A job', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  it('is accepted in one statement, runs, and ends with the result that settle gave', async () => {
    const process = await bench.process();
    process.handler.work = async (context) => {
      const deltas = new DeltaWriter(context);
      for (const piece of ['One ', 'two ', 'three']) await deltas.write(piece);
      await deltas.flush();
      await context.progress({ done: 1, total: 2, unit: 'steps', message: 'half way' });
      return { length: 13 };
    };
    const id = await bench.accept(process);
    const job = await bench.ended(process, id);

    expect(job).toMatchObject({ status: 'succeeded', attempt: 1, result: { length: 13, text: 'One two three' }, error: null });
    expect(job.progress).toEqual({ done: 1, total: 2, unit: 'steps', message: 'half way' });
    expect(await bench.effects(id)).toEqual([{ status: 'succeeded', text: 'One two three' }]);
    const events = await bench.events(id);
    expect(events[0]).toEqual({ event: 'accepted', data: { job_id: id, events_url: `/api/v1/jobs/${id}/events` } });
    expect(events[1]).toEqual({ event: 'started', data: { attempt: 1 } });
    expect(events.at(-1)).toEqual({ event: 'done', data: { length: 13, text: 'One two three' } });
    expect(
      events
        .filter((e) => e.event === 'delta')
        .map((e) => e.data.text)
        .join(''),
    ).toBe('One two three');
    await until(async () => (await countRows(bench.database.client, 'outbox')) === 0);
  });

  it('keeps events of parallel writers in one order without gaps', async () => {
    const process = await bench.process();
    process.handler.work = async (context) => {
      await Promise.all(Array.from({ length: 60 }, (_, n) => context.emit('delta', { text: `${n} ` })));
      return {};
    };
    const id = await bench.accept(process);
    await bench.ended(process, id);
    const texts = (await bench.events(id)).filter((e) => e.event === 'delta').map((e) => Number(e.data.text));
    expect(texts.sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n));
  });

  it('is tried again after a retryable failure, begins with reset, and keeps the checkpoint', async () => {
    const process = await bench.process();
    const checkpoints: unknown[] = [];
    process.handler.work = async (context) => {
      checkpoints.push(context.checkpoint);
      await context.emit('delta', { text: `try ${context.attempt}` });
      await context.transaction(async () => undefined, { step: context.attempt });
      if (context.attempt < 3) throw new AppError('unavailable', 'The model is away.');
      return {};
    };
    const id = await bench.accept(process);
    expect(await bench.ended(process, id)).toMatchObject({ status: 'succeeded', attempt: 3, result: { text: 'try 3' } });
    expect(checkpoints).toEqual([null, { step: 1 }, { step: 2 }]);
    const events = await bench.events(id);
    expect(events.map((e) => e.event)).toEqual([
      'accepted',
      'started',
      'delta',
      'reset',
      'started',
      'delta',
      'reset',
      'started',
      'delta',
      'done',
    ]);
    expect(events[3]?.data).toEqual({ attempt: 2, reason: 'The model is away.' });
  });

  it('waits for its backoff as queued with retry_at', async () => {
    const process = await bench.process({ timing: { backoffBaseMs: 60_000, backoffCapMs: 60_000 } });
    const failed = gate();
    process.handler.work = async () => {
      failed.open();
      throw new AppError('timeout', 'Too slow.');
    };
    const id = await bench.accept(process);
    await failed.opened;
    await process.jobs.finished(id, 400, new AbortController().signal);
    const job = await bench.job(id);
    expect(job).toMatchObject({ status: 'queued', attempt: 1 });
    expect(job.retryAt?.getTime()).toBeGreaterThan(Date.now() + 50_000);
    expect(process.handler.attempts).toHaveLength(1);
    await process.jobs.cancel(bench.principal, id);
  });

  it('ends failed at once when its failure is not retryable, with the code and the sentence', async () => {
    const process = await bench.process();
    process.handler.work = async () => {
      throw new AppError('storage_full', 'The disk is full.');
    };
    const id = await bench.accept(process);
    const job = await bench.ended(process, id);
    expect(job).toMatchObject({
      status: 'failed',
      attempt: 1,
      error: { code: 'storage_full', message: 'The disk is full.', retryable: false },
    });
    expect((await bench.events(id)).at(-1)).toEqual({ event: 'error', data: job.error });
    expect(await bench.effects(id)).toEqual([{ status: 'failed', text: '' }]);
  });

  it('ends cancelled when its handler finds that the work has been overtaken', async () => {
    const process = await bench.process();
    process.handler.work = async () => {
      throw new AppError('cancelled', 'Newer content has taken the place of this.');
    };
    const id = await bench.accept(process);
    expect(await bench.ended(process, id)).toMatchObject({ status: 'cancelled', attempt: 1, error: null });
    expect((await bench.events(id)).at(-1)).toEqual({ event: 'cancelled', data: {} });
    expect(await bench.effects(id)).toEqual([{ status: 'cancelled', text: '' }]);
  });

  it('ends failed after its attempts when it always breaks, without the words of the fault, and others go on', async () => {
    const process = await bench.process();
    process.handler.work = async (context) => {
      if (context.jobId === poison) throw new TypeError('secret detail');
      return {};
    };
    const poison = await bench.accept(process);
    const other = await bench.accept(process);
    expect(await bench.ended(process, other)).toMatchObject({ status: 'succeeded' });
    expect(await bench.ended(process, poison)).toMatchObject({
      status: 'failed',
      attempt: 3,
      error: { code: 'internal', retryable: true },
    });
    expect(JSON.stringify(await bench.events(poison))).not.toContain('secret');
  });

  it('has nothing terminal when settle fails: the end is one transaction', async () => {
    const process = await bench.process({ timing: { backoffBaseMs: 60_000, backoffCapMs: 60_000 } });
    const reached = gate();
    process.handler.beforeSettle = () => {
      reached.open();
      throw new Error('settle broke');
    };
    const id = await bench.accept(process);
    await reached.opened;
    await process.jobs.finished(id, 300, new AbortController().signal);
    expect(await bench.job(id)).toMatchObject({ status: 'queued', result: null, finishedAt: null });
    expect(await bench.effects(id)).toEqual([]);
    expect(await bench.names(id)).toEqual(['accepted', 'started']);
    process.handler.beforeSettle = () => undefined;
    await process.jobs.cancel(bench.principal, id);
  });

  it('keeps its result when the database is away for a moment at the end', async () => {
    const process = await bench.process();
    const away = jest
      .spyOn(process.settlement, 'finish')
      .mockRejectedValueOnce(new AppError('unavailable', 'The database does not answer.'));
    process.handler.work = async () => ({ kept: true });
    const id = await bench.accept(process);
    expect(await bench.ended(process, id)).toMatchObject({ status: 'succeeded', attempt: 1, result: { kept: true } });
    expect(away).toHaveBeenCalledTimes(2);
    expect(process.handler.attempts).toHaveLength(1);
  });

  it('takes effect with the statement that accepts it, or not at all', async () => {
    const process = await bench.process({ idle: true });
    const { workspaceId } = bench;
    const before = await countRows(bench.database.client, 'jobs');
    const acceptance = process.jobs.acceptance(testWork, { name: 'x' }, { workspaceId, ownerId: v7() });
    await expect(bench.database.client.query(sql`WITH ${acceptance.ctes} SELECT id FROM job`)).rejects.toThrow();
    expect(await countRows(bench.database.client, 'jobs')).toBe(before);
    expect(await countRows(bench.database.client, 'outbox')).toBe(0);
    expect(() => process.jobs.acceptance(testWork, { name: 7 } as never, { workspaceId, ownerId: v7() })).toThrow(AppError);
  });

  it('of an unknown kind or version is left for another process', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    await bench.database.client.query(sql`UPDATE jobs SET contract_version = 2 WHERE id = ${id}::uuid`);
    await process.run(id);
    expect(await bench.job(id)).toMatchObject({ status: 'queued', attempt: 0 });
    await bench.database.client.query(sql`DELETE FROM jobs WHERE id = ${id}::uuid`);
  });

  it('stops the boot when its kind has two handlers or none', async () => {
    const second = new TestHandler(() => {
      throw new Error('not used');
    });
    await expect(bench.process({ providers: [second] })).rejects.toThrow('Two handlers for the job test.work');
    const declared = new DeclaredJobs({ kind: 'test.other', version: 1 });
    await expect(bench.process({ providers: [declared] })).rejects.toThrow('No handler for the job test.other');
    expect(() => new JobHandlers().get({ kind: 'test.work', contractVersion: 1 })).toThrow('no handler');
  });
});
