import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, pageConditions, pageOf, pageOrder, sql, type Queryable } from '@backing/postgres';
import type { Principal } from '@kernel/identity';
import { TERMINAL_STATUSES, type JobEventName, type JobStatus } from '@kernel/jobs';
import type { Page, PageQuery } from '@kernel/paging';
import { aheadInLane } from './job-queue.repository';
import { JOB_COLUMNS, type StoredJob, type JobFailure } from './job.entity';

export interface JobFilter {
  kind?: string;
  status?: JobStatus;
}

/** Where a queued job stands: 1 is next; seconds are null when nothing is known about its kind's speed. */
export interface QueuePosition {
  position: number;
  etaSeconds: number | null;
}

/** The last state of a job and the event that says so. */
export interface Ending {
  status: JobStatus;
  event: JobEventName;
  data: object;
  result?: object;
  error?: JobFailure;
  /** It failed, and not for a reason of its maker's. */
  dead?: boolean;
}

/** Questions about the table of jobs, and the change that ends one. */
@Injectable()
export class JobsRepository {
  constructor(private readonly client: PostgresClient) {}

  async find(id: string): Promise<StoredJob | undefined> {
    const rows = await this.client.query<StoredJob>(sql`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ${id}::uuid`);
    return rows[0];
  }

  /** The caller's own jobs and those that the workspace may see. */
  async findVisible(principal: Principal, id: string): Promise<StoredJob | undefined> {
    const rows = await this.client.query<StoredJob>(
      sql`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ${id}::uuid AND ${visibleTo(principal)}`,
    );
    return rows[0];
  }

  async list(principal: Principal, filter: JobFilter, page: PageQuery): Promise<Page<StoredJob>> {
    const kind = filter.kind === undefined ? empty : sql` AND kind = ${filter.kind}`;
    const status = filter.status === undefined ? empty : sql` AND status = ${filter.status}`;
    const rows = await this.client.query<StoredJob>(
      sql`SELECT ${JOB_COLUMNS} FROM jobs WHERE ${visibleTo(principal)}${kind}${status}${pageConditions(page)}${pageOrder(page)}`,
    );
    return pageOf(rows, page);
  }

  async openOfSubject(subjectId: string): Promise<string[]> {
    const rows = await this.client.query<{ id: string }>(
      sql`SELECT id FROM jobs WHERE subject_id = ${subjectId}::uuid AND status IN ('queued', 'running', 'waiting') ORDER BY id`,
    );
    return rows.map((row) => row.id);
  }

  async cancelledAmong(ids: string[]): Promise<string[]> {
    const rows = await this.client.query<{ id: string }>(sql`SELECT id FROM jobs WHERE id = ANY(${ids}::uuid[]) AND status = 'cancelled'`);
    return rows.map((row) => row.id);
  }

  /** How many jobs of a kind a person has in the queue and at work, in all workspaces. */
  async openOfOwner(ownerId: string, kind: string): Promise<number> {
    const rows = await this.client.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM jobs WHERE status IN ('queued', 'running') AND owner_id = ${ownerId}::uuid AND kind = ${kind}`,
    );
    return rows[0]?.count ?? 0;
  }

  async openOf(whose: { workspaceId: string } | { ownerId: string }): Promise<string[]> {
    const theirs = 'ownerId' in whose ? sql`owner_id = ${whose.ownerId}::uuid` : sql`workspace_id = ${whose.workspaceId}::uuid`;
    const rows = await this.client.query<{ id: string }>(
      sql`SELECT id FROM jobs WHERE ${theirs} AND status IN ('queued', 'running', 'waiting') ORDER BY id`,
    );
    return rows.map((row) => row.id);
  }

  /** Jobs that wait or run by kind: the whole instance, not one workspace. */
  async openCounts(): Promise<{ kind: string; status: JobStatus; count: number }[]> {
    return this.client.query(
      sql`SELECT kind, status, count(*)::int AS count FROM jobs WHERE status IN ('queued', 'running') GROUP BY kind, status`,
    );
  }

  /** An estimate from the turns of the workspaces, the jobs that run, and how long the last twenty of the kind took. */
  async queuePosition({ id, kind }: Pick<StoredJob, 'id' | 'kind'>): Promise<QueuePosition> {
    const rows = await this.client.query<{ version: number; running: number; seconds: number | null }>(
      sql`SELECT contract_version AS version,
            (SELECT count(*)::int FROM jobs WHERE kind = ${kind} AND status = 'running') AS running,
            (SELECT avg(seconds)::float8 FROM (
              SELECT extract(epoch FROM finished_at - started_at) AS seconds FROM jobs
              WHERE kind = ${kind} AND status = 'succeeded' AND finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 20) AS recent) AS seconds
          FROM jobs WHERE id = ${id}::uuid`,
    );
    const { version, running, seconds } = rows[0] ?? { version: 1, running: 0, seconds: null };
    const [place] = await this.client.query<{ ahead: number }>(aheadInLane({ kind, version }, id));
    const position = (place?.ahead ?? 0) + 1;
    return { position, etaSeconds: seconds === null ? null : Math.ceil((position * seconds) / Math.max(1, running)) };
  }

  async lock(connection: Queryable, id: string): Promise<StoredJob | undefined> {
    const rows = await connection.query<StoredJob>(sql`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ${id}::uuid FOR UPDATE`);
    return rows[0];
  }

  /**
   * Ends a job whose row this transaction has locked: the last status, its event, no message for one that waited: that of one at work
   * may be another's turn. Nobody's epoch fits afterwards.
   */
  async end(connection: Queryable, id: string, ending: Ending): Promise<StoredJob> {
    if (!TERMINAL_STATUSES.has(ending.status)) throw new Error(`${ending.status} does not end a job.`);
    const rows = await connection.query<StoredJob>(
      sql`WITH ended AS (
            UPDATE jobs SET status = ${ending.status}, epoch = epoch + 1, last_seq = last_seq + 1, lease_holder = NULL, lease_until = NULL,
              retry_at = NULL, finished_at = now(), dead_at = CASE WHEN ${ending.dead === true} THEN now() END, result = ${jsonOrNull(ending.result)}::jsonb, error = ${jsonOrNull(ending.error)}::jsonb,
              cancel_requested_at = CASE WHEN ${ending.status === 'cancelled'} THEN now() ELSE cancel_requested_at END
            WHERE id = ${id}::uuid AND status NOT IN ('succeeded', 'failed', 'cancelled') RETURNING *
          ), last AS (
            INSERT INTO job_events (job_id, seq, event, data) SELECT id, last_seq, ${ending.event}, ${JSON.stringify(ending.data)}::jsonb FROM ended
          ), unsent AS (DELETE FROM outbox WHERE job_id IN (SELECT id FROM jobs WHERE id = ${id}::uuid AND status = 'queued'))
          SELECT ${JOB_COLUMNS} FROM ended AS jobs`,
    );
    const job = rows[0];
    if (job === undefined) throw new Error('A job that has ended cannot end again.');
    return job;
  }
}

const visibleTo = (principal: Principal) =>
  sql`workspace_id = ${principal.workspaceId}::uuid AND (owner_id = ${principal.userId}::uuid OR visibility = 'workspace')`;

const jsonOrNull = (value: object | undefined): string | null => (value === undefined ? null : JSON.stringify(value));
