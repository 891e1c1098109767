import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { sql, type Queryable } from '@backing/postgres';
import { JobLeaseRepository, JobOutboxRepository, Jobs, JobsRepository, JobTiming, type StoredJob } from '@features/jobs';
import { defineJob } from '@kernel/jobs';
import * as fc from 'fast-check';
import { v7 } from 'uuid';
import { z } from 'zod';
import { describeDatabases, openDatabase, type TestDatabase } from '../support/databases';

// The table of transitions that `npm run faults:model` explores whole, walked at random beside the real tables: after each step both must say the same.

interface State {
  jobs: { status: string; attempt: number; lease: string; outbox: string; effects: number[]; messages: number }[];
  workers: { stage: string; job: number; holds: boolean }[];
}
interface Rule {
  name: string;
  of: 'jobs' | 'workers' | 'relay';
  job?: number;
  may(state: State, n: number): boolean;
  do(state: State, n: number): unknown;
}
interface Model {
  initial(size: object): State;
  transitions(): Rule[];
}
const STATUS: Record<string, string> = { queued: 'queued', running: 'running', done: 'succeeded', failed: 'failed' };
const work = defineJob('test.work', z.strictObject({}), { needs: 'chat', maxAttempts: 2 });
const RUNS = 120;
const STEPS = 40;

/** One job in the database, and what two workers, a relay and a broker that know nothing else have in memory. */
class Real {
  id = '';
  claimed?: string;
  messages = 0;
  readonly trail: string[] = [];
  readonly held: { job?: StoredJob; message: boolean; lost?: boolean }[] = [{ message: false }, { message: false }];

  constructor(
    readonly database: TestDatabase,
    readonly owner: { workspaceId: string; ownerId: string },
  ) {}

  private readonly timing = new JobTiming({ leaseMs: 600_000 });
  private readonly outbox = new JobOutboxRepository(this.database.client);
  private readonly jobs = new JobsRepository(this.database.client);
  private readonly leases = ['one', 'two'].map((holder) => new JobLeaseRepository(this.database.client, this.timing, holder));

