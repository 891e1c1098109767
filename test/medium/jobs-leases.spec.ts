import { sql } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import { v7 } from 'uuid';
import { countRows, describeDatabases } from '../support/databases';
import { gate, JobsBench, testWork, untilAborted } from '../support/jobs';

const KNOWN = [`${testWork.kind}@${testWork.version}`];

describeDatabases('Leases', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  it('let one of many runners have a job', async () => {
    const processes = await Promise.all(Array.from({ length: 3 }, () => bench.process({ idle: true })));
    const [first] = processes;
    if (first === undefined) throw new Error('no process');
    for (let round = 0; round < 10; round += 1) {
      const id = await bench.accept(first);
      await Promise.all(processes.flatMap((process) => [process.run(id), process.run(id)]));
      expect(await bench.job(id)).toMatchObject({ status: 'succeeded', attempt: 1 });
      expect(await bench.names(id)).toEqual(['accepted', 'started', 'done']);
      expect(await bench.effects(id)).toHaveLength(1);
    }
    expect(processes.flatMap((process) => process.handler.attempts)).toHaveLength(10);
  });

  it('refuse every write of a stale epoch, and it changes nothing', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    const old = await process.leases.claim(id, KNOWN);
    if (old === undefined) throw new Error('not claimed');
    await bench.database.client.query(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${id}::uuid`);
    const current = await process.leases.claim(id, KNOWN);
    expect(current).toMatchObject({ attempt: 2 });
    // The sweep may have put it back into the queue first.
    expect(current?.epoch).toBeGreaterThan(old.epoch);

    const before = await bench.job(id);
    expect(await process.log.append(old, 'delta', { text: 'late' })).toBeUndefined();
    expect(await process.leases.extend(old)).toBe(false);
    expect(await process.leases.requeue(old, 'late', 0, false)).toBe(false);
    await expect(process.settlement.finish(old, { status: 'succeeded', result: {} })).rejects.toMatchObject({ code: 'conflict' });
    expect(await bench.job(id)).toEqual(before);
    expect(await bench.effects(id)).toEqual([]);
    if (current === undefined) throw new Error('not claimed');
    await process.settlement.finish(current, { status: 'succeeded', result: {} });
  });

  it('abort an attempt that lost its job, whose later writes and transactions are refused', async () => {
    const process = await bench.process();
    const stolen = gate();
    const outcome = gate<unknown[]>();
    process.handler.work = async (context) => {
      if (context.attempt > 1) return {};
      await context.emit('delta', { text: 'mine' });
      await bench.database.client.query(sql`UPDATE jobs SET epoch = epoch + 1, lease_until = now() WHERE id = ${context.jobId}::uuid`);
      stolen.open();
      const faults: unknown[] = [];
      await context
        .transaction(async (c) => c.query(sql`INSERT INTO effects (job_id, status) VALUES (${context.jobId}::uuid, 'late')`))
        .catch((e) => faults.push(e));
      await context.emit('delta', { text: 'late' }).catch((e) => faults.push(e));
      faults.push(context.signal.reason);
      outcome.open(faults);
      return {};
    };
    const id = await bench.accept(process);
    await stolen.opened;
    for (const fault of await outcome.opened) expect(fault).toMatchObject({ code: 'conflict' });
    expect(await bench.ended(process, id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(await bench.effects(id)).toEqual([{ status: 'succeeded', text: '' }]);
  });

  it('are kept by heartbeats while a quiet handler works longer than one lease', async () => {
    const process = await bench.process({ timing: { leaseMs: 1_500 } });
    const release = gate();
    process.handler.work = async () => {
      await release.opened;
      return {};
    };
    const id = await bench.accept(process);
    await process.jobs.finished(id, 2_500, new AbortController().signal);
    release.open();
    expect(await bench.ended(process, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
  }, 20_000);

  it('that ran out are taken over by another process, beginning with reset', async () => {
    const dead = await bench.process({ idle: true, timing: { leaseMs: 900 } });
    const id = await bench.accept(dead);
    const claimed = await dead.leases.claim(id, KNOWN);
    if (claimed === undefined) throw new Error('not claimed');
    await dead.log.append(claimed, 'delta', { text: 'half an ans' });
    await dead.stop();
    const alive = await bench.process();
    alive.handler.work = async (context) => {
      await context.emit('delta', { text: 'whole' });
      return {};
    };
    expect(await bench.ended(alive, id)).toMatchObject({ status: 'succeeded', attempt: 2, result: { text: 'whole' } });
    const events = await bench.events(id);
    expect(events.map((e) => e.event)).toEqual(['accepted', 'started', 'delta', 'reset', 'started', 'delta', 'done']);
    expect(events[3]?.data).toEqual({ attempt: 2, reason: 'The worker stopped.' });
  });

  it('of a dead process of the same name end at boot, long before they run out', async () => {
    const holder = v7();
    const timing = { leaseMs: 600_000 };
    const dead = await bench.process({ idle: true, holder, timing });
    const id = await bench.accept(dead);
    expect(await dead.leases.claim(id, KNOWN)).toBeDefined();
    const inMemory = await bench.accept(dead);
    await bench.database.client.query(sql`DELETE FROM outbox`);
    await dead.stop();
    const again = await bench.process({ holder, timing: { ...timing, redispatchMs: 600_000 } });
    expect(await bench.ended(again, id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(await bench.ended(again, inMemory)).toMatchObject({ status: 'succeeded', attempt: 1 });
  });

  it('of others stay at boot', async () => {
    const other = await bench.process({ idle: true, timing: { leaseMs: 600_000 } });
    const id = await bench.accept(other);
    const claimed = await other.leases.claim(id, KNOWN);
    if (claimed === undefined) throw new Error('not claimed');
    const process = await bench.process();
    await process.sweep.sweep();
    expect(await bench.job(id)).toMatchObject({ status: 'running', epoch: claimed.epoch });
    await other.settlement.finish(claimed, { status: 'succeeded', result: {} });
  });

  it('that ran out in the last attempt end the job as failed, and settle is asked', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(await process.leases.claim(id, KNOWN)).toMatchObject({ attempt });
      await bench.database.client.query(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${id}::uuid`);
    }
    expect(await process.leases.claim(id, KNOWN)).toBeUndefined();
    const job = await bench.ended(process, id);
    expect(job).toMatchObject({
      status: 'failed',
      error: { code: 'internal', message: 'The worker stopped 3 times while it ran this job.' },
    });
    expect(await bench.effects(id)).toEqual([{ status: 'failed', text: '' }]);
  });

  it('are handed over by a drain without using up the attempt, and no terminal event is written', async () => {
    const first = await bench.process();
    const started = gate();
    first.handler.work = async (context) => {
      await context.emit('delta', { text: 'half' });
      started.open();
      return untilAborted(context.signal);
    };
    const id = await bench.accept(first);
    await started.opened;
    await first.stop();
    expect(await bench.job(id)).toMatchObject({ status: 'queued', attempt: 0, leaseHolder: null });
    expect(await bench.names(id)).toEqual(['accepted', 'started', 'delta']);
    const second = await bench.process();
    expect(await bench.ended(second, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(await bench.names(id)).toEqual(['accepted', 'started', 'delta', 'reset', 'started', 'done']);
  });

  it('are taken from a handler that does not stop within the drain, and its writes are refused', async () => {
    const first = await bench.process();
    const started = gate();
    const release = gate();
    const late = gate<unknown>();
    first.handler.work = async (context) => {
      started.open();
      await release.opened;
      late.open(await context.transaction(async () => 'written').catch((error: unknown) => error));
      return {};
    };
    const id = await bench.accept(first);
    await started.opened;
    await first.stop();
    expect(await bench.job(id)).toMatchObject({ status: 'queued', attempt: 0 });
    release.open();
    expect(await late.opened).toBeInstanceOf(AppError);
    const second = await bench.process();
    expect(await bench.ended(second, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(await bench.effects(id)).toHaveLength(1);
  });

  it('need a message: one that was lost is sent again', async () => {
    const process = await bench.process();
    const id = v7();
    const { workspaceId, ownerId } = bench;
    const acceptance = process.jobs.acceptance(testWork, { name: id }, { workspaceId, ownerId });
    await bench.database.client.transaction(async (connection) => {
      await connection.query(sql`WITH ${acceptance.ctes} SELECT id FROM job`);
      await connection.query(sql`DELETE FROM outbox WHERE job_id = ${acceptance.jobId}::uuid`);
    });
    expect(await bench.ended(process, acceptance.jobId)).toMatchObject({ status: 'succeeded' });
    expect(await countRows(bench.database.client, 'outbox')).toBe(0);
  });
});
