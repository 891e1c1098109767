import { Global, Module } from '@nestjs/common';
import type { INestMicroservice, Type } from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { DataDirectory } from '@backing/data-directory';
import { InProcessTransport } from '@backing/in-process';
import { MemoryFanout } from '@backing/memory';
import { PostgresClient, PostgresListener, sql, type Queryable } from '@backing/postgres';
import {
  JobHandler,
  JobHandlers,
  JobLeaseRepository,
  JobLogRepository,
  JobReader,
  JobRetention,
  JobRunner,
  Jobs,
  JobSettlement,
  JobSignals,
  JobsModule,
  JobsRepository,
  JobSweep,
  JobTiming,
  type AcceptanceOptions,
  type JobContext,
  type JobOutcome,
  type SettledJob,
  type StoredJob,
} from '@features/jobs';
import { AppConfig } from '@kernel/config';
import { Fanout } from '@kernel/fanout';
import { SCOPES, type Principal } from '@kernel/identity';
import { defineJob, JobTransport, type JobContract } from '@kernel/jobs';
import { v7 } from 'uuid';
import { z } from 'zod';
import { JobsConsumer } from '../../apps/api/src/jobs/jobs.consumer';
import { openDatabase, type DatabaseKind, type TestDatabase } from './databases';

export const testWork = defineJob('test.work', z.strictObject({ name: z.string() }), { needs: 'chat', maxAttempts: 3 });
type Payload = { name: string };

/** The next version of the same work; a handler of it runs the jobs of the first as well. */
export const testWorkTwo = defineJob('test.work', z.strictObject({ name: z.string(), note: z.string() }), {
  needs: 'chat',
  maxAttempts: 3,
  version: 2,
  earlier: { 1: testWork.payload.transform(({ name }) => ({ name, note: 'of the first version' })) },
});

/** A handler that does what the test tells it, and leaves one row in `effects` for each end that it settles. */
export class TestHandler extends JobHandler<Payload> {
  contract: JobContract<Payload> = testWork;
  /** Attempts that were begun, in order. */
  readonly attempts: JobContext<Payload>[] = [];
  work: (context: JobContext<Payload>) => Promise<object> = async () => ({});
  beforeSettle: (outcome: JobOutcome<object>) => void = () => undefined;

  constructor(private readonly jobs: () => { jobs: Jobs; client: PostgresClient }) {
    super();
  }

  run(context: JobContext<Payload>): Promise<object> {
    this.attempts.push(context);
    return this.work(context);
  }

  async settle(connection: Queryable, job: SettledJob<Payload>, outcome: JobOutcome<object>): Promise<object> {
    const text = await job.text(connection);
    await connection.query(sql`INSERT INTO effects (job_id, status, text) VALUES (${job.id}::uuid, ${outcome.status}, ${text})`);
    this.beforeSettle(outcome);
    return outcome.status === 'succeeded' ? { ...outcome.result, text } : {};
  }

  async retry(job: StoredJob, principal: Principal, requestId: string | null): Promise<{ jobId: string }> {
    const { jobs, client } = this.jobs();
    const { workspaceId, userId: ownerId } = principal;
    const acceptance = jobs.acceptance(testWork, job.payload as Payload, { workspaceId, ownerId, requestId, retryOf: job.id });
    await client.query(sql`WITH ${acceptance.ctes} SELECT id FROM job`);
    return acceptance;
  }
}

/** Short waits, but a long lease: on a busy machine one of a second runs out between two statements. A test about its end sets its own. */
const SHORT = {
  leaseMs: 60_000,
  heartbeatMs: 200,
  cancelPollMs: 100,
  backoffBaseMs: 10,
  backoffCapMs: 40,
  pollMs: 60,
  redispatchMs: 250,
  drainMs: 400,
  readPollMs: 40,
  queuedEventMs: 300,
};

