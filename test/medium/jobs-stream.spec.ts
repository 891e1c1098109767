import { sql } from '@backing/postgres';
import type { JobEvent } from '@features/jobs';
import * as fc from 'fast-check';
import { countRows, describeDatabases } from '../support/databases';
import { gate, JobsBench, testWork, type JobsProcess } from '../support/jobs';

const KNOWN = [`${testWork.kind}@${testWork.version}`];

async function read(process: JobsProcess, id: string, after: number, signal = new AbortController().signal): Promise<JobEvent[]> {
  const events: JobEvent[] = [];
  for await (const page of process.reader.pages(id, after, signal)) events.push(...page);
  return events;
}

describeDatabases('A reader of events', (kind) => {
  let bench: JobsBench;
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
  });
  afterEach(() => bench.stopAll());
  afterAll(() => bench.close());

  it('gets every event once and in order, whenever it joins, with and without word of the writer', async () => {
    const process = await bench.process({ idle: true });
    const step = fc.record({
      events: fc.integer({ min: 1, max: 4 }),
      tells: fc.boolean(),
      joins: fc.integer({ min: 0, max: 2 }),
      from: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
        const id = await bench.accept(process);
        const readers: { after: number; events: Promise<JobEvent[]> }[] = [];
        const claimed = await process.leases.claim(id, KNOWN);
        if (claimed === undefined) throw new Error('not claimed');
        let last = claimed.lastSeq;
        for (const { events, tells, joins, from } of steps) {
          for (let n = 0; n < joins; n += 1) {
            const after = (from + n) % (last + 1);
            readers.push({ after, events: read(process, id, after) });
          }
          for (let n = 0; n < events; n += 1) {
            last = (await process.log.append(claimed, 'delta', { text: `${last + 1}` })) ?? -1;
            if (tells) process.signals.notify(id);
          }
        }
        await process.settlement.finish(claimed, { status: 'succeeded', result: {} });
        last += 1;
        for (const reader of readers) {
          const seqs = (await reader.events).map((event) => event.seq);
          expect(seqs).toEqual(Array.from({ length: last - reader.after }, (_, n) => reader.after + 1 + n));
        }
      }),
      { numRuns: 15 },
    );
  });

  it('reads a long log in pages, from any position, to its terminal event', async () => {
    const process = await bench.process();
    process.handler.work = async (context) => {
      for (let n = 0; n < 600; n += 1) await context.emit('delta', { text: `${n}` });
      return {};
    };
    const id = await bench.accept(process);
    const live = read(process, id, 0);
    await bench.ended(process, id);
    const replay = await read(process, id, 0);
    expect(replay.map((event) => event.seq)).toEqual(Array.from({ length: 603 }, (_, n) => n + 1));
    expect(await live).toEqual(replay);
    expect(await read(process, id, 601)).toEqual(replay.slice(601));
  });

  it('sees an event within moments of its commit when told, not at the next poll', async () => {
    const process = await bench.process({ timing: { readPollMs: 60_000 } });
    const [emit, finish] = [gate(), gate()];
    process.handler.work = async (context) => {
      await emit.opened;
      await context.emit('delta', { text: 'now' });
      await finish.opened;
      return {};
    };
    const id = await bench.accept(process);
    const pages = process.reader.pages(id, 0, new AbortController().signal);
    const seen: string[] = [];
    while (!seen.includes('started')) seen.push(...((await pages.next()).value as JobEvent[]).map((e) => e.event));
    emit.open();
    expect((await pages.next()).value).toEqual([expect.objectContaining({ event: 'delta' })]);
    finish.open();
    expect((await pages.next()).value).toEqual([expect.objectContaining({ event: 'done' })]);
    expect((await pages.next()).done).toBe(true);
  });

  it('is told the place in the queue while it waits, without a gap in the ids, and only then', async () => {
    const process = await bench.process({ idle: true });
    await process.run(await bench.accept(process));
    const unread = await bench.accept(process);
    const id = await bench.accept(process);
    const controller = new AbortController();
    const pages = process.reader.pages(id, 1, controller.signal);
    expect((await pages.next()).value).toEqual([
      { seq: 2, event: 'queued', data: { position: expect.any(Number), eta_seconds: expect.any(Number) } },
    ]);
    await process.jobs.cancel(bench.principal, unread);
    const next = (await pages.next()).value as JobEvent[];
    expect(next).toEqual([expect.objectContaining({ seq: 3, event: 'queued' })]);
    await process.run(id);
    const rest: JobEvent[] = [];
    for await (const page of pages) rest.push(...page);
    expect(rest.map((e) => [e.seq, e.event])).toEqual([
      [4, 'started'],
      [5, 'done'],
    ]);
    expect(await bench.names(unread)).toEqual(['accepted', 'cancelled']);
  });

  it('writes a place in the queue only when it is news and the last one is old enough', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    const tell = (position: number, leastMs: number) => process.log.appendQueued(id, { position, eta_seconds: null }, leastMs);
    expect([await tell(3, 600_000), await tell(2, 600_000), await tell(3, 0), await tell(2, 0)]).toEqual([true, false, false, true]);
    await process.run(id);
    expect(await tell(1, 0)).toBe(false);
    expect(await bench.names(id)).toEqual(['accepted', 'queued', 'queued', 'started', 'done']);
  });

  it('follows a job that another process runs', async () => {
    const [here, there] = [await bench.process({ idle: true }), await bench.process({ idle: true })];
    there.handler.work = async (context) => {
      await context.emit('delta', { text: 'from there' });
      return {};
    };
    const id = await bench.accept(here);
    const reading = read(here, id, 1);
    await there.run(id);
    expect((await reading).filter((e) => e.event !== 'queued').map((e) => e.event)).toEqual(['started', 'delta', 'done']);
  });

  it('knows which positions can be resumed', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    expect(await process.reader.check(id, 99)).toBe(true);
    await process.run(id);
    expect(await process.reader.check(id, 2)).toBe(true);
    expect(await process.reader.check(id, 3)).toBe(false);
    await expect(process.reader.check(id, 4)).rejects.toMatchObject({ code: 'invalid', errors: [{ path: 'after' }] });
    await expect(process.reader.check(id, 4, 'Last-Event-ID')).rejects.toMatchObject({ errors: [{ path: 'Last-Event-ID' }] });
    await bench.database.client.query(sql`DELETE FROM job_events WHERE job_id = ${id}::uuid AND seq < 3`);
    await expect(process.reader.check(id, 1)).rejects.toMatchObject({ code: 'gone', jobId: id });
    expect(await process.reader.check(id, 2)).toBe(true);
    await bench.database.client.query(sql`DELETE FROM job_events WHERE job_id = ${id}::uuid`);
    await expect(process.reader.check(id, 0)).rejects.toMatchObject({ code: 'gone' });
    expect(await process.reader.check(id, 3)).toBe(false);
  });

  it('ends where the retention has been meanwhile, without a gap', async () => {
    const process = await bench.process();
    process.handler.work = async (context) => {
      for (let n = 0; n < 300; n += 1) await context.emit('delta', { text: `${n}` });
      return {};
    };
    const id = await bench.accept(process);
    await bench.ended(process, id);
    const pages = process.reader.pages(id, 0, new AbortController().signal);
    expect(((await pages.next()).value as JobEvent[]).at(-1)?.seq).toBe(256);
    await bench.database.client.query(sql`DELETE FROM job_events WHERE job_id = ${id}::uuid AND seq < 280`);
    expect(await pages.next()).toEqual({ done: true, value: undefined });
    await expect(process.reader.check(id, 256)).rejects.toMatchObject({ code: 'gone' });
  });

  it('holds no more than 256 KiB of data at once, but for an event that is larger', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    const claimed = await process.leases.claim(id, KNOWN);
    if (claimed === undefined) throw new Error('not claimed');
    const bytes = [100_000, 100_000, 100_000, 100_000, 400_000, 10];
    for (const size of bytes) await process.log.append(claimed, 'delta', { text: 'x'.repeat(size) });
    await process.settlement.finish(claimed, { status: 'succeeded', result: {} });
    const sizes: number[] = [];
    for await (const page of process.reader.pages(id, 2, new AbortController().signal)) sizes.push(page.length);
    // Three of 100 kB are more than 256 KiB by less than one of them; the large one comes after one of 100 kB, and the last two by themselves.
    expect(sizes).toEqual([3, 2, 2]);
  });

  it('ends when its signal aborts', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    const controller = new AbortController();
    const reading = read(process, id, 1, controller.signal);
    controller.abort();
    expect(await reading).toEqual([]);
  });

  it('waits for the end of a job no longer than it was asked to', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    expect(await process.jobs.finished(id, 50, new AbortController().signal)).toBeUndefined();
    const controller = new AbortController();
    const waiting = process.jobs.finished(id, 600_000, controller.signal);
    controller.abort();
    expect(await waiting).toBeUndefined();
  });

  it('waits no longer for the end of a job than its process lives', async () => {
    const process = await bench.process({ idle: true });
    const id = await bench.accept(process);
    const waiting = process.jobs.finished(id, 600_000, new AbortController().signal);
    await process.stop();
    expect(await waiting).toBeUndefined();
  });
});

