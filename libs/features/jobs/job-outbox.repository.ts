import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, sql, type Sql } from '@backing/postgres';
import { laneName, type JobLane } from '@kernel/jobs';

export interface OutboxRow extends JobLane {
  id: string;
  jobId: string;
  /** Milliseconds until the message is to arrive; 0: at once. */
  delayMs: number;
  /** How often it could not be published. */
  tries: number;
}

/** A row that could not be published, and when it is tried again. */
export interface UnsentRow {
  id: string;
  delayMs: number;
  reason: string;
}

/**
 * The transaction does not wait for the disk: what a crash of the database undoes of it is done once more, and a message that comes twice finds
 * nothing to run.
 */
const LAZILY = sql`lazily AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS setting)`;
const IS_LAZY = sql`EXISTS (SELECT FROM lazily WHERE setting = 'off')`;

/** Messages that are committed with their job and wait to be published. */
@Injectable()
export class JobOutboxRepository {
  constructor(private readonly client: PostgresClient) {}

  /**
   * Takes due rows for `leaseMs`: a relay that dies in between leaves them to the next one. No transaction stays open while publishing. `lanes` are those that
   * may be taken; without it all. It costs by the rows that are taken: their order is that of an index, and an array is looked up where a join would read all that waits.
   */
  async claim(limit: number, leaseMs: number, lanes?: readonly JobLane[]): Promise<OutboxRow[]> {
    const only = lanes === undefined ? empty : sql` AND ${within(lanes)}`;
    return this.client.query<OutboxRow>(
      sql`WITH ${LAZILY}, due AS MATERIALIZED (
            SELECT id FROM outbox WHERE available_at <= now()${only} ORDER BY available_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
          )
          UPDATE outbox SET available_at = now() + ${leaseMs} * interval '1 millisecond'
          WHERE outbox.id = ANY(ARRAY(SELECT id FROM due)) AND ${IS_LAZY}
          RETURNING outbox.id, job_id AS "jobId", kind, contract_version AS version, tries,
            greatest(0, coalesce(extract(epoch FROM due_at - now()) * 1000, 0))::float8 AS "delayMs"`,
      { name: lanes === undefined ? 'outbox.claim' : 'outbox.claim-own' },
    );
  }

  async delete(ids: string[]): Promise<void> {
    if (ids.length === 0) return;
    await this.client.query(sql`WITH ${LAZILY} DELETE FROM outbox WHERE id = ANY(${ids}::uuid[]) AND ${IS_LAZY}`, {
      name: 'outbox.delete',
    });
  }

  /** Rows that are to be tried again, each with the reason why it was not published. */
  async release(rows: UnsentRow[]): Promise<void> {
    if (rows.length === 0) return;
    await this.client.query(
      sql`UPDATE outbox SET available_at = now() + unsent.delay * interval '1 millisecond', tries = tries + 1, reason = unsent.reason
          FROM unnest(${rows.map(({ id }) => id)}::uuid[], ${rows.map(({ delayMs }) => Math.round(delayMs))}::int[],
            ${rows.map(({ reason }) => reason)}::text[]) AS unsent (id, delay, reason)
          WHERE outbox.id = unsent.id`,
    );
  }

  /** The lanes of queued jobs whose row was published longer than `olderMs` ago without anybody having come. */
  async overdueLanes(olderMs: number): Promise<JobLane[]> {
    return this.client.query<JobLane>(sql`SELECT DISTINCT kind, contract_version AS version FROM jobs WHERE ${overdue(olderMs)}`);
  }

  /** Gives up to `limit` queued jobs of these lanes another row when theirs was published but nobody came for `olderMs`. */
  async redispatch(olderMs: number, limit: number, lanes: readonly JobLane[]): Promise<number> {
    const rows = await this.client.query<{ id: string }>(
      sql`WITH lost AS (
            SELECT id FROM jobs WHERE ${overdue(olderMs)} AND ${within(lanes)}
            ORDER BY dispatched_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
          ), marked AS (
            UPDATE jobs SET dispatched_at = now() FROM lost WHERE jobs.id = lost.id RETURNING jobs.id, jobs.kind, jobs.contract_version
          )
          INSERT INTO outbox (id, job_id, kind, contract_version) SELECT gen_random_uuid(), id, kind, contract_version FROM marked RETURNING id`,
    );
    return rows.length;
  }

  /** Another row for a job whose message was given up, unless it has one or waits no more. */
  async renew(jobId: string): Promise<boolean> {
    const rows = await this.client.query<{ id: string }>(
      sql`INSERT INTO outbox (id, job_id, kind, contract_version, due_at)
          SELECT gen_random_uuid(), id, kind, contract_version, retry_at FROM jobs
          WHERE id = ${jobId}::uuid AND status = 'queued' AND NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = jobs.id) RETURNING id`,
    );
    return rows.length > 0;
  }

  /** At boot: rows that a dead relay had taken are due at once. With other relays alive a message may double, which finds nothing to run. */
  async releaseAll(): Promise<void> {
    await this.client.query(
      sql`UPDATE outbox SET available_at = now() FROM jobs
          WHERE jobs.id = outbox.job_id AND outbox.available_at > now() AND (jobs.retry_at IS NULL OR jobs.retry_at <= now())`,
    );
  }
}

/** A job with a backoff is not expected before it is over. */
const overdue = (olderMs: number): Sql =>
  sql`status = 'queued' AND greatest(dispatched_at, retry_at) <= now() - ${olderMs} * interval '1 millisecond'
      AND NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = jobs.id)`;

const within = (lanes: readonly JobLane[]): Sql => sql`kind || '@' || contract_version = ANY(${lanes.map(laneName)}::text[])`;
