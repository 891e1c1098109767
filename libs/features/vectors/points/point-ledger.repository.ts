import { Injectable } from '@nestjs/common';
import {
  byteaArray,
  filterCondition,
  isDeadlock,
  isUniqueViolation,
  pointMetadata,
  PostgresClient,
  raw,
  sql,
  visiblePoint,
  type Queryable,
  type Sql,
} from '@backing/postgres';
import type { VectorFilter } from '@kernel/vectors';
import type { Collection } from '../collection';
import type { Metadata } from '../metadata';
import { vectorBytes, vectorOf } from '../vector-bytes';
import type { Point } from './point';

/** A row as it is written. */
export interface PointRow {
  id: string;
  physicalId: string;
  text: string | null;
  language: string | null;
  /** Literal of a tsvector. */
  lexemes: string | null;
  lexemeCount: number;
  metadata: Metadata;
  vector: Float32Array;
}

/** Which points of a collection: by condition, by id, or both. */
export interface PointSelection {
  filter?: VectorFilter;
  ids?: string[];
  /** Points with these ids in the store. */
  physicalIds?: string[];
}

interface StoredRow extends Omit<Point, 'vector'> {
  vector: Buffer;
}

/** How often points are written that cross other writers of the same ones. */
const TRIES = 10;

const COLUMNS =
  raw(`p.id, p.physical_id AS "physicalId", coalesce(d.metadata, p.metadata) AS metadata, p.text, p.language, p.document_id AS "documentId", p.page,
  p.start_offset AS start, p.end_offset AS "end", p.vector, p.revision::float8 AS revision, p.created_at AS "createdAt", p.updated_at AS "updatedAt"`);
const FROM = sql`FROM points p LEFT JOIN documents d ON d.id = p.document_id`;
const BY_BYTES = sql`p.id COLLATE "C"`;

/** Points of collections as users see and change them; chunks of documents are shown beside them and never changed. */
@Injectable()
export class PointLedger {
  constructor(private readonly postgres: PostgresClient) {}

  /**
   * Replaces points whole, in one statement of the caller's transaction; answers how many rows it wrote: chunks of documents stay as they are.
   * Several that insert the same new points in the same instant may meet in the second unique index, which ON CONFLICT does not look at: PostgreSQL
   * ends one as a deadlock or as a duplicate. That one lets the others' rows go and runs again.
   */
  async replace(connection: Queryable, collection: Collection, ownerId: string, spaceId: string, rows: PointRow[]): Promise<number> {
    for (let tries = 1; ; tries += 1) {
      await connection.query(sql`SAVEPOINT points_replaced`);
      try {
        const written = await this.upsert(connection, collection, ownerId, spaceId, rows);
        await connection.query(sql`RELEASE SAVEPOINT points_replaced`);
        return written;
      } catch (error) {
        if (tries === TRIES || !crossed(error)) throw error;
        await connection.query(sql`ROLLBACK TO SAVEPOINT points_replaced`);
      }
    }
  }

  /** Those of the ids that belong to documents. */
  async chunksAmong(connection: Queryable, collectionId: string, ids: string[]): Promise<string[]> {
    const rows = await connection.query<{ id: string }>(
      sql`SELECT id FROM points WHERE collection_id = ${collectionId} AND id = ANY(${ids}::text[]) AND kind <> 'point'`,
    );
    return rows.map((row) => row.id);
  }

  async select(collectionIds: string[], selection: PointSelection): Promise<Point[]> {
    const rows = await this.postgres.query<StoredRow>(sql`SELECT ${COLUMNS} ${FROM} WHERE ${chosen(collectionIds, selection)}`);
    return rows.map(pointOf);
  }

  /** In the byte order of their ids, from beyond `after` on. */
  async page(
    collectionId: string,
    selection: PointSelection,
    page: { after?: string; before?: string; descending: boolean; limit: number },
  ): Promise<Point[]> {
    const beyond = page.after === undefined ? sql`` : sql` AND ${BY_BYTES} ${raw(page.descending ? '<' : '>')} ${page.after}`;
    const short = page.before === undefined ? sql`` : sql` AND ${BY_BYTES} ${raw(page.descending ? '>' : '<')} ${page.before}`;
    // Towards `before` the rows are taken from the near end.
    const descending = page.descending !== (page.before !== undefined);
    const rows = await this.postgres.query<StoredRow>(
      sql`SELECT ${COLUMNS} ${FROM} WHERE ${chosen([collectionId], selection)}${beyond}${short}
          ORDER BY ${BY_BYTES} ${raw(descending ? 'DESC' : 'ASC')} LIMIT ${page.limit}`,
    );
    return rows.map(pointOf);
  }

  async count(collectionId: string, selection: PointSelection): Promise<number> {
    const rows = await this.postgres.query<{ count: number }>(
      sql`SELECT count(*)::int AS count ${FROM} WHERE ${chosen([collectionId], selection)}`,
    );
    return rows[0]?.count ?? 0;
  }

