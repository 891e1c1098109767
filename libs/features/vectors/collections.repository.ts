import { Injectable } from '@nestjs/common';
import { PostgresClient, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { EmbeddingSpace, Metric } from '@kernel/vectors';
import { v7 } from 'uuid';
import type { Collection, CountedCollection } from './collection';

interface SpaceRow {
  space_id: string | null;
  store: string;
  model: string | null;
  dimensions: number;
  metric: Metric;
  space_version: number;
  physical_name: string;
}

interface CollectionRow extends SpaceRow {
  id: string;
  workspace_id: string;
  name: string;
  language: string | null;
  description: string | null;
  revision: number;
  created_at: Date;
  updated_at: Date;
}

interface CountedRow extends CollectionRow {
  points: number;
  documents: number;
}

/** What a new collection is made of. */
export interface NewCollectionRow {
  workspaceId: string;
  ownerId: string;
  name: string;
  spaceId: string;
  language: string | null;
  description: string | null;
}

/** Which page of the collections of a workspace, by name. */
export interface CollectionPage {
  limit: number;
  after?: string;
  before?: string;
  descending: boolean;
}

/** A deleted collection keeps this name, which nobody can ask for, until the last of its points is gone. */
const DELETED = '~';
const COLUMNS = raw(
  `c.id, c.workspace_id, c.name, c.language, c.description, c.revision::float8 AS revision, c.created_at, c.updated_at, c.space_id`,
);
const COUNTS = raw(`(SELECT count(*)::int FROM documents d WHERE d.collection_id = c.id) AS documents,
  (SELECT count(*)::int FROM points p LEFT JOIN documents d ON d.id = p.document_id
    WHERE p.collection_id = c.id AND (p.kind = 'point' OR (p.kind = 'chunk' AND d.visible_version = p.document_version))) AS points`);
const SPACE_COLUMNS = sql`s.store, s.model, s.dimensions, s.metric, s.version AS space_version, s.physical_name`;

/** Rows of collections and embedding spaces. */
@Injectable()
export class CollectionsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  async insert(connection: Queryable, workspaceId: string, ownerId: string, name: string): Promise<void> {
    await connection.query(
      sql`INSERT INTO collections (id, workspace_id, owner_id, name) VALUES (${v7()}, ${workspaceId}, ${ownerId}, ${name})
          ON CONFLICT (workspace_id, name) DO NOTHING`,
    );
  }

  async byNames(workspaceId: string, names: string[]): Promise<Collection[]> {
    const rows = await this.postgres.query<CollectionRow>(
      sql`SELECT ${COLUMNS}, ${SPACE_COLUMNS}
          FROM collections c LEFT JOIN spaces s ON s.id = c.space_id
          WHERE c.workspace_id = ${workspaceId} AND c.name = ANY(${names}::text[]) AND left(c.name, 1) <> ${DELETED}`,
    );
    return rows.map(collectionOf);
  }

  /** Errors: a unique violation when the workspace has one of that name. */
  async insertNew(row: NewCollectionRow): Promise<void> {
    await this.postgres.query(
      sql`INSERT INTO collections (id, workspace_id, owner_id, name, space_id, language, description)
          VALUES (${v7()}, ${row.workspaceId}, ${row.ownerId}, ${row.name}, ${row.spaceId}, ${row.language}, ${row.description})`,
    );
  }

  async counted(workspaceId: string, name: string): Promise<CountedCollection | undefined> {
    return (await this.selectCounted(sql`c.workspace_id = ${workspaceId} AND c.name = ${name}`))[0];
  }

  page(workspaceId: string, { limit, after, before, descending }: CollectionPage): Promise<CountedCollection[]> {
    const beyond = after === undefined ? sql`` : sql` AND c.name COLLATE "C" ${raw(descending ? '<' : '>')} ${after}`;
    const short = before === undefined ? sql`` : sql` AND c.name COLLATE "C" ${raw(descending ? '>' : '<')} ${before}`;
    const order = raw(descending !== (before !== undefined) ? 'DESC' : 'ASC');
    return this.selectCounted(
      sql`c.workspace_id = ${workspaceId} AND left(c.name, 1) <> ${DELETED}${beyond}${short} ORDER BY c.name COLLATE "C" ${order} LIMIT ${limit}`,
    );
  }

  /** Locks the collection; undefined when it has gone. */
  async lock(connection: Queryable, id: string): Promise<{ revision: number } | undefined> {
    const rows = await connection.query<{ revision: number }>(
      sql`SELECT revision::float8 AS revision FROM collections WHERE id = ${id} AND left(name, 1) <> ${DELETED} FOR UPDATE`,
    );
    return rows[0];
  }

  async change(connection: Queryable, id: string, fields: { language?: string | null; description?: string | null }): Promise<void> {
    const language = fields.language === undefined ? sql`` : sql` language = ${fields.language},`;
    const description = fields.description === undefined ? sql`` : sql` description = ${fields.description},`;
    await connection.query(
      sql`UPDATE collections SET${language}${description} revision = nextval('vector_revisions'), updated_at = now() WHERE id = ${id}`,
    );
  }

  /** Takes the collection's name away: nobody finds it any more, and the name is free. */
  async bury(connection: Queryable, id: string): Promise<void> {
    await connection.query(sql`UPDATE collections SET name = ${DELETED + id}, updated_at = now() WHERE id = ${id}`);
  }

  async buryAll(workspaceId: string): Promise<void> {
    await this.postgres.query(
      sql`UPDATE collections SET name = ${DELETED} || id::text, updated_at = now() WHERE workspace_id = ${workspaceId} AND left(name, 1) <> ${DELETED}`,
    );
  }

  /** Collections that were deleted and still have rows. */
  async buried(): Promise<Collection[]> {
    const rows = await this.postgres.query<CollectionRow>(
      sql`SELECT ${COLUMNS}, ${SPACE_COLUMNS} FROM collections c LEFT JOIN spaces s ON s.id = c.space_id WHERE left(c.name, 1) = ${DELETED}`,
    );
    return rows.map(collectionOf);
  }

  async documentsOf(id: string): Promise<string[]> {
    const rows = await this.postgres.query<{ id: string }>(sql`SELECT id FROM documents WHERE collection_id = ${id}`);
    return rows.map((row) => row.id);
  }

  /** The end of a deleted collection whose documents and points are gone. */
  async remove(id: string): Promise<void> {
    await this.postgres.query(
      sql`DELETE FROM collections c WHERE c.id = ${id} AND left(c.name, 1) = ${DELETED}
          AND NOT EXISTS (SELECT 1 FROM documents WHERE collection_id = c.id) AND NOT EXISTS (SELECT 1 FROM points WHERE collection_id = c.id)`,
    );
  }

  /** Whether the collection is there and holds vectors of that space; it stays so until the transaction ends. */
  async holds(connection: Queryable, id: string, spaceId: string): Promise<boolean> {
    const rows = await connection.query(
      sql`SELECT id FROM collections WHERE id = ${id} AND space_id = ${spaceId} AND left(name, 1) <> ${DELETED} FOR SHARE`,
    );
    return rows.length > 0;
  }

  async byId(id: string): Promise<Collection | undefined> {
    const rows = await this.postgres.query<CollectionRow>(
      sql`SELECT ${COLUMNS}, ${SPACE_COLUMNS}
          FROM collections c LEFT JOIN spaces s ON s.id = c.space_id WHERE c.id = ${id}`,
    );
    return rows[0] === undefined ? undefined : collectionOf(rows[0]);
  }

  /** The space of that identity, made when it is the first of its kind; two makers get the same row. */
  async findOrInsertSpace(wanted: Omit<EmbeddingSpace, 'id' | 'physicalName'>): Promise<EmbeddingSpace> {
    const id = v7();
    await this.postgres.query(
      sql`INSERT INTO spaces (id, store, model, dimensions, metric, version, physical_name)
          VALUES (${id}, ${wanted.store}, ${wanted.model}, ${wanted.dimensions}, ${wanted.metric}, ${wanted.version}, ${`space_${id.replaceAll('-', '')}`})
          ON CONFLICT (store, coalesce(model, ''), dimensions, metric, version) DO NOTHING`,
    );
    const rows = await this.postgres.query<SpaceRow>(
      sql`SELECT s.id AS space_id, ${SPACE_COLUMNS} FROM spaces s
          WHERE s.store = ${wanted.store} AND coalesce(s.model, '') = ${wanted.model ?? ''} AND s.dimensions = ${wanted.dimensions}
            AND s.metric = ${wanted.metric} AND s.version = ${wanted.version}`,
    );
    const space = rows[0] === undefined ? null : spaceOf(rows[0]);
    if (space === null) throw new Error('An embedding space vanished while it was made.');
    return space;
  }

  /** Gives a collection without a space this one; whoever was first stays. */
  async adoptSpace(collectionId: string, spaceId: string): Promise<void> {
    await this.postgres.query(
      sql`UPDATE collections SET space_id = ${spaceId}, revision = nextval('vector_revisions'), updated_at = now()
          WHERE id = ${collectionId} AND space_id IS NULL`,
    );
  }

  private async selectCounted(condition: Sql): Promise<CountedCollection[]> {
    const rows = await this.postgres.query<CountedRow>(
      sql`SELECT ${COLUMNS}, ${COUNTS}, ${SPACE_COLUMNS} FROM collections c LEFT JOIN spaces s ON s.id = c.space_id WHERE ${condition}`,
    );
    return rows.map(countedOf);
  }
}

function countedOf(row: CountedRow): CountedCollection {
  return { ...collectionOf(row), counts: { points: row.points, documents: row.documents } };
}

function collectionOf(row: CollectionRow): Collection {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    language: row.language,
    space: spaceOf(row),
    description: row.description,
    revision: row.revision,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function spaceOf(row: SpaceRow): EmbeddingSpace | null {
  if (row.space_id === null) return null;
  return {
    id: row.space_id,
    store: row.store,
    model: row.model,
    dimensions: row.dimensions,
    metric: row.metric,
    version: row.space_version,
    physicalName: row.physical_name,
  };
}
