import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, sql, type Sql } from '@backing/postgres';

export interface OutboxRow {
  id: string;
  jobId: string;
  kind: string;
}

/** Messages that are committed with their job and wait to be published. */
@Injectable()
export class JobOutboxRepository {
  constructor(private readonly client: PostgresClient) {}

  /** Takes due rows for `leaseMs`: a relay that dies in between leaves them to the next one. No transaction stays open while publishing. */
  async claim(limit: number, leaseMs: number): Promise<OutboxRow[]> {
    return this.client.query<OutboxRow>(
      sql`UPDATE outbox SET available_at = now() + ${leaseMs} * interval '1 millisecond'
          WHERE id IN (SELECT id FROM outbox WHERE available_at <= now() ORDER BY available_at, id LIMIT ${limit} FOR UPDATE SKIP LOCKED)
          RETURNING id, job_id AS "jobId", kind`,
    );
  }

  async delete(ids: string[]): Promise<void> {
    if (ids.length > 0) await this.client.query(sql`DELETE FROM outbox WHERE id = ANY(${ids}::uuid[])`);
  }

  async release(ids: string[], delayMs: number): Promise<void> {
    if (ids.length === 0) return;
    await this.client.query(
      sql`UPDATE outbox SET available_at = now() + ${delayMs} * interval '1 millisecond' WHERE id = ANY(${ids}::uuid[])`,
    );
  }

  /** The kinds of queued jobs whose row was published longer than `olderMs` ago without anybody having come. */
  async overdueKinds(olderMs: number): Promise<string[]> {
    const rows = await this.client.query<{ kind: string }>(sql`SELECT DISTINCT kind FROM jobs WHERE ${overdue(olderMs)}`);
    return rows.map((row) => row.kind);
  }

  /** Gives up to `limit` queued jobs (of that kind, when one is named) another row when theirs was published but nobody came for `olderMs`. */
  async redispatch(olderMs: number, limit: number, kind?: string): Promise<number> {
    const ofKind = kind === undefined ? empty : sql` AND kind = ${kind}`;
    const rows = await this.client.query<{ id: string }>(
      sql`WITH lost AS (
            SELECT id FROM jobs WHERE ${overdue(olderMs)}${ofKind}
            ORDER BY dispatched_at LIMIT ${limit} FOR UPDATE SKIP LOCKED
          ), marked AS (
            UPDATE jobs SET dispatched_at = now() FROM lost WHERE jobs.id = lost.id RETURNING jobs.id, jobs.kind
          )
          INSERT INTO outbox (id, job_id, kind) SELECT gen_random_uuid(), id, kind FROM marked RETURNING id`,
    );
    return rows.length;
  }

  /** At boot: rows that a dead relay had taken are due at once. With other relays alive a message may double, which the lease refuses. */
  async releaseAll(): Promise<void> {
    await this.client.query(
      sql`UPDATE outbox SET available_at = now() FROM jobs
          WHERE jobs.id = outbox.job_id AND outbox.available_at > now() AND (jobs.retry_at IS NULL OR jobs.retry_at <= now())`,
    );
  }
}

const overdue = (olderMs: number): Sql =>
  sql`status = 'queued' AND (retry_at IS NULL OR retry_at <= now()) AND dispatched_at <= now() - ${olderMs} * interval '1 millisecond'
      AND NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = jobs.id)`;
