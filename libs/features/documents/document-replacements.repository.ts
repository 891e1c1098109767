import { Injectable } from '@nestjs/common';
import { PostgresClient, sql, type Queryable } from '@backing/postgres';
import type { StoredDocument } from './document';
import type { DocumentChange } from './documents.repository';

/** An original by its number, and what is known of it; of an address nothing is known before it is fetched. */
export type Content = Pick<StoredDocument, 'contentVersion' | 'mediaType' | 'charset' | 'bytes' | 'sha256' | 'sourceUrl'>;

/** Contents that are to take the place of others. */
@Injectable()
export class DocumentReplacementsRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** A number for an original that is about to be stored; until it is released no sweep touches the original. Undefined without the document. */
  async reserve(workspaceId: string, documentId: string): Promise<number | undefined> {
    const rows = await this.postgres.query<{ number: number }>(sql`
      WITH document AS (
        UPDATE documents SET content_seq = greatest(content_seq, content_version) + 1 WHERE id = ${documentId} AND workspace_id = ${workspaceId}
        RETURNING id, workspace_id, content_seq)
      INSERT INTO document_uploads (document_id, workspace_id, content_version) SELECT id, workspace_id, content_seq FROM document
      RETURNING content_version AS number`);
    return rows[0]?.number;
  }

  async release(connection: Queryable, documentId: string, number: number): Promise<void> {
    await connection.query(sql`DELETE FROM document_uploads WHERE document_id = ${documentId} AND content_version = ${number}`);
  }

  /** Uploads that ended with their process. */
  async forgetAbandoned(): Promise<void> {
    await this.postgres.query(sql`DELETE FROM document_uploads WHERE created_at < now() - interval '1 hour'`);
  }

  /** The content of the version that comes next; it takes the place of another that was to come. */
  async prepare(connection: Queryable, document: StoredDocument, content: Content, change: DocumentChange): Promise<void> {
    const metadata = change.metadata === undefined ? null : JSON.stringify(change.metadata);
    await connection.query(sql`
      INSERT INTO document_replacements (document_id, workspace_id, version, content_version, name, metadata, media_type, charset, bytes, sha256, source_url)
      VALUES (${document.id}, ${document.workspaceId}, ${document.version + 1}, ${content.contentVersion}, ${change.name ?? null}, ${metadata}::jsonb,
        ${content.mediaType}, ${content.charset}, ${content.bytes}, ${content.sha256}, ${content.sourceUrl})
      ON CONFLICT (document_id) DO UPDATE SET version = excluded.version, content_version = excluded.content_version, name = excluded.name,
        metadata = excluded.metadata, media_type = excluded.media_type, charset = excluded.charset, bytes = excluded.bytes, sha256 = excluded.sha256,
        source_url = excluded.source_url, created_at = now()`);
  }

  /** A failed replacement is tried again under the version that comes next; answers whether there is one. */
  async again(connection: Queryable, document: StoredDocument): Promise<boolean> {
    const rows = await connection.query(
      sql`UPDATE document_replacements SET version = ${document.version + 1} WHERE document_id = ${document.id} RETURNING document_id`,
    );
    return rows.length > 0;
  }

  /** Of a document that nobody has seen yet: there is nothing to keep. Breaks `documents_content` when the collection has these bytes. */
  async overwrite(connection: Queryable, id: string, content: Content): Promise<void> {
    await connection.query(
      sql`UPDATE documents SET content_version = ${content.contentVersion}, media_type = ${content.mediaType}, charset = ${content.charset},
            bytes = ${content.bytes}, sha256 = ${content.sha256}, source_url = ${content.sourceUrl} WHERE id = ${id}`,
    );
  }

  /** What an address turned out to hold. Breaks `documents_content` when the collection has these bytes. */
  async arrived(connection: Queryable, { id, version }: StoredDocument, content: Content): Promise<void> {
    const facts = sql`media_type = ${content.mediaType}, charset = ${content.charset}, bytes = ${content.bytes}, sha256 = ${content.sha256}`;
    const rows = await connection.query(
      sql`UPDATE document_replacements SET ${facts} WHERE document_id = ${id} AND version = ${version} RETURNING document_id`,
    );
    if (rows.length === 0)
      await connection.query(sql`UPDATE documents SET ${facts}, updated_at = now() WHERE id = ${id} AND version = ${version}`);
  }

  /** A better name for a document that nobody named. */
  async name(connection: Queryable, id: string, name: string): Promise<void> {
    await connection.query(sql`UPDATE documents SET name = ${name}, named = true WHERE id = ${id} AND NOT named`);
  }

  /** The failed replacement is no longer wanted. */
  async forgive(connection: Queryable, id: string): Promise<void> {
    await connection.query(sql`UPDATE documents SET error = NULL, revision = revision + 1, updated_at = now() WHERE id = ${id}`);
    await connection.query(sql`DELETE FROM document_replacements WHERE document_id = ${id}`);
  }

  /** The content that came is the one that people see: nothing changes. */
  async dismiss(connection: Queryable, id: string, version: number): Promise<void> {
    await connection.query(
      sql`UPDATE documents SET status = 'ready', error = NULL, revision = revision + 1, updated_at = now()
          WHERE id = ${id} AND version = ${version} AND status IN ('pending', 'ingesting') AND visible_version IS NOT NULL`,
    );
    await connection.query(sql`DELETE FROM document_replacements WHERE document_id = ${id} AND version = ${version}`);
  }
}
