import { Injectable } from '@nestjs/common';
import { join, PostgresClient, sql, type Queryable, type Sql } from '@backing/postgres';
import type { EmbeddingSpace, Metric, StoredVector } from '@kernel/vectors';
import { vectorBytes, vectorHash, vectorOf } from './vector-bytes';

/** A chunk or overview of a document, ready for the ledger. */
export interface DocumentPoint {
  id: string;
  physicalId: string;
  kind: 'chunk' | 'overview';
  ordinal: number;
  page: number | null;
  start: number;
  end: number;
  heading: string | null;
  text: string;
  tokens: number;
  language: string | null;
  /** Literal of a tsvector. */
  lexemes: string;
  lexemeCount: number;
  vector: Float32Array;
}

/** The document that points belong to. */
export interface PointOwner {
  workspaceId: string;
  ownerId: string;
  collectionId: string;
  documentId: string;
  documentVersion: number;
}

export interface DeadPoint {
  physicalId: string;
  space: EmbeddingSpace;
}

interface DeadRow {
  physical_id: string;
  id: string;
  store: string;
  model: string | null;
  dimensions: number;
  metric: Metric;
  version: number;
  physical_name: string;
}

/** A chunk of no living document: its document is gone or failed, or shows and prepares other versions. */
const DEAD = sql`p.kind <> 'point' AND NOT EXISTS (SELECT 1 FROM documents d WHERE d.id = p.document_id AND
  (p.document_version = d.visible_version OR (p.document_version = d.version AND d.status IN ('pending', 'ingesting'))))`;

/** Rows of the ledger of points. */
@Injectable()
export class PointsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Rows that are there already stay: their ids say that they are the same. Answers those that are new. */
  async insert(connection: Queryable, space: EmbeddingSpace, owner: PointOwner, points: DocumentPoint[]): Promise<DocumentPoint[]> {
    if (points.length === 0) return [];
    const rows = points.map((point) => {
      const bytes = vectorBytes(point.vector);
      return sql`(${owner.collectionId}::uuid, ${point.id}, ${point.physicalId}::uuid, ${space.id}::uuid, ${owner.workspaceId}::uuid, ${owner.ownerId}::uuid,
        ${owner.documentId}::uuid, ${owner.documentVersion}::int, ${point.kind}, ${point.ordinal}::int, ${point.page}::int, ${point.start}::int, ${point.end}::int,
        ${point.heading}, ${point.text}, ${point.tokens}::int, ${point.language}, ${point.lexemes}::tsvector, ${point.lexemeCount}::int, ${bytes}::bytea, ${vectorHash(bytes)}::bytea)`;
    });
    const inserted = await connection.query<{ physical_id: string }>(
      sql`INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, document_id, document_version, kind, ordinal, page,
            start_offset, end_offset, heading, text, tokens, language, lexemes, lexeme_count, vector, vector_sha256)
          VALUES ${join(rows)} ON CONFLICT (collection_id, id) DO NOTHING RETURNING physical_id`,
    );
    const fresh = new Set(inserted.map((row) => row.physical_id));
    return points.filter((point) => fresh.has(point.physicalId));
  }

  /** Vectors as the ledger has them, for the store. */
  async vectors(physicalIds: string[]): Promise<StoredVector[]> {
    if (physicalIds.length === 0) return [];
    const rows = await this.postgres.query<{ physical_id: string; collection_id: string; vector: Buffer }>(
      sql`SELECT physical_id, collection_id, vector FROM points WHERE physical_id = ANY(${physicalIds}::uuid[])`,
    );
    return rows.map((row) => ({ physicalId: row.physical_id, collectionId: row.collection_id, vector: vectorOf(row.vector) }));
  }

  /** Chunks and the sum of their lexemes, as BM25 counts them. */
  async totals(connection: Queryable, documentId: string, version: number): Promise<{ chunks: number; lexemes: number }> {
    const rows = await connection.query<{ chunks: number; lexemes: number }>(
      sql`SELECT count(*)::int AS chunks, coalesce(sum(lexeme_count), 0)::int AS lexemes FROM points
          WHERE document_id = ${documentId} AND document_version = ${version} AND kind = 'chunk'`,
    );
    return rows[0] ?? { chunks: 0, lexemes: 0 };
  }

  deleteVersion(connection: Queryable, documentId: string, version: number): Promise<DeadPoint[]> {
    return this.delete(connection, sql`p.document_id = ${documentId} AND p.document_version = ${version}`);
  }

  /** Takes away at most `limit` points that no search may ever show again. */
  deleteDead(connection: Queryable, limit: number): Promise<DeadPoint[]> {
    return this.delete(
      connection,
      sql`p.physical_id IN (SELECT p.physical_id FROM points p WHERE ${DEAD} ORDER BY p.physical_id LIMIT ${limit} FOR UPDATE OF p) AND ${DEAD}`,
    );
  }

  private async delete(connection: Queryable, condition: Sql): Promise<DeadPoint[]> {
    const rows = await connection.query<DeadRow>(
      sql`WITH gone AS (DELETE FROM points p WHERE ${condition} RETURNING p.physical_id, p.space_id)
          SELECT gone.physical_id, s.id, s.store, s.model, s.dimensions, s.metric, s.version, s.physical_name
          FROM gone JOIN spaces s ON s.id = gone.space_id`,
    );
    return rows.map(({ physical_id, physical_name, ...space }) => ({
      physicalId: physical_id,
      space: { ...space, physicalName: physical_name },
    }));
  }
}
