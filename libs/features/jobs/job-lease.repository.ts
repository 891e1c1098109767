import { Inject, Injectable } from '@nestjs/common';
import { v7 } from 'uuid';
import { PostgresClient, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import { JobTransport, type JobLane } from '@kernel/jobs';
import { nextInLane } from './job-queue.repository';
import { JobTiming } from './job-timing.entity';
import { JOB_COLUMNS, type StoredJob } from './job.entity';

/** DI token of the name that this process's leases carry: stable for one data directory, which one process locks exclusively. */
export const LEASE_HOLDER = Symbol('lease holder');

export type Fence = Pick<StoredJob, 'id' | 'epoch'>;

/** What a claim must know of the row that it takes. */
const DUE = raw(
  `jobs.id, jobs.started_at IS NOT NULL AS again,
   CASE WHEN jobs.status = 'running' THEN 'The worker stopped.' ELSE coalesce(jobs.reset_reason, 'The job starts again.') END AS reason`,
);

/** Who works on a job, by the database's clock. Every change raises or checks the epoch, so that nobody writes after losing a job. */
@Injectable()
export class JobLeaseRepository {
  constructor(
    private readonly client: PostgresClient,
    private readonly timing: JobTiming,
    private readonly transport: JobTransport,
    @Inject(LEASE_HOLDER) private readonly holder: string,
  ) {}

  /** Takes the job of the lane whose turn it is. Undefined: none is due that nobody else holds. */
  async claimNext(lane: JobLane): Promise<StoredJob | undefined> {
    const rows = await this.client.query<StoredJob>(sql`WITH RECURSIVE ${nextInLane(lane, DUE)}, ${this.begun()}`, {
      name: 'jobs.claim-next',
    });
    return rows[0];
  }

  /**
   * Takes this job when it waits (its backoff is over) or its worker's lease has run out; `known` are contracts as `kind@version`.
   * Undefined: somebody else has it, or it is not due.
   */
  async claim(id: string, known: string[]): Promise<StoredJob | undefined> {
    const rows = await this.client.query<StoredJob>(
      sql`WITH due AS (
            SELECT ${DUE} FROM jobs
            WHERE id = ${id}::uuid AND attempt < max_attempts AND kind || '@' || contract_version = ANY(${known}::text[])
              AND ((status = 'queued' AND (retry_at IS NULL OR retry_at <= now())) OR (status = 'running' AND lease_until < now()))
            FOR UPDATE
          ), ${this.begun()}`,
      { name: 'jobs.claim' },
    );
    return rows[0];
  }

  /** False: the lease is lost. */
  async extend(fence: Fence): Promise<boolean> {
    const rows = await this.client.query<{ id: string }>(
      sql`UPDATE jobs SET lease_until = now() + ${this.timing.leaseMs} * interval '1 millisecond'
          WHERE id = ${fence.id}::uuid AND epoch = ${fence.epoch} AND status IN ('running', 'waiting') RETURNING id`,
      { name: 'jobs.extend', repeatable: true },
    );
    return rows.length > 0;
  }

  /** The job when this epoch still holds it, locked until the transaction ends. */
  async lock(connection: Queryable, fence: Fence): Promise<StoredJob | undefined> {
    const rows = await connection.query<StoredJob>(
      sql`SELECT ${JOB_COLUMNS} FROM jobs
          WHERE id = ${fence.id}::uuid AND epoch = ${fence.epoch} AND status IN ('running', 'waiting') FOR UPDATE`,
    );
    return rows[0];
  }

  async saveCheckpoint(connection: Queryable, id: string, checkpoint: unknown): Promise<void> {
    await connection.query(sql`UPDATE jobs SET checkpoint = ${JSON.stringify(checkpoint)}::jsonb WHERE id = ${id}::uuid`);
  }

  /** Puts a job back into the queue, due after `delayMs`, which its message or its row in the outbox waits for; with `giveBack` the attempt does not count. False: the lease was lost before. */
  async requeue(fence: Fence, reason: string, delayMs: number, giveBack: boolean): Promise<boolean> {
    const rows = await this.client.query<{ id: string }>(
      sql`WITH released AS (
            UPDATE jobs SET status = 'queued', epoch = epoch + 1, attempt = attempt - ${giveBack ? 1 : 0}, lease_holder = NULL, lease_until = NULL,
              retry_at = CASE WHEN ${delayMs}::int > 0 THEN now() + ${delayMs}::int * interval '1 millisecond' END,
              reset_reason = ${reason}, dispatched_at = now()
            WHERE id = ${fence.id}::uuid AND epoch = ${fence.epoch} AND status IN ('running', 'waiting')
            RETURNING id, kind, contract_version, retry_at
          )
          INSERT INTO outbox (id, job_id, kind, contract_version, due_at, available_at)
          SELECT ${v7()}::uuid, id, kind, contract_version, retry_at, CASE WHEN ${this.transport.delays} THEN now() ELSE coalesce(retry_at, now()) END
          FROM released RETURNING id`,
    );
    return rows.length > 0;
  }

  /** At boot, before anything runs: leases in this process's name belong to a dead one and end now. Answers how many. */
  async expireOwn(): Promise<number> {
    const rows = await this.client.query<{ id: string }>(
      sql`UPDATE jobs SET lease_until = now() - interval '1 second' WHERE lease_holder = ${this.holder} AND status = 'running' RETURNING id`,
    );
    return rows.length;
  }

  /** Queues up to `limit` jobs again whose worker stopped and that have attempts left. */
  async requeueExpired(limit: number): Promise<number> {
    const rows = await this.client.query<{ id: string }>(
      sql`WITH expired AS (
            SELECT id FROM jobs WHERE status = 'running' AND lease_until < now() AND attempt < max_attempts
            ORDER BY lease_until LIMIT ${limit} FOR UPDATE SKIP LOCKED
          ), released AS (
            UPDATE jobs SET status = 'queued', epoch = epoch + 1, lease_holder = NULL, lease_until = NULL, reset_reason = 'The worker stopped.',
              dispatched_at = now()
            FROM expired WHERE jobs.id = expired.id RETURNING jobs.id, jobs.kind, jobs.contract_version
          )
          INSERT INTO outbox (id, job_id, kind, contract_version) SELECT gen_random_uuid(), id, kind, contract_version FROM released RETURNING id`,
    );
    return rows.length;
  }

  /**
   * Takes up to `limit` jobs, of contracts that are known here, whose worker stopped in the last attempt, to be ended as failed. The claim is a short lease without an attempt:
   * should the end fail as well, it is tried again when that lease has run out.
   */
  async claimExhausted(limit: number, known: string[]): Promise<StoredJob[]> {
    return this.client.query<StoredJob>(
      sql`WITH exhausted AS (
            SELECT id FROM jobs WHERE status = 'running' AND lease_until < now() AND attempt >= max_attempts
              AND kind || '@' || contract_version = ANY(${known}::text[])
            ORDER BY lease_until LIMIT ${limit} FOR UPDATE SKIP LOCKED
          ), claimed AS (
            UPDATE jobs SET epoch = epoch + 1, lease_holder = ${this.holder}, lease_until = now() + ${this.timing.leaseMs} * interval '1 millisecond'
            FROM exhausted WHERE jobs.id = exhausted.id RETURNING jobs.*
          )
          SELECT ${JOB_COLUMNS} FROM claimed AS jobs`,
    );
  }

  /** The job of the CTE `due` begins: one attempt and one epoch more, and in its log `started`, after a `reset` when it had been started before. */
  private begun(): Sql {
    return sql`claimed AS (
        UPDATE jobs SET status = 'running', epoch = epoch + 1, attempt = attempt + 1, lease_holder = ${this.holder},
          lease_until = now() + ${this.timing.leaseMs} * interval '1 millisecond', started_at = coalesce(started_at, now()), retry_at = NULL,
          reset_reason = NULL, last_seq = last_seq + CASE WHEN due.again THEN 2 ELSE 1 END
        FROM due WHERE jobs.id = due.id RETURNING jobs.*
      ), opened AS (
        INSERT INTO job_events (job_id, seq, event, data)
        SELECT c.id, c.last_seq - 1, 'reset', jsonb_build_object('attempt', c.attempt, 'reason', due.reason) FROM claimed c, due WHERE due.again
        UNION ALL SELECT c.id, c.last_seq, 'started', jsonb_build_object('attempt', c.attempt) FROM claimed c
      )
      SELECT ${JOB_COLUMNS} FROM claimed AS jobs`;
  }
}
