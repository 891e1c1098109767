import type { JobProgress } from './job.entity';
import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { JobEventName, JobStatus } from '@kernel/jobs';

/** One line of a job's log. */
export interface JobEvent {
  seq: number;
  event: JobEventName;
  data: object;
}

/** What a reader finds: the job's state and the events after its position. */
export interface LogPage {
  status: JobStatus;
  epoch: number;
  kind: string;
  lastSeq: number;
  /** It is running, and waits for a model. */
  waits: boolean;
  /** The first event that retention left. */
  firstSeq: number | null;
  events: JobEvent[];
}

type Fence = { id: string; epoch: number };
type PageRow = Omit<LogPage, 'events'> & { seq: number | null; event: JobEventName; data: object };

/** The durable log of a job: events are appended by one fenced statement and read in pages. */
@Injectable()
export class JobLogRepository {
  constructor(private readonly client: PostgresClient) {}

  /** The event's seq; undefined when the epoch is stale or the job has ended: nothing was written then. */
  async append(fence: Fence, event: JobEventName, data: object, progress?: JobProgress): Promise<number | undefined> {
    const stored = progress === undefined ? null : JSON.stringify(progress);
    const rows = await this.client.query<{ seq: number }>(
      sql`WITH held AS (
            UPDATE jobs SET last_seq = last_seq + 1, progress = coalesce(${stored}::jsonb, progress)
            WHERE id = ${fence.id}::uuid AND epoch = ${fence.epoch} AND status IN ('running', 'waiting') RETURNING id, last_seq
          )
          INSERT INTO job_events (job_id, seq, event, data) SELECT id, last_seq, ${event}, ${JSON.stringify(data)}::jsonb FROM held RETURNING seq`,
      { name: 'jobs.append' },
    );
    return rows[0]?.seq;
  }

  /** Appends `queued` to a job that still waits, unless it would say the same or the last one is younger than `leastMs`. */
  async appendQueued(id: string, data: object, leastMs: number): Promise<boolean> {
    const json = JSON.stringify(data);
    const rows = await this.client.query<{ seq: number }>(
      sql`WITH held AS (
            UPDATE jobs SET last_seq = last_seq + 1
            WHERE id = ${id}::uuid AND (status = 'queued' OR (status = 'running' AND (queue_place ->> 'epoch')::int = epoch)) AND NOT EXISTS (
              SELECT FROM job_events e WHERE e.job_id = jobs.id AND e.seq = jobs.last_seq AND e.event = 'queued'
                AND (e.data = ${json}::jsonb OR e.created_at > now() - ${leastMs} * interval '1 millisecond'))
            RETURNING id, last_seq
          )
          INSERT INTO job_events (job_id, seq, event, data) SELECT id, last_seq, 'queued', ${json}::jsonb FROM held RETURNING seq`,
    );
    return rows.length > 0;
  }

  /** Undefined: the job does not exist (any more). */
  async page(id: string, after: number, limit: number): Promise<LogPage | undefined> {
    const rows = await this.client.query<PageRow>(
      sql`SELECT jobs.status, jobs.epoch, jobs.kind, jobs.last_seq AS "lastSeq",
            jobs.status = 'running' AND coalesce((jobs.queue_place ->> 'epoch')::int = jobs.epoch, false) AS waits,
            (SELECT min(seq) FROM job_events WHERE job_id = jobs.id) AS "firstSeq", e.seq, e.event, e.data
          FROM jobs LEFT JOIN LATERAL (
            SELECT seq, event, data FROM job_events WHERE job_id = jobs.id AND seq > ${after} ORDER BY seq LIMIT ${limit}
          ) AS e ON true
          WHERE jobs.id = ${id}::uuid ORDER BY e.seq`,
      { name: 'jobs.page' },
    );
    const first = rows[0];
    if (first === undefined) return undefined;
    const events = rows.flatMap(({ seq, event, data }) => (seq === null ? [] : [{ seq, event, data }]));
    const { status, epoch, kind, lastSeq, firstSeq, waits } = first;
    return { status, epoch, kind, lastSeq, firstSeq, waits, events };
  }

  async textSinceReset(connection: Queryable, id: string, event: 'delta' | 'reasoning' = 'delta'): Promise<string> {
    const rows = await connection.query<{ text: string | null }>(
      sql`SELECT string_agg(data->>'text', '' ORDER BY seq) AS text FROM job_events
          WHERE job_id = ${id}::uuid AND event = ${event}
            AND seq > (SELECT coalesce(max(seq), 0) FROM job_events WHERE job_id = ${id}::uuid AND event = 'reset')`,
    );
    return rows[0]?.text ?? '';
  }

  /** Deletes at most `limit` events of jobs that ended longer ago; answers how many. */
  async purgeEvents(days: number, limit: number): Promise<number> {
    const rows = await this.client.query<{ seq: number }>(
      sql`DELETE FROM job_events WHERE (job_id, seq) IN (
            SELECT e.job_id, e.seq FROM jobs JOIN job_events e ON e.job_id = jobs.id
            WHERE jobs.finished_at < now() - ${days} * interval '1 day' LIMIT ${limit}) RETURNING seq`,
    );
    return rows.length;
  }

  async purgeJobs(days: number, limit: number): Promise<number> {
    const rows = await this.client.query<{ id: string }>(
      sql`DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE finished_at < now() - ${days} * interval '1 day' LIMIT ${limit}) RETURNING id`,
    );
    return rows.length;
  }
}