/** One process's worth of jobs on the shared database: the real module, relay, transport, consumer and runner. */
export class JobsProcess {
  constructor(
    private readonly app: INestMicroservice,
    readonly handler: TestHandler,
  ) {}

  readonly jobs = this.app.get(Jobs);
  readonly runner = this.app.get(JobRunner);
  readonly leases = this.app.get(JobLeaseRepository);
  readonly log = this.app.get(JobLogRepository);
  readonly rows = this.app.get(JobsRepository);
  readonly reader = this.app.get(JobReader);
  readonly retention = this.app.get(JobRetention);
  readonly settlement = this.app.get(JobSettlement);
  readonly signals = this.app.get(JobSignals);
  readonly sweep = this.app.get(JobSweep);
  readonly handlers = this.app.get(JobHandlers);

  /** A provider of one of its modules. */
  get<T>(type: Type<T>): T {
    return this.app.get(type, { strict: false });
  }

  /** As if the message of this job had come. */
  run(jobId: string): Promise<void> {
    return this.runner.run({ job_id: jobId, kind: testWork.kind, version: testWork.version });
  }

  /** Stops as a process does at SIGTERM. */
  stop(): Promise<void> {
    return this.app.close();
  }
}

export interface ProcessOptions {
  holder?: string;
  timing?: Partial<JobTiming>;
  /** Several processes of one test do not all take what is accepted: without it nothing is dispatched to this one. */
  idle?: boolean;
  /** Hears no word of other processes. */
  deaf?: boolean;
  handler?: (handler: TestHandler) => void;
  providers?: object[];
  /** Modules of features with jobs of their own. */
  imports?: Type[];
  /** In the place of the transport inside the process. */
  carrier?: CustomTransportStrategy & JobTransport;
}

/** A database with an account, and processes on it. */
export class JobsBench {
  readonly workspaceId = v7();
  readonly ownerId = v7();
  private readonly running: JobsProcess[] = [];

  private constructor(readonly database: TestDatabase) {}

  static async open(kind: DatabaseKind): Promise<JobsBench> {
    const bench = new JobsBench(await openDatabase(kind));
    await bench.database.client.query(sql`CREATE TABLE effects (job_id uuid, status text, text text)`);
    await bench.account(bench.workspaceId, bench.ownerId);
    return bench;
  }

  get principal(): Principal {
    const { workspaceId, ownerId: userId } = this;
    return { kind: 'user', userId, workspaceId, role: 'owner', instanceAdmin: true, scopes: new Set(SCOPES) };
  }

