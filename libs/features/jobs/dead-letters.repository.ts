import { Injectable } from '@nestjs/common';
import { PostgresClient, empty, pageConditions, pageOf, pageOrder, raw, sql } from '@backing/postgres';
import type { Page, PageQuery } from '@kernel/paging';
import { JOB_COLUMNS, type StoredJob } from './job.entity';

/** How long a redrive that died in between keeps others from its dead letter. */
const REDRIVE_SECONDS = 60;

/** A dead letter whose work has been taken up again, by whomever, is one no longer. */
const IS_DEAD = raw('jobs.dead_at IS NOT NULL AND NOT EXISTS (SELECT FROM jobs AS again WHERE again.retry_of = jobs.id)');

/** Questions about failed jobs that wait for somebody to look at them. */
@Injectable()
export class DeadLettersRepository {
  constructor(private readonly client: PostgresClient) {}

  async page(kind: string | undefined, page: PageQuery): Promise<Page<StoredJob>> {
    const ofKind = kind === undefined ? empty : sql` AND kind = ${kind}`;
    const rows = await this.client.query<StoredJob>(
      sql`SELECT ${JOB_COLUMNS} FROM jobs WHERE ${IS_DEAD}${ofKind}${pageConditions(page)}${pageOrder(page)}`,
    );
    return pageOf(rows, page);
  }

  /** Takes a dead letter to redrive it. Undefined: it is none (any more), or somebody else has it at this moment. */
  async take(id: string): Promise<StoredJob | undefined> {
    const rows = await this.client.query<StoredJob>(
      sql`UPDATE jobs SET redriven_at = now() WHERE id = ${id}::uuid AND ${IS_DEAD}
            AND (redriven_at IS NULL OR redriven_at < now() - ${REDRIVE_SECONDS} * interval '1 second') RETURNING ${JOB_COLUMNS}`,
    );
    return rows[0];
  }

  /** It could not be redriven, and may be at once. */
  async putBack(id: string): Promise<void> {
    await this.client.query(sql`UPDATE jobs SET redriven_at = NULL WHERE id = ${id}::uuid`);
  }
}