  /** The same, counted no further than `most`. */
  async countUpTo(collectionId: string, selection: PointSelection, most: number): Promise<number> {
    const rows = await this.postgres.query<{ count: number }>(
      sql`SELECT count(*)::int AS count FROM (SELECT 1 ${FROM} WHERE ${chosen([collectionId], selection)} LIMIT ${most}) AS counted`,
    );
    return rows[0]?.count ?? 0;
  }

  /** Deletes at most `limit` points of users; answers their ids in the store. */
  async delete(connection: Queryable, collectionId: string, selection: PointSelection, limit: number): Promise<string[]> {
    const rows = await connection.query<{ physical_id: string }>(sql`
      DELETE FROM points WHERE physical_id IN (
        SELECT p.physical_id ${FROM} WHERE ${chosen([collectionId], selection)} AND p.kind = 'point' ORDER BY ${BY_BYTES} LIMIT ${limit} FOR UPDATE OF p)
      RETURNING physical_id`);
    return rows.map((row) => row.physical_id);
  }

  /** A user's point, locked; undefined when there is none that may be seen. */
  async lock(connection: Queryable, collectionId: string, id: string): Promise<Point | undefined> {
    const rows = await connection.query<StoredRow>(
      sql`SELECT ${COLUMNS} ${FROM} WHERE ${chosen([collectionId], { ids: [id] })} FOR UPDATE OF p`,
    );
    return rows[0] === undefined ? undefined : pointOf(rows[0]);
  }

  async setMetadata(connection: Queryable, collectionId: string, id: string, metadata: Metadata): Promise<void> {
    await connection.query(
      sql`UPDATE points SET metadata = ${JSON.stringify(metadata)}::jsonb, revision = nextval('vector_revisions'), updated_at = now()
          WHERE collection_id = ${collectionId} AND id = ${id}`,
    );
  }

  private async upsert(connection: Queryable, collection: Collection, ownerId: string, spaceId: string, rows: PointRow[]): Promise<number> {
    const of = <T>(pick: (row: PointRow) => T): T[] => rows.map(pick);
    const written = await connection.query<{ written: number }>(sql`
      WITH written AS (
        INSERT INTO points (collection_id, id, physical_id, space_id, workspace_id, owner_id, text, language, lexemes, lexeme_count, metadata, vector, vector_sha256)
        SELECT ${collection.id}::uuid, sent.id, sent.physical_id, ${spaceId}::uuid, ${collection.workspaceId}::uuid, ${ownerId}::uuid,
          sent.text, sent.language, sent.lexemes::tsvector, sent.lexeme_count, sent.metadata::jsonb, sent.vector, sha256(sent.vector)
        FROM unnest(${of((row) => row.id)}::text[], ${of((row) => row.physicalId)}::uuid[], ${of((row) => row.text)}::text[], ${of((row) => row.language)}::text[],
          ${of((row) => row.lexemes)}::text[], ${of((row) => row.lexemeCount)}::int[], ${of((row) => JSON.stringify(row.metadata))}::text[],
          ${byteaArray(of((row) => vectorBytes(row.vector)))}::bytea[])
          AS sent (id, physical_id, text, language, lexemes, lexeme_count, metadata, vector)
        ORDER BY sent.id COLLATE "C"
        ON CONFLICT (collection_id, id) DO UPDATE SET physical_id = excluded.physical_id, space_id = excluded.space_id, owner_id = excluded.owner_id,
          text = excluded.text, language = excluded.language, lexemes = excluded.lexemes, lexeme_count = excluded.lexeme_count, metadata = excluded.metadata,
          vector = excluded.vector, vector_sha256 = excluded.vector_sha256, revision = nextval('vector_revisions'), updated_at = now()
          WHERE points.kind = 'point'
        RETURNING 1)
      SELECT count(*)::int AS written FROM written`);
    return written[0]?.written ?? 0;
  }
}

/** Another writer of the same points came in between. */
function crossed(error: unknown): boolean {
  return isDeadlock(error) || isUniqueViolation(error, 'points_physical_id_key');
}

function chosen(collectionIds: string[], { filter, ids, physicalIds }: PointSelection): Sql {
  const byId = ids === undefined ? sql`` : sql` AND p.id = ANY(${ids}::text[])`;
  const inStore = physicalIds === undefined ? sql`` : sql` AND p.physical_id = ANY(${physicalIds}::uuid[])`;
  const fitting = filter === undefined ? sql`` : sql` AND ${filterCondition(filter, pointMetadata())}`;
  return sql`p.collection_id = ANY(${collectionIds}::uuid[]) AND ${visiblePoint()}${byId}${inStore}${fitting}`;
}

function pointOf({ vector, ...row }: StoredRow): Point {
  return { ...row, vector: vectorOf(vector) };
}
