import { Injectable } from '@nestjs/common';
import {
  VectorStore,
  type EmbeddingSpace,
  type Metric,
  type StoreCapabilities,
  type StoredVector,
  type VectorHit,
  type VectorScope,
} from '@kernel/vectors';
import sql, { raw, type Sql } from 'sql-template-tag';
import { vectorArray, vectorValue } from './binary-array';
import { filterCondition } from './filter.clause';
import { pointMetadata, visiblePoint } from './point.clause';
import { PostgresClient } from './postgres.client';
import type { Queryable } from './queryable';

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
  readonly capabilities: StoreCapabilities = { metrics: ['cosine', 'dot', 'l2'], maxDimensions: 2_000, exact: true, filters: true };
  private vectorOid?: number;

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

  upsert(space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    return this.write(this.postgres, space, vectors);
  }

  /** As `upsert`, within the caller's transaction: here ledger and store are one database. */
  async write(connection: Queryable, space: EmbeddingSpace, vectors: StoredVector[]): Promise<void> {
    if (vectors.length === 0) return;
    const embeddings = vectorArray(
      await this.vectorType(connection),
      vectors.map(({ vector }) => vector),
    );
    await connection.query(
      sql`INSERT INTO ${tableOf(space)} (physical_id, collection_id, embedding)
          SELECT * FROM unnest(${vectors.map((v) => v.physicalId)}::uuid[], ${vectors.map((v) => v.collectionId)}::uuid[], ${embeddings}::vector[])
            AS written (physical_id, collection_id, embedding) ORDER BY physical_id
          ON CONFLICT (physical_id) DO UPDATE SET collection_id = excluded.collection_id, embedding = excluded.embedding`,
    );
  }

  delete(space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    return this.erase(this.postgres, space, physicalIds);
  }

  /** As `delete`, within the caller's transaction. */
  async erase(connection: Queryable, space: EmbeddingSpace, physicalIds: string[]): Promise<void> {
    if (physicalIds.length === 0) return;
    await connection.query(sql`DELETE FROM ${tableOf(space)} WHERE physical_id = ANY(${physicalIds}::uuid[])`);
  }

  async search(
    space: EmbeddingSpace,
    collectionIds: string[],
    vector: Float32Array,
    limit: number,
    scope: VectorScope = {},
  ): Promise<VectorHit[]> {
    const distance = sql`v.embedding ${raw(OPERATOR[space.metric])} ${vectorValue(vector)}::vector`;
    const rows = await this.postgres.query<{ physical_id: string; score: number }>(
      sql`SELECT physical_id, ${raw(SCORE[space.metric]('distance'))} AS score FROM (
            SELECT v.physical_id, ${distance} AS distance FROM ${tableOf(space)} v ${joined(scope)}
              AND v.collection_id = ANY(${collectionIds}::uuid[])
            ORDER BY distance${scope.filter === undefined ? sql`` : sql`, p.id COLLATE "C"`} LIMIT ${limit}) AS nearest
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

  /** The oid of the extension's type, which every database numbers for itself. */
  private async vectorType(connection: Queryable): Promise<number> {
    if (this.vectorOid === undefined) {
      const rows = await connection.query<{ oid: number }>(sql`SELECT 'vector'::regtype::oid::int AS oid`);
      this.vectorOid = rows[0]?.oid;
    }
    if (this.vectorOid === undefined) throw new Error('The database does not know the type vector.');
    return this.vectorOid;
  }
}

function tableOf(space: EmbeddingSpace) {
  if (!/^[a-z0-9_]{1,50}$/.test(space.physicalName)) throw new Error('A physical name has a character that the server never makes.');
  return raw(space.physicalName);
}

/** With a filter the ledger decides in the same statement what is visible and fits. */
function joined({ filter }: VectorScope): Sql {
  if (filter === undefined) return sql`WHERE true`;
  return sql`JOIN points p ON p.physical_id = v.physical_id LEFT JOIN documents d ON d.id = p.document_id
    WHERE ${visiblePoint()} AND ${filterCondition(filter, pointMetadata())}`;
}
