import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { EmbeddingSpace, Metric } from '@kernel/vectors';
import { v7 } from 'uuid';
import type { Collection } from './collection';

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
  created_at: Date;
}

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
      sql`SELECT c.id, c.workspace_id, c.name, c.language, c.created_at, c.space_id, ${SPACE_COLUMNS}
          FROM collections c LEFT JOIN spaces s ON s.id = c.space_id
          WHERE c.workspace_id = ${workspaceId} AND c.name = ANY(${names}::text[])`,
    );
    return rows.map(collectionOf);
  }

  async byId(id: string): Promise<Collection | undefined> {
    const rows = await this.postgres.query<CollectionRow>(
      sql`SELECT c.id, c.workspace_id, c.name, c.language, c.created_at, c.space_id, ${SPACE_COLUMNS}
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
      sql`UPDATE collections SET space_id = ${spaceId}, updated_at = now() WHERE id = ${collectionId} AND space_id IS NULL`,
    );
  }
}

function collectionOf(row: CollectionRow): Collection {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    language: row.language,
    space: spaceOf(row),
    createdAt: row.created_at,
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