describeDatabases('Retention', (kind) => {
  it('deletes events of jobs that ended long ago, then the jobs, and nothing younger or open', async () => {
    const bench = await JobsBench.open(kind);
    try {
      const process = await bench.process({ idle: true });
      const [oldest, old, young, open] = [
        await bench.accept(process),
        await bench.accept(process),
        await bench.accept(process),
        await bench.accept(process),
      ];
      for (const [id, days] of [
        [oldest, 31],
        [old, 8],
        [young, 6],
      ] as const) {
        await process.run(id);
        await bench.database.client.query(sql`UPDATE jobs SET finished_at = now() - ${days} * interval '1 day' WHERE id = ${id}::uuid`);
      }
      await bench.database.client.query(sql`UPDATE jobs SET created_at = now() - interval '400 days' WHERE id = ${open}::uuid`);
      await process.retention.purge();
      await expect(bench.job(oldest)).rejects.toThrow('No job');
      expect(await bench.job(old)).toMatchObject({ status: 'succeeded', lastSeq: 3 });
      expect(await bench.events(old)).toEqual([]);
      expect(await bench.names(young)).toEqual(['accepted', 'started', 'done']);
      expect(await bench.names(open)).toEqual(['accepted']);
      await expect(process.reader.check(old, 1)).rejects.toMatchObject({ code: 'gone' });
      expect(await countRows(bench.database.client, 'jobs')).toBe(3);
    } finally {
      await bench.close();
    }
  });

  it('takes a log away from its beginning, so that what is left of it has no gap', async () => {
    const bench = await JobsBench.open(kind);
    const { client } = bench.database;
    const length = 3_000;
    try {
      const process = await bench.process({ idle: true });
      const ids = [await bench.accept(process), await bench.accept(process)];
      for (const id of ids) {
        await process.run(id);
        await client.query(
          sql`INSERT INTO job_events (job_id, seq, event, data) SELECT ${id}::uuid, n, 'delta', '{}'::jsonb FROM generate_series(4, ${length}) AS n`,
        );
      }
      await client.query(sql`UPDATE jobs SET finished_at = now() - interval '8 days', last_seq = ${length}`);
      // The rows lie in another order than they were written in, and a plan that reads them as they lie is the cheapest.
      for (const part of [2, 3, 5, 7]) await client.query(sql`UPDATE job_events SET event = event WHERE seq % ${part} = 0`);
      await client.query(sql`ANALYZE job_events, jobs`);
      for (let left = 2 * length; left > 0; left -= 500) {
        expect(await process.log.purgeEvents(7, 500)).toBe(500);
        for (const id of ids) {
          const rows = await client.query<{ seq: number }>(sql`SELECT seq FROM job_events WHERE job_id = ${id}::uuid ORDER BY seq`);
          expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, n) => length - rows.length + 1 + n));
          const position = length - rows.length - 1;
          if (position >= 0) await expect(process.reader.check(id, position)).rejects.toMatchObject({ code: 'gone' });
        }
      }
    } finally {
      await bench.close();
    }
  });
});
