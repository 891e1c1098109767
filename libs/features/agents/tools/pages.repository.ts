import { Injectable } from '@nestjs/common';
import { PostgresClient, sql } from '@backing/postgres';

/** Where the pages of documents lie in their texts. */
@Injectable()
export class PagesRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** The span of the passages that begin on a page; undefined when none does. */
  async span(documentId: string, page: number): Promise<{ start: number; end: number } | undefined> {
    const rows = await this.postgres.query<{ start: number | null; end: number | null }>(
      sql`SELECT min(p.start_offset)::int AS start, max(p.end_offset)::int AS end
          FROM points p JOIN documents d ON d.id = p.document_id AND d.visible_version = p.document_version
          WHERE p.document_id = ${documentId}::uuid AND p.kind = 'chunk' AND p.page = ${page}`,
    );
    const { start = null, end = null } = rows[0] ?? {};
    return start === null || end === null ? undefined : { start, end };
  }
}
