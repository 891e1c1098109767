import type { Metadata } from '@features/vectors';
import { Injectable } from '@nestjs/common';
import { pageConditions, pageOf, pageOrder, PostgresClient, raw, sql, type Queryable, type Sql } from '@backing/postgres';
import type { Acceptance, JobFailure } from '@features/jobs';
import { AppError } from '@kernel/errors';
import type { Page, PageQuery } from '@kernel/paging';
import type { DocumentStatus, StoredDocument } from './document';

/** What is stored of a document when it is accepted. */
export type NewDocumentRow = Pick<
  StoredDocument,
  | 'id'
  | 'workspaceId'
  | 'ownerId'
  | 'collectionId'
  | 'name'
  | 'externalId'
  | 'mediaType'
  | 'charset'
  | 'bytes'
  | 'sha256'
  | 'sourceUrl'
  | 'metadata'
> & {
  /** False: the content may name it. */
  named: boolean;
};

/** What people may change of a document beside its content. */
export interface DocumentChange {
  name?: string;
  metadata?: Metadata;
}

/** What an ingest found out. */
export interface IngestedFacts {
  chunks: number;
  lexemes: number;
  language: string | null;
  pages: number | null;
  title: string | null;
}

export interface DocumentFilter {
  collectionId?: string;
  status?: DocumentStatus;
}

/** Blobs that are in use, by the numbers in their keys: originals and texts of a document. */
export interface LivingVersions {
  id: string;
  originals: number[];
  texts: number[];
}

const ROW = raw(`d.id, d.workspace_id AS "workspaceId", d.owner_id AS "ownerId", d.collection_id AS "collectionId",
  (SELECT c.name FROM collections c WHERE c.id = d.collection_id) AS collection, d.name, d.external_id AS "externalId", d.media_type AS "mediaType", d.charset,
  d.bytes::float8 AS bytes, d.sha256, d.source_url AS "sourceUrl", d.title, d.revision, d.status, d.error, d.language, d.pages, d.chunks, d.version, d.visible_version AS "visibleVersion",
  d.content_version AS "contentVersion", d.metadata, d.job_id AS "jobId", d.created_at AS "createdAt", d.updated_at AS "updatedAt"`);
/** What the replacement of a version changes in the row above. */
const NEXT =
  raw(`CASE WHEN r.document_id IS NULL THEN NULL ELSE jsonb_build_object('name', r.name, 'mediaType', r.media_type, 'charset', r.charset,
  'bytes', r.bytes, 'sha256', r.sha256, 'sourceUrl', r.source_url, 'contentVersion', r.content_version) END`);
const OPEN = sql`status IN ('pending', 'ingesting')`;

