import { sql } from '@backing/postgres';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { describeDatabases } from '../support/databases';
import { gate, JobsBench, testWork, type JobsProcess } from '../support/jobs';

/** What the rule says, without a database: fewest at work, then served longest ago, then the oldest job. */
class Model {
  private readonly queued = new Map<string, string[]>();
  private readonly atWork = new Map<string, number>();
  private readonly served = new Map<string, number>();
  private clock = 0;

  accept(workspace: string, job: string): void {
    this.queued.set(workspace, [...(this.queued.get(workspace) ?? []), job]);
  }

  claim(): string | undefined {
    const turn = ([workspace, jobs]: [string, string[]]): [number, number, string] => [
      this.atWork.get(workspace) ?? 0,
      this.served.get(workspace) ?? -1,
      jobs[0] ?? '',
    ];
    const [first] = [...this.queued].filter(([, jobs]) => jobs.length > 0).sort((a, b) => compare(turn(a), turn(b)));
    const job = first?.[1].shift();
    if (first === undefined || job === undefined) return undefined;
    this.atWork.set(first[0], (this.atWork.get(first[0]) ?? 0) + 1);
    this.served.set(first[0], (this.clock += 1));
    return job;
  }

  finish(workspace: string): void {
    this.atWork.set(workspace, (this.atWork.get(workspace) ?? 0) - 1);
  }

  /** The order in which all that wait would be taken if nothing ended meanwhile. */
  order(): string[] {
    const copy = Object.assign(new Model(), structuredClone({ ...this }));
    const order: string[] = [];
    for (let job = copy.claim(); job !== undefined; job = copy.claim()) order.push(job);
    return order;
  }
}

function compare(a: [number, number, string], b: [number, number, string]): number {
  if (a[0] !== b[0]) return a[0] - b[0];
  if (a[1] !== b[1]) return a[1] - b[1];
  return a[2] < b[2] ? -1 : 1;
}

const STEP = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('accept' as const), who: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), who: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('finish' as const), who: fc.nat() }) },
);

describeDatabases('Turns between workspaces', (kind) => {
  let bench: JobsBench;
  const workspaces = Array.from({ length: 4 }, () => v7());
  const owners = workspaces.map(() => v7());
  beforeAll(async () => {
    bench = await JobsBench.open(kind);
    for (const [n, workspace] of workspaces.entries()) await bench.account(workspace, owners[n] ?? '');
  });
  afterEach(async () => {
    await bench.stopAll();
    await bench.database.client.query(sql`DELETE FROM jobs`);
  });
  afterAll(() => bench.close());

  const order = async (process: JobsProcess): Promise<string[]> => {
    const waiting = await bench.database.client.query<{ id: string }>(sql`SELECT id FROM jobs WHERE status = 'queued'`);
    const places = await Promise.all(
      waiting.map(async ({ id }) => ({ id, ...(await process.rows.queuePosition({ id, kind: testWork.kind })) })),
    );
    expect(places.map((place) => place.position).sort((a, b) => a - b)).toEqual(places.map((_, n) => n + 1));
    return places.sort((a, b) => a.position - b.position).map((place) => place.id);
  };

  it('are those of the model, whatever comes and ends, and a place in the queue is told by the same rule', async () => {
    const process = await bench.process({ idle: true, timing: { redispatchMs: 600_000, leaseMs: 600_000 } });
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 40 }), async (steps) => {
        await bench.database.client.query(sql`DELETE FROM jobs`);
        const model = new Model();
        const running: { id: string; epoch: number; workspaceId: string }[] = [];
        for (const step of steps) {
          if (step.do === 'accept') {
            const workspaceId = workspaces[step.who] ?? '';
            model.accept(workspaceId, await bench.accept(process, { workspaceId }));
          } else if (step.do === 'claim') {
            const job = await process.leases.claimNext(testWork);
            expect(job?.id).toBe(model.claim());
            if (job !== undefined) running.push(job);
          } else if (running.length > 0) {
            const [job] = running.splice(step.who % running.length, 1);
            if (job === undefined) continue;
            await process.settlement.finish(job, { status: 'succeeded', result: {} });
            model.finish(job.workspaceId);
          }
        }
        expect(await order(process)).toEqual(model.order());
      }),
      { numRuns: kind === 'postgres' ? 40 : 10 },
    );
  }, 120_000);

  it('let one question by after one document of the five hundred that another workspace has brought before', async () => {
    const of = (n: number) => ({ workspaceId: workspaces[n], ownerId: owners[n] });
    const accepting = await bench.process({ idle: true, timing: { redispatchMs: 600_000 } });
    for (let n = 0; n < 500; n += 1) await bench.accept(accepting, of(0));
    const question = await bench.accept(accepting, of(1));
    await accepting.stop();
    const order: string[] = [];
    const answered = gate();
    await bench.process({
      handler: (handler) => {
        handler.work = async ({ jobId }) => {
          order.push(jobId);
          if (jobId === question) answered.open();
          return {};
        };
      },
    });
    await answered.opened;
    // All four slots may have been taken before the question's turn came; no fifth.
    expect(order.indexOf(question)).toBeLessThanOrEqual(4);
  }, 60_000);

  it('give every job to one worker each when many claim at once, also from one workspace', async () => {
    const process = await bench.process({ idle: true, timing: { redispatchMs: 600_000 } });
    const ids: string[] = [];
    for (let n = 0; n < 40; n += 1) ids.push(await bench.accept(process, { workspaceId: workspaces[n % 2] }));
    const claimed = await Promise.all(ids.map(() => process.leases.claimNext(testWork)));
    expect(claimed.map((job) => job?.id).sort()).toEqual(ids.sort());
    expect(await process.leases.claimNext(testWork)).toBeUndefined();
  });

  it('leave out what waits for its backoff', async () => {
    const process = await bench.process({ idle: true, timing: { redispatchMs: 600_000 } });
    const [later, now] = [await bench.accept(process), await bench.accept(process)];
    await bench.database.client.query(sql`UPDATE jobs SET retry_at = now() + interval '1 hour' WHERE id = ${later}::uuid`);
    expect(await process.leases.claimNext(testWork)).toMatchObject({ id: now });
    expect(await process.leases.claimNext(testWork)).toBeUndefined();
  });
});
