import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { Acceptance } from '@features/jobs';
import type { Metadata } from '../metadata';
import type { CheckedPoint } from '../points/point';
import { vectorBytes, vectorOf } from '../vector-bytes';

/** A point as a batch keeps it; its vector is base64 of little-endian float32. */
interface KeptPoint {
  id: string;
  vector: string | null;
  text: string | null;
  metadata: Metadata;
}

/** Batches of points that wait for a job. */
@Injectable()
export class PointBatchesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** The batch and its job in one statement. */
  async accept(id: string, collectionId: string, points: CheckedPoint[], job: Acceptance): Promise<void> {
    const kept = points.map(
      (point): KeptPoint => ({ ...point, vector: point.vector === null ? null : vectorBytes(point.vector).toString('base64') }),
    );
    await this.postgres.query(sql`
      WITH batch AS (INSERT INTO point_batches (id, collection_id, points) VALUES (${id}::uuid, ${collectionId}::uuid, ${JSON.stringify(kept)}::jsonb)),
      ${job.ctes} SELECT id FROM job`);
  }

  /** Another job for a batch that is still there; answers whether it is. */
  async acceptAgain(id: string, job: Acceptance): Promise<boolean> {
    return this.postgres.transaction(async (connection) => {
      const rows = await connection.query(sql`SELECT id FROM point_batches WHERE id = ${id} FOR SHARE`);
      if (rows.length > 0) await connection.query(sql`WITH ${job.ctes} SELECT id FROM job`);
      return rows.length > 0;
    });
  }

  /** Undefined when the batch went with its collection. */
  async read(id: string): Promise<CheckedPoint[] | undefined> {
    const rows = await this.postgres.query<{ points: KeptPoint[] }>(sql`SELECT points FROM point_batches WHERE id = ${id}`);
    return rows[0]?.points.map((point) => ({
      ...point,
      vector: point.vector === null ? null : vectorOf(Buffer.from(point.vector, 'base64')),
    }));
  }

  async remove(connection: Queryable, id: string): Promise<void> {
    await connection.query(sql`DELETE FROM point_batches WHERE id = ${id}`);
  }

  /** Batches of jobs that are forgotten. */
  async removeOrphans(): Promise<void> {
    await this.postgres.query(
      sql`DELETE FROM point_batches b WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'points.embed' AND j.payload ->> 'batch_id' = b.id::text)`,
    );
  }
}
