import { v7 } from 'uuid';
import { AppError } from '@kernel/errors';
import type { Principal } from '@kernel/identity';
import { countRows, describeDatabases } from '../support/databases';
import { gate, JobsBench, testWork, untilAborted } from '../support/jobs';

describeDatabases('Cancelling a job', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  it('that is queued ends it before anybody runs it', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    const job = await process.jobs.cancel(bench.principal, id);
    expect(job).toMatchObject({ status: 'cancelled', cancelRequestedAt: expect.any(Date), finishedAt: expect.any(Date) });
    await process.run(id);
    expect(process.handler.attempts).toHaveLength(0);
    expect(await bench.events(id)).toEqual([expect.objectContaining({ event: 'accepted' }), { event: 'cancelled', data: {} }]);
    expect(await countRows(bench.database.client, 'outbox')).toBe(0);
  });

  it('that runs aborts the handler at once, keeps the text so far, and refuses what comes later', async () => {
    const process = await bench.process({ timing: { heartbeatMs: 600_000, leaseMs: 600_000 } });
    const started = gate();
    const stopped = gate<unknown[]>();
    process.handler.work = async (context) => {
      await context.emit('delta', { text: 'so far' });
      started.open();
      const reason = await untilAborted(context.signal).catch((error: unknown) => error);
      const late = await context.emit('delta', { text: 'late' }).catch((error: unknown) => error);
      stopped.open([reason, late]);
      return { late: true };
    };
    const id = await bench.accept(process);
    await started.opened;
    await process.jobs.cancel(bench.principal, id);
    for (const fault of await stopped.opened) expect(fault).toMatchObject({ code: 'cancelled' });
    await bench.stopAll();
    expect(await bench.job(id)).toMatchObject({ status: 'cancelled', result: null });
    expect(await bench.effects(id)).toEqual([{ status: 'cancelled', text: 'so far' }]);
    expect(await bench.names(id)).toEqual(['accepted', 'started', 'delta', 'cancelled']);
  });

  it('just before its end wins over the end: settle runs once', async () => {
    const process = await bench.process();
    process.handler.work = async (context) => {
      await process.jobs.cancel(bench.principal, context.jobId);
      return { done: true };
    };
    const id = await bench.accept(process);
    await bench.ended(process, id);
    await bench.stopAll();
    expect(await bench.job(id)).toMatchObject({ status: 'cancelled', result: null });
    expect(await bench.effects(id)).toEqual([{ status: 'cancelled', text: '' }]);
    expect((await bench.names(id)).at(-1)).toBe('cancelled');
  });

  it('races with the end and has exactly one winner', async () => {
    const process = await bench.process();
    for (let round = 0; round < 20; round += 1) {
      const ending = gate();
      process.handler.work = async () => {
        ending.open();
        return {};
      };
      const id = await bench.accept(process);
      await ending.opened;
      const answer = await process.jobs.cancel(bench.principal, id).catch((error: AppError) => error.code);
      const job = await bench.ended(process, id);
      expect(answer === 'conflict').toBe(job.status === 'succeeded');
      expect(await bench.effects(id)).toEqual([{ status: job.status, text: '' }]);
      expect((await bench.names(id)).filter((name) => ['done', 'error', 'cancelled'].includes(name))).toHaveLength(1);
    }
  });

  it('that another process runs is noticed there: by word of the database, or by the heartbeat where it sends none', async () => {
    const runs = await bench.process({ timing: { leaseMs: 600_000 } });
    const asks = await bench.process({ idle: true });
    const started = gate();
    const reason = gate<unknown>();
    runs.handler.work = async (context) => {
      started.open();
      reason.open(await untilAborted(context.signal).catch((error: unknown) => error));
      return {};
    };
    const id = await bench.accept(asks);
    runs.jobs.wake();
    await Promise.race([started.opened, runs.run(id)]);
    await asks.jobs.cancel(bench.principal, id);
    expect(await reason.opened).toMatchObject({ code: kind === 'postgres' ? 'cancelled' : 'conflict' });
    await bench.stopAll();
    expect(await bench.job(id)).toMatchObject({ status: 'cancelled' });
    expect(await bench.effects(id)).toHaveLength(1);
  });

  it('again changes nothing; one that has ended otherwise is a conflict', async () => {
    const process = await bench.process();
    const idle = await bench.accept(process);
    await bench.ended(process, idle);
    await expect(process.jobs.cancel(bench.principal, idle)).rejects.toMatchObject({ code: 'conflict' });
    process.handler.work = (context) => untilAborted(context.signal);
    const id = await bench.accept(process);
    const first = await process.jobs.cancel(bench.principal, id);
    expect(await process.jobs.cancel(bench.principal, id)).toEqual(first);
    expect(await bench.effects(id)).toHaveLength(1);
  });

  it('stays open when settle fails', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    process.handler.beforeSettle = () => {
      throw new Error('settle broke');
    };
    await expect(process.jobs.cancel(bench.principal, id)).rejects.toThrow('settle broke');
    expect(await bench.job(id)).toMatchObject({ status: 'queued', cancelRequestedAt: null });
    expect(await bench.effects(id)).toEqual([]);
  });

  it('of a subject cancels all its open jobs and none else', async () => {
    const process = await bench.process({ idle: true });
    const subjectId = v7();
    const open = [await bench.accept(process, { subjectId }), await bench.accept(process, { subjectId })];
    const ended = await bench.accept(process, { subjectId });
    const claimed = await process.leases.claim(ended, [`${testWork.kind}@${testWork.version}`]);
    if (claimed === undefined) throw new Error('not claimed');
    await process.settlement.finish(claimed, { status: 'succeeded', result: {} });
    const other = await bench.accept(process);
    await process.jobs.cancelSubject(subjectId);
    for (const id of open) expect(await bench.job(id)).toMatchObject({ status: 'cancelled' });
    expect(await bench.job(ended)).toMatchObject({ status: 'succeeded' });
    expect(await bench.job(other)).toMatchObject({ status: 'queued' });
  });
});