  async account(workspaceId: string, userId: string): Promise<void> {
    const { client } = this.database;
    await client.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${userId}, ${`${userId}@example.org`}, 'x')`);
    await client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${workspaceId}, 'w', ${userId}) ON CONFLICT DO NOTHING`);
    await client.query(sql`INSERT INTO memberships (workspace_id, user_id, role) VALUES (${workspaceId}, ${userId}, 'owner')`);
  }

  async process({
    holder = v7(),
    timing = {},
    idle = false,
    deaf = false,
    handler: prepare,
    providers = [],
    imports = [],
    carrier,
  }: ProcessOptions = {}): Promise<JobsProcess> {
    const { client } = this.database;
    const handler: TestHandler = new TestHandler(() => ({ jobs: process.jobs, client }));
    prepare?.(handler);
    const transport = carrier ?? new InProcessTransport({ 'test.work': idle ? 0 : 4, 'reports.add-up': idle ? 0 : 1 });
    @Global()
    @Module({
      providers: [
        { provide: JobTransport, useValue: transport },
        { provide: Fanout, useClass: MemoryFanout },
        { provide: AppConfig, useValue: { retention: { jobsDays: 30, eventsDays: 7 } } },
        { provide: DataDirectory, useValue: { instanceId: holder } },
        { provide: PostgresClient, useValue: borrowed(client) },
        { provide: PostgresListener, useFactory: () => new PostgresListener(deaf ? undefined : this.database.url, client) },
        { provide: TestHandler, useValue: handler },
        ...providers.map((value) => ({ provide: Symbol('extra'), useValue: value })),
      ],
      exports: [AppConfig, DataDirectory, Fanout, JobTransport, PostgresClient, PostgresListener],
    })
    class GroundModule {}
    const testing = Test.createTestingModule({ imports: [GroundModule, JobsModule, ...imports], controllers: [JobsConsumer] });
    const module = await testing
      .overrideProvider(JobTiming)
      .useValue(new JobTiming({ ...SHORT, ...timing }))
      .compile();
    const app = module.createNestMicroservice({ strategy: transport });
    app.useLogger(false);
    const process: JobsProcess = new JobsProcess(app, handler);
    // A boot that fails has begun already: what it opened goes on asking for its server.
    this.running.push(process);
    await app.listen();
    return process;
  }

  /** Accepts a job in one statement and, through `process`, has it dispatched at once. */
  async accept(process: JobsProcess, options: Partial<AcceptanceOptions> = {}, contract: JobContract<Payload> = testWork): Promise<string> {
    const { workspaceId, ownerId } = this;
    const payload = contract.version === 1 ? { name: 'test' } : { name: 'test', note: 'of the second version' };
    const acceptance = process.jobs.acceptance(contract, payload, { workspaceId, ownerId, ...options });
    await this.database.client.query(sql`WITH ${acceptance.ctes} SELECT id FROM job`);
    process.jobs.wake();
    return acceptance.jobId;
  }

  async ended(process: JobsProcess, jobId: string): Promise<StoredJob> {
    const job = await process.jobs.finished(jobId, 40_000, new AbortController().signal);
    if (job === undefined) throw new Error(`Job ${jobId} did not end: ${JSON.stringify(await this.job(jobId))}`);
    return job;
  }

  async job(jobId: string): Promise<StoredJob> {
    const rows = await this.database.client.query<Record<string, unknown>>(sql`SELECT * FROM jobs WHERE id = ${jobId}::uuid`);
    const row = rows[0];
    if (row === undefined) throw new Error(`No job ${jobId}`);
    return Object.fromEntries(
      Object.entries(row).map(([k, v]) => [k.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), v]),
    ) as unknown as StoredJob;
  }

  /** The log as `seq event {data}`, checked to have no gap. */
  async events(jobId: string): Promise<{ event: string; data: Record<string, unknown> }[]> {
    const rows = await this.database.client.query<{ seq: number; event: string; data: Record<string, unknown> }>(
      sql`SELECT seq, event, data FROM job_events WHERE job_id = ${jobId}::uuid ORDER BY seq`,
    );
    expect(rows.map((row) => row.seq)).toEqual(rows.map((_, n) => n + 1));
    return rows.map(({ event, data }) => ({ event, data }));
  }

  async names(jobId: string): Promise<string[]> {
    return (await this.events(jobId)).map(({ event }) => event);
  }

  effects(jobId: string): Promise<{ status: string; text: string }[]> {
    return this.database.client.query(sql`SELECT status, text FROM effects WHERE job_id = ${jobId}::uuid`);
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.running.splice(0).map((process) => process.stop()));
  }

  async close(): Promise<void> {
    await this.stopAll();
    await this.database.close();
  }
}

/** A promise to be settled from outside. */
export function gate<T = void>(): { opened: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Rejects when the signal aborts, as a model's stream does. */
export function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

/** The same connection without its end: a process of the test must not close what others use. */
function borrowed(client: PostgresClient): Pick<PostgresClient, 'afterCommit' | 'beforehand' | 'query' | 'transaction'> {
  return {
    afterCommit: (work) => client.afterCommit(work),
    beforehand: (work) => client.beforehand(work),
    query: (statement) => client.query(statement),
    transaction: (work) => client.transaction(work),
  };
}