/** Rows of documents. */
@Injectable()
export class DocumentsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** The document and its job in one statement. Breaks `documents_content` when the collection has these bytes, `documents_external` when it has the id. */
  async accept(document: NewDocumentRow, job: Acceptance): Promise<void> {
    await this.postgres.query(
      sql`WITH document AS (
        INSERT INTO documents (id, workspace_id, owner_id, collection_id, name, named, external_id, media_type, charset, bytes, sha256, source_url, status, metadata, job_id)
        VALUES (${document.id}::uuid, ${document.workspaceId}::uuid, ${document.ownerId}::uuid, ${document.collectionId}::uuid, ${document.name},
          ${document.named}::boolean, ${document.externalId}, ${document.mediaType}, ${document.charset}, ${document.bytes}::bigint, ${document.sha256},
          ${document.sourceUrl}, 'pending', ${JSON.stringify(document.metadata)}::jsonb, ${job.jobId}::uuid)
      ), ${job.ctes} SELECT id FROM job`,
      { name: 'documents.accept' },
    );
  }

  /** Locks a document until the transaction ends. */
  async lock(connection: Queryable, workspaceId: string, id: string): Promise<StoredDocument | undefined> {
    const rows = await connection.query<StoredDocument>(
      sql`SELECT ${ROW} FROM documents d WHERE d.id = ${id} AND d.workspace_id = ${workspaceId} FOR UPDATE OF d`,
    );
    return rows[0];
  }

  /** The next version of a document is to be read, and its job, in one statement. */
  async tryAgain(connection: Queryable, id: string, job: Acceptance): Promise<void> {
    await connection.query(sql`
      WITH document AS (
        UPDATE documents SET status = 'pending', error = NULL, version = version + 1, revision = revision + 1, job_id = ${job.jobId}::uuid, updated_at = now() WHERE id = ${id}::uuid
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

  async findExternal(collectionId: string, externalId: string): Promise<StoredDocument | undefined> {
    return (await this.select(sql`d.collection_id = ${collectionId} AND d.external_id = ${externalId}`))[0];
  }

  /** Another document of the collection that has these bytes, or is about to. */
  async findOther(connection: Queryable, document: StoredDocument, sha256: string): Promise<StoredDocument | undefined> {
    const rows = await connection.query<StoredDocument>(
      sql`SELECT ${ROW} FROM documents d WHERE d.collection_id = ${document.collectionId} AND d.sha256 = ${sha256} AND d.status <> 'failed' AND d.id <> ${document.id}`,
    );
    return rows[0];
  }

  /** Name and metadata; what is undefined stays. */
  async change(connection: Queryable, id: string, change: DocumentChange): Promise<void> {
    const metadata = change.metadata === undefined ? null : JSON.stringify(change.metadata);
    await connection.query(
      sql`UPDATE documents SET name = coalesce(${change.name ?? null}, name), named = named OR ${change.name !== undefined}::boolean,
            metadata = coalesce(${metadata}::jsonb, metadata), revision = revision + 1, updated_at = now() WHERE id = ${id}`,
    );
  }

  async list(workspaceId: string, filter: DocumentFilter, page: PageQuery): Promise<Page<StoredDocument>> {
    const collection = filter.collectionId === undefined ? sql`` : sql` AND collection_id = ${filter.collectionId}`;
    const status = filter.status === undefined ? sql`` : sql` AND status = ${filter.status}`;
    const rows = await this.select(sql`d.workspace_id = ${workspaceId}${collection}${status}${pageConditions(page)}${pageOrder(page)}`);
    return pageOf(rows, page);
  }

  /** Marks the version as being read and answers the document as it will be; undefined when it is gone or prepares another version. */
  async begin(connection: Queryable, id: string, version: number): Promise<StoredDocument | undefined> {
    await connection.query(
      sql`UPDATE documents SET status = 'ingesting', updated_at = now() WHERE id = ${id} AND version = ${version} AND status = 'pending'`,
    );
    const rows = await connection.query<StoredDocument & { next: Partial<StoredDocument> | null }>(
      sql`SELECT ${ROW}, ${NEXT} AS next FROM documents d LEFT JOIN document_replacements r ON r.document_id = d.id AND r.version = d.version
          WHERE d.id = ${id} AND d.version = ${version} AND d.status = 'ingesting'`,
    );
    return rows.map(({ next, ...document }) => ({ ...document, ...next, name: next?.name ?? document.name }))[0];
  }

  /**
   * Makes the version the one that searches see, with the content that was prepared for it. `cancelled` when another version is being prepared
   * by now; breaks `documents_content` when the collection has got these bytes meanwhile.
   */
  async finish(connection: Queryable, id: string, version: number, facts: IngestedFacts): Promise<void> {
    const rows = await connection.query(sql`
      UPDATE documents d SET status = 'ready', visible_version = d.version, chunks = ${facts.chunks}, lexemes = ${facts.lexemes}, language = ${facts.language},
        pages = ${facts.pages}, title = ${facts.title}, error = NULL, revision = d.revision + 1, updated_at = now(),
        named = d.named OR r.name IS NOT NULL, name = coalesce(r.name, CASE WHEN d.named THEN NULL ELSE ${facts.title}::text END, d.name), metadata = coalesce(r.metadata, d.metadata),
        media_type = coalesce(r.media_type, d.media_type), charset = CASE WHEN r.document_id IS NULL THEN d.charset ELSE r.charset END,
        bytes = coalesce(r.bytes, d.bytes), sha256 = coalesce(r.sha256, d.sha256), content_version = coalesce(r.content_version, d.content_version),
        source_url = CASE WHEN r.document_id IS NULL THEN d.source_url ELSE r.source_url END
      FROM (SELECT ${id}::uuid AS id) one LEFT JOIN document_replacements r ON r.document_id = one.id AND r.version = ${version}
      WHERE d.id = one.id AND d.version = ${version} AND d.status IN ('pending', 'ingesting') RETURNING d.id`);
    if (rows.length === 0) throw superseded();
    await connection.query(sql`DELETE FROM document_replacements WHERE document_id = ${id} AND version = ${version}`);
  }

  /** A document that people see stays as it is, and says what went wrong. */
  async fail(connection: Queryable, id: string, version: number, error: JobFailure): Promise<void> {
    await connection.query(
      sql`UPDATE documents SET status = CASE WHEN visible_version IS NULL THEN 'failed' ELSE 'ready' END, error = ${JSON.stringify(error)}::jsonb,
            revision = revision + 1, updated_at = now() WHERE id = ${id} AND version = ${version} AND ${OPEN}`,
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
      sql`SELECT d.id, array_remove(ARRAY[d.visible_version, CASE WHEN ${OPEN} THEN d.version END], NULL) AS texts,
            d.content_version || ARRAY(SELECT r.content_version FROM document_replacements r WHERE r.document_id = d.id)
              || ARRAY(SELECT u.content_version FROM document_uploads u WHERE u.document_id = d.id AND u.created_at > now() - interval '1 hour') AS originals
          FROM documents d WHERE d.id = ANY(${ids}::uuid[])`,
    );
  }

  private select(condition: Sql): Promise<StoredDocument[]> {
    return this.postgres.query<StoredDocument>(sql`SELECT ${ROW} FROM documents d WHERE ${condition}`);
  }
}

/** A job that another has overtaken. */
export function superseded(): AppError {
  return new AppError('cancelled', 'The document is gone, or newer content has taken the place of this.');
}