describeDatabases('Reading and repeating jobs', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  const colleague = async (role: Principal['role']): Promise<Principal> => {
    const userId = v7();
    await bench.account(bench.workspaceId, userId);
    return { ...bench.principal, userId, role };
  };

  it('shows a private job to its maker alone, a shared one to the workspace, neither to others', async () => {
    const process = await bench.process({ idle: true });
    const mine = await bench.accept(process);
    const shared = await bench.accept(process, { visibility: 'workspace' });
    const viewer = await colleague('viewer');
    const stranger: Principal = { ...viewer, workspaceId: v7() };
    await expect(process.jobs.get(viewer, mine)).rejects.toMatchObject({ code: 'not_found' });
    await expect(process.jobs.cancel(viewer, mine)).rejects.toMatchObject({ code: 'not_found' });
    expect(await process.jobs.get(viewer, shared)).toMatchObject({ id: shared });
    await expect(process.jobs.cancel(viewer, shared)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(process.jobs.cancel(await colleague('editor'), shared)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(process.jobs.get(stranger, shared)).rejects.toMatchObject({ code: 'not_found' });
    const page = await process.jobs.list(viewer, {}, { limit: 20, order: 'desc' });
    expect(page).toEqual({ data: [expect.objectContaining({ id: shared })], hasMore: false });
    expect(await process.jobs.cancel(await colleague('admin'), shared)).toMatchObject({ status: 'cancelled' });
  });

  it('lists by kind and status in pages', async () => {
    const process = await bench.process({ idle: true });
    const me: Principal = { ...(await colleague('owner')) };
    const { workspaceId } = bench;
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      const own = Object.create(bench, { ownerId: { value: me.userId }, workspaceId: { value: workspaceId } }) as JobsBench;
      ids.push(await own.accept(process));
    }
    await process.jobs.cancel(me, ids[0] ?? '');
    const list = async (filter: object, page: object) => {
      const { data, hasMore } = await process.jobs.list(me, filter, { limit: 20, order: 'desc', ...page });
      const own = data.filter((job) => job.ownerId === me.userId).map((job) => ids.indexOf(job.id));
      return { own, hasMore };
    };
    expect(await list({ status: 'queued' }, {})).toMatchObject({ own: [4, 3, 2, 1] });
    expect(await list({ status: 'cancelled', kind: 'test.work' }, { order: 'asc' })).toMatchObject({ own: [0] });
    expect(await list({ kind: 'test.other' }, {})).toEqual({ own: [], hasMore: false });
    expect(await list({}, { limit: 2 })).toEqual({ own: [4, 3], hasMore: true });
    expect(await list({}, { limit: 2, after: ids[3] })).toMatchObject({ own: [2, 1] });
    expect(await list({}, { limit: 2, before: ids[2] })).toMatchObject({ own: [4, 3] });
  });

  it('retries a failed job as a new one and refuses any other', async () => {
    const process = await bench.process();
    process.handler.work = async () => {
      throw new AppError('unprocessable', 'Not this one.');
    };
    const id = await bench.accept(process);
    const failed = await bench.ended(process, id);
    process.handler.work = async () => ({});
    const unable = { ...bench.principal, scopes: new Set(['jobs:write' as const]) };
    await expect(process.jobs.retry(unable, id, null)).rejects.toMatchObject({ code: 'forbidden' });
    const again = await process.jobs.retry(bench.principal, id, 'request-1');
    expect(again).toMatchObject({ retryOf: id, requestId: 'request-1', kind: 'test.work' });
    expect(again.id).not.toBe(id);
    expect(await bench.ended(process, again.id)).toMatchObject({ status: 'succeeded' });
    expect(await bench.job(id)).toMatchObject({ status: 'failed', finishedAt: failed.finishedAt });
    await expect(process.jobs.retry(bench.principal, again.id, null)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('estimates the place in the queue, and the time once it knows how long the kind takes', async () => {
    const process = await bench.process({ idle: true });
    const [first, second] = [await bench.accept(process), await bench.accept(process)];
    const position = async (id: string) => process.jobs.queuePosition(await process.jobs.get(bench.principal, id));
    const before = (await position(first ?? ''))?.position ?? 0;
    expect(await position(second ?? '')).toMatchObject({ position: before + 1, etaSeconds: expect.any(Number) });
    await process.run(first ?? '');
    expect(await position(first ?? '')).toBeUndefined();
    expect(await position(second ?? '')).toMatchObject({ position: before });
  });
});
