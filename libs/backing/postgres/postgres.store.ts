import { Injectable } from '@nestjs/common';
import { VectorStore, type EmbeddingSpace, type Metric, type StoredVector, type VectorHit } from '@kernel/vectors';
import sql, { join, raw } from 'sql-template-tag';
import { PostgresClient } from './postgres.client';

/** pgvector's operator for each metric, and its distance as the contract's score (higher is better). */
const OPERATOR: Record<Metric, string> = { cosine: '<=>', dot: '<#>', l2: '<->' };
const SCORE: Record<Metric, (distance: string) => string> = {
  cosine: (distance) => `1 - ${distance}`,
  dot: (distance) => `-${distance}`,
  l2: (distance) => `-${distance}`,
};

/** Vectors in PostgreSQL (pgvector): one table for each embedding space, exact scan. */
@Injectable()
export class PgvectorStore extends VectorStore {
  readonly name = 'pgvector';

  constructor(private readonly postgres: PostgresClient) {
    super();
  }

  async ensureSpace(space: EmbeddingSpace): Promise<void> {
    const table = tableOf(space);
    await this.postgres.transaction(async (connection) => {
      // Two makers of one table: without the lock PostgreSQL fails the second on its catalogue although it said IF NOT EXISTS.
      await connection.query(sql`SELECT pg_advisory_xact_lock(hashtextextended(${space.physicalName}, 0))`);
      await connection.query(
        sql`CREATE TABLE IF NOT EXISTS ${table} (physical_id uuid PRIMARY KEY, collection_id uuid NOT NULL, embedding vector(${raw(String(space.dimensions))}) NOT NULL)`,
      );
      await connection.query(sql`CREATE INDEX IF NOT EXISTS ${raw(`${space.physicalName}_collection`)} ON ${table} (collection_id)`);
    });
  }

  async upsert(space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    if (vectors.length === 0) return;
    const rows = vectors.map((v) => sql`(${v.physicalId}::uuid, ${v.collectionId}::uuid, ${literal(v.vector)}::vector)`);
    await this.postgres.query(
      sql`INSERT INTO ${tableOf(space)} (physical_id, collection_id, embedding) VALUES ${join(rows)}
          ON CONFLICT (physical_id) DO UPDATE SET collection_id = excluded.collection_id, embedding = excluded.embedding`,
    );
  }

  async delete(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    if (physicalIds.length === 0) return;
    await this.postgres.query(sql`DELETE FROM ${tableOf(space)} WHERE physical_id = ANY(${physicalIds}::uuid[])`);
  }

  async search(space: EmbeddingSpace, collectionIds: string[], vector: Float32Array, limit: number): Promise<VectorHit[]> {
    const distance = sql`embedding ${raw(OPERATOR[space.metric])} ${literal(vector)}::vector`;
    const rows = await this.postgres.query<{ physical_id: string; score: number }>(
      sql`SELECT physical_id, ${raw(SCORE[space.metric]('distance'))} AS score FROM (
            SELECT physical_id, ${distance} AS distance FROM ${tableOf(space)} WHERE collection_id = ANY(${collectionIds}::uuid[])
            ORDER BY distance LIMIT ${limit}) AS nearest
          ORDER BY distance`,
    );
    return rows.map((row) => ({ physicalId: row.physical_id, score: row.score }));
  }

  async count(space: EmbeddingSpace, collectionId: string): Promise<number> {
    const rows = await this.postgres.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM ${tableOf(space)} WHERE collection_id = ${collectionId}`,
    );
    return rows[0]?.count ?? 0;
  }
}

function tableOf(space: EmbeddingSpace) {
  if (!/^[a-z0-9_]{1,50}$/.test(space.physicalName)) throw new Error('A physical name has a character that the server never makes.');
  return raw(space.physicalName);
}

function literal(vector: Float32Array): string {
  return `[${vector.join(',')}]`;
}
