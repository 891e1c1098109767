import { Injectable } from '@nestjs/common';
import { pageConditions, pageOf, pageOrder, PostgresClient, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { Acceptance, JobFailure } from '@features/jobs';
import type { Page, PageQuery } from '@kernel/paging';
import type { DocumentStatus, StoredDocument } from './document';

/** What is stored of a document when it is accepted. */
export type NewDocumentRow = Pick<
  StoredDocument,
  'id' | 'workspaceId' | 'ownerId' | 'collectionId' | 'name' | 'externalId' | 'mediaType' | 'bytes' | 'sha256' | 'metadata'
>;

export interface DocumentFilter {
  collectionId?: string;
  status?: DocumentStatus;
}

/** A blob that a document has, by the numbers in its keys. */
export interface LivingVersions {
  id: string;
  content: number;
  texts: number[];
}

const ROW = raw(`d.id, d.workspace_id AS "workspaceId", d.owner_id AS "ownerId", d.collection_id AS "collectionId",
  (SELECT c.name FROM collections c WHERE c.id = d.collection_id) AS collection, d.name, d.external_id AS "externalId", d.media_type AS "mediaType",
  d.bytes::float8 AS bytes, d.sha256, d.status, d.error, d.language, d.pages, d.chunks, d.version, d.visible_version AS "visibleVersion",
  d.content_version AS "contentVersion", d.metadata, d.job_id AS "jobId", d.created_at AS "createdAt", d.updated_at AS "updatedAt"`);
const OPEN = sql`status IN ('pending', 'ingesting')`;

/** Rows of documents. */
@Injectable()
export class DocumentsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** The document and its job in one statement. Breaks `documents_content` when the collection has these bytes, `documents_external` when it has the id. */
  async accept(document: NewDocumentRow, job: Acceptance): Promise<void> {
    await this.postgres.query(sql`
      WITH document AS (
        INSERT INTO documents (id, workspace_id, owner_id, collection_id, name, external_id, media_type, bytes, sha256, status, metadata, job_id)
        VALUES (${document.id}::uuid, ${document.workspaceId}::uuid, ${document.ownerId}::uuid, ${document.collectionId}::uuid, ${document.name},
          ${document.externalId}, ${document.mediaType}, ${document.bytes}::bigint, ${document.sha256}, 'pending', ${JSON.stringify(document.metadata)}::jsonb, ${job.jobId}::uuid)
      ), ${job.ctes} SELECT id FROM job`);
  }

  /** Locks a failed document; undefined when it is not there or not failed. */
  async lockFailed(connection: Queryable, workspaceId: string, id: string): Promise<StoredDocument | undefined> {
    const rows = await connection.query<StoredDocument>(
      sql`SELECT ${ROW} FROM documents d WHERE d.id = ${id} AND d.workspace_id = ${workspaceId} AND d.status = 'failed' FOR UPDATE OF d`,
    );
    return rows[0];
  }

  /** Another try of a failed document under its next version, and its job, in one statement. */
  async tryAgain(connection: Queryable, id: string, job: Acceptance): Promise<void> {
    await connection.query(sql`
      WITH document AS (
        UPDATE documents SET status = 'pending', error = NULL, version = version + 1, job_id = ${job.jobId}::uuid, updated_at = now() WHERE id = ${id}::uuid
      ), ${job.ctes} SELECT id FROM job`);
  }

  async find(workspaceId: string, id: string): Promise<StoredDocument | undefined> {
    return (await this.select(sql`d.id = ${id} AND d.workspace_id = ${workspaceId}`))[0];
  }

  /** The document with these bytes: the living one, else the failed one that was tried last. */
  async findContent(collectionId: string, sha256: string): Promise<StoredDocument | undefined> {
    const found = await this.select(
      sql`d.collection_id = ${collectionId} AND d.sha256 = ${sha256} ORDER BY d.status = 'failed', d.updated_at DESC, d.id DESC LIMIT 1`,
    );
    return found[0];
  }

  async hasExternal(collectionId: string, externalId: string): Promise<boolean> {
    return (await this.select(sql`d.collection_id = ${collectionId} AND d.external_id = ${externalId}`)).length > 0;
  }

  async list(workspaceId: string, filter: DocumentFilter, page: PageQuery): Promise<Page<StoredDocument>> {
    const collection = filter.collectionId === undefined ? sql`` : sql` AND collection_id = ${filter.collectionId}`;
    const status = filter.status === undefined ? sql`` : sql` AND status = ${filter.status}`;
    const rows = await this.select(sql`d.workspace_id = ${workspaceId}${collection}${status}${pageConditions(page)}${pageOrder(page)}`);
    return pageOf(rows, page);
  }

  /** Marks the version as being read; undefined when the document is gone or prepares another version. */
  async begin(connection: Queryable, id: string, version: number): Promise<StoredDocument | undefined> {
    await connection.query(
      sql`UPDATE documents SET status = 'ingesting', updated_at = now() WHERE id = ${id} AND version = ${version} AND status = 'pending'`,
    );
    const rows = await connection.query<StoredDocument>(
      sql`SELECT ${ROW} FROM documents d WHERE d.id = ${id} AND d.version = ${version} AND d.status = 'ingesting'`,
    );
    return rows[0];
  }

  /** Makes the version the one that searches see. */
  async finish(
    connection: Queryable,
    id: string,
    version: number,
    result: { chunks: number; lexemes: number; language: string | null; pages: number | null },
  ): Promise<void> {
    await connection.query(
      sql`UPDATE documents SET status = 'ready', visible_version = version, chunks = ${result.chunks}, lexemes = ${result.lexemes}, language = ${result.language},
            pages = ${result.pages},
            error = NULL, updated_at = now() WHERE id = ${id} AND version = ${version} AND ${OPEN}`,
    );
  }

  async fail(connection: Queryable, id: string, version: number, error: JobFailure): Promise<void> {
    await connection.query(
      sql`UPDATE documents SET status = 'failed', error = ${JSON.stringify(error)}::jsonb, updated_at = now() WHERE id = ${id} AND version = ${version} AND ${OPEN}`,
    );
  }

  /** Answers whether it was there. */
  async remove(connection: Queryable, workspaceId: string, id: string): Promise<boolean> {
    const rows = await connection.query(sql`DELETE FROM documents WHERE id = ${id} AND workspace_id = ${workspaceId} RETURNING id`);
    return rows.length > 0;
  }

  /** Which blobs of these documents are in use. */
  async living(ids: string[]): Promise<LivingVersions[]> {
    return this.postgres.query<LivingVersions>(
      sql`SELECT id, content_version AS content,
            array_remove(ARRAY[visible_version, CASE WHEN ${OPEN} THEN version END], NULL) AS texts FROM documents WHERE id = ANY(${ids}::uuid[])`,
    );
  }

  private select(condition: Sql): Promise<StoredDocument[]> {
    return this.postgres.query<StoredDocument>(sql`SELECT ${ROW} FROM documents d WHERE ${condition}`);
  }
}