  /** What the model calls by its name. */
  readonly steps: Record<string, (n: number) => Promise<unknown> | unknown> = {
    accept: () => this.accept(),
    'relay claims': async () => ([{ id: this.claimed } = { id: undefined }] = await this.outbox.claim(1, 600_000)),
    'relay publishes': () => (this.messages += 1),
    'relay marks': () => this.outbox.delete([this.claimed ?? '']),
    'a message is doubled': () => (this.messages += 1),
    'job 0 is delivered': (n) => {
      this.messages -= 1;
      this.held[n] = { message: true };
    },
    'worker claims': async (n) => (this.held[n]!.job = await this.leases[n]?.claim(this.id, ['test.work@1'])),
    'worker commits the first effect': (n) => this.fenced(n, (connection) => this.effect(connection, 0)),
    'worker commits the end': (n) =>
      this.fenced(n, async (connection) => {
        await this.effect(connection, 1);
        await this.jobs.end(connection, this.id, { status: 'succeeded', event: 'done', data: {} });
      }),
    'worker fails for now': (n) => this.fail(n),
    'worker acknowledges': (n) => (this.held[n] = { message: false }),
    'lease runs out': () => this.query(sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ${this.id}::uuid`),
    sweep: () => this.sweep(),
    'outbox claim runs out': () =>
      this.query(sql`UPDATE outbox SET available_at = now() - interval '1 second' WHERE job_id = ${this.id}::uuid`),
    'worker crashes': (n) => this.giveBack(n, true),
    'relay crashes': () => (this.claimed = undefined),
    'broker crashes': () => [0, 1].forEach((n) => this.giveBack(n, false)),
  };

  /** As the model says it. */
  async seen(): Promise<object> {
    const [row] = await this.query(
      sql`SELECT status, attempt, lease_until IS NULL AS "none", lease_until > now() AS valid FROM jobs WHERE id = ${this.id}::uuid`,
    );
    const rows = await this.query(sql`SELECT available_at <= now() AS due FROM outbox WHERE job_id = ${this.id}::uuid`);
    const effects = await this.query(
      sql`SELECT (SELECT count(*)::int FROM effects WHERE job_id = ${this.id}::uuid AND step = s) AS count FROM generate_series(0, 1) AS s`,
    );
    return {
      status: row?.status,
      attempt: row?.attempt,
      lease: row?.none === true ? 'none' : row?.valid === true ? 'valid' : 'over',
      outbox: rows.map(({ due }) => (due === true ? 'due' : 'taken')),
      effects: effects.map(({ count }) => count),
      messages: this.messages,
    };
  }

  private query(statement: ReturnType<typeof sql>): Promise<Record<string, unknown>[]> {
    return this.database.client.query(statement);
  }

  private async accept(): Promise<void> {
    const acceptance = Jobs.prototype.acceptance(work, {}, this.owner);
    this.id = acceptance.jobId;
    await this.query(sql`WITH ${acceptance.ctes} SELECT id FROM job`);
  }

  private effect(connection: Queryable, step: number): Promise<unknown> {
    return connection.query(sql`INSERT INTO effects (job_id, step) VALUES (${this.id}::uuid, ${step})`);
  }

  private async fenced(n: number, write: (connection: Queryable) => Promise<unknown>): Promise<void> {
    const { job } = this.held[n]!;
    await this.database.client.transaction(async (connection) => {
      if (job !== undefined && (await this.leases[n]?.lock(connection, job)) !== undefined) await write(connection);
    });
  }

  private async fail(n: number): Promise<void> {
    const { job } = this.held[n]!;
    if (job === undefined) throw new Error('Nothing was claimed.');
    if (job.attempt < job.maxAttempts) await this.leases[n]?.requeue(job, 'It failed.', 0, false);
    else await this.fenced(n, (connection) => this.end(connection));
  }

  private async sweep(): Promise<void> {
    await this.leases[0]?.requeueExpired(10);
    for (const job of (await this.leases[0]?.claimExhausted(10)) ?? [])
      if (job.id === this.id) await this.database.client.transaction((connection) => this.end(connection));
  }

  private end(connection: Queryable): Promise<unknown> {
    const error = { code: 'internal' as const, message: 'It failed.', retryable: false };
    return this.jobs.end(connection, this.id, { status: 'failed', event: 'error', data: error, error });
  }

  private giveBack(n: number, isForgotten: boolean): void {
    if (this.held[n]!.message) this.messages += 1;
    this.held[n] = isForgotten ? { message: false } : { ...this.held[n], message: false };
  }
}

type Move = { rule: Rule; n: number };

/** One of the steps that are possible where it is taken. */
class Step implements fc.AsyncCommand<State, Real> {
  constructor(
    private readonly moves: Move[],
    private readonly pick: number,
  ) {}

  check(model: Readonly<State>): boolean {
    return this.possible(model).length > 0;
  }

  async run(model: State, real: Real): Promise<void> {
    const possible = this.possible(model);
    const { rule, n } = possible[this.pick % possible.length]!;
    real.trail.push(rule.of === 'workers' ? `${rule.name} (${n})` : rule.name);
    rule.do(model, n);
    await real.steps[rule.name]?.(n);
    const [job] = model.jobs;
    if (job === undefined || job.status === 'none') return;
    const { status, attempt, lease, outbox, effects, messages } = job;
    const due = { status: STATUS[status], attempt, lease, outbox: outbox === 'none' ? [] : [outbox], effects, messages };
    const seen = await real.seen();
    if (!isDeepStrictEqual(seen, due))
      throw new Error(`after ${real.trail.join(', ')}: ${JSON.stringify(seen)} where ${JSON.stringify(due)} belongs`);
  }

  toString(): string {
    return String(this.pick);
  }

  private possible(model: Readonly<State>): Move[] {
    return this.moves.filter(({ rule, n }) => rule.may(model, n));
  }
}

describeDatabases('jobs, outbox and leases beside their model', (kind) => {
  let database: TestDatabase;
  const owner = { workspaceId: v7(), ownerId: v7() };
  beforeAll(async () => {
    database = await openDatabase(kind);
    const { client } = database;
    await client.query(sql`CREATE TABLE effects (job_id uuid, step int)`);
    await client.query(sql`INSERT INTO users (id, email, password_hash) VALUES (${owner.ownerId}, 'a@example.org', 'x')`);
    await client.query(sql`INSERT INTO workspaces (id, name, owner_id) VALUES (${owner.workspaceId}, 'w', ${owner.ownerId})`);
  });
  afterAll(() => database.close());

  it('do what it says, whatever comes in whatever order', async () => {
    const { initial, transitions } = (await import(join(__dirname, '..', 'faults', 'model', 'jobs-model.mjs'))) as Model;
    const size = { jobs: 1, workers: 2, crashes: 3, duplicates: 2 };
    const rules = transitions().filter(({ job = 0 }) => job === 0);
    const targets = ({ of }: Rule): number[] => (of === 'workers' ? [0, 1] : [0]);
    const moves = rules.flatMap((rule) => targets(rule).map((n) => ({ rule, n })));
    const step = fc.nat(999).map((pick) => new Step(moves, pick));
    const walked = new Map<string, number>();
    for (const rule of rules) {
      const { do: act } = rule;
      rule.do = (state, n) => {
        walked.set(rule.name, (walked.get(rule.name) ?? 0) + 1);
        return act(state, n);
      };
    }
    await fc.assert(
      fc.asyncProperty(fc.commands([step], { maxCommands: STEPS, size: 'max' }), async (commands) => {
        await database.client.query(sql`DELETE FROM jobs`);
        await fc.asyncModelRun(() => ({ model: initial(size), real: new Real(database, owner) }), commands);
      }),
      { numRuns: RUNS },
    );
    // No transition was left out.
    expect([...walked.keys()].sort()).toEqual(rules.map(({ name }) => name).sort());
  }, 180_000);
});
