import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { Acceptance } from '@features/jobs';
import type { PullTarget } from './pull-target';

/** What has come. */
export interface PulledModel {
  model: string;
  digest: string | null;
  bytes: number | null;
}

/** Rows of pulls: what was pulled under which licence, and who accepted it. */
@Injectable()
export class PullsRepository {
  constructor(private readonly client: PostgresClient) {}

  /** Accepts the job, unless one for this model is open: then its id. */
  async accept(target: PullTarget, userId: string, job: Acceptance): Promise<string | undefined> {
    return this.client.transaction(async (connection) => {
      const { model, runtime, name, license } = target;
      await connection.query(
        sql`INSERT INTO model_pulls (model, runtime, name, job_id, license, license_accepted_by)
            VALUES (${model}, ${runtime}, ${name}, ${job.jobId}, ${license}, ${userId}) ON CONFLICT (model) DO NOTHING`,
      );
      const [row] = await connection.query<{ open: string | null }>(
        sql`SELECT (SELECT j.id FROM jobs j WHERE j.id = p.job_id AND j.status IN ('queued', 'running', 'waiting')) AS open
            FROM model_pulls p WHERE p.model = ${model} FOR UPDATE OF p`,
      );
      if (row?.open) return row.open;
      await connection.query(sql`WITH ${job.ctes}
        UPDATE model_pulls SET runtime = ${runtime}, name = ${name}, job_id = ${job.jobId}, license = ${license}, license_accepted_by = ${userId},
          license_accepted_at = now(), finished_at = NULL WHERE model = ${model}`);
      return undefined;
    });
  }

  async finish(connection: Queryable, jobId: string, { digest, bytes }: PulledModel): Promise<void> {
    await connection.query(
      sql`UPDATE model_pulls SET finished_at = now(), digest = ${digest}, bytes = ${bytes}::bigint WHERE job_id = ${jobId}`,
    );
  }

  /** The open job of a model. */
  async open(model: string): Promise<string | undefined> {
    const [row] = await this.client.query<{ id: string }>(
      sql`SELECT j.id FROM model_pulls p JOIN jobs j ON j.id = p.job_id WHERE p.model = ${model} AND j.status IN ('queued', 'running', 'waiting')`,
    );
    return row?.id;
  }

  /** Whether a collection's vectors are of this model. */
  async isUsed(model: string): Promise<boolean> {
    const rows = await this.client.query(
      sql`SELECT 1 FROM collections c JOIN spaces s ON s.id = c.space_id WHERE s.model = ${model} LIMIT 1`,
    );
    return rows.length > 0;
  }

  /** The record goes with the model. */
  async remove(model: string): Promise<void> {
    await this.client.query(sql`DELETE FROM model_pulls WHERE model = ${model}`);
  }
}
