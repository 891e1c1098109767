import { Injectable } from '@nestjs/common';
import { pageOf, PostgresClient, raw, sql, type Sql } from '@backing/postgres';
import { AppError } from '@kernel/errors';
import type { Page, PageQuery } from '@kernel/paging';

/** A passage of a document; offsets are UTF-16 code units of the extracted text, `text` is that slice. */
export interface DocumentChunk {
  id: string;
  ordinal: number;
  page: number | null;
  start: number;
  end: number;
  /** Headings above it, outermost first, joined by ›. */
  heading: string | null;
  text: string;
  tokens: number;
}

/** Reads the passages that a document shows. */
@Injectable()
export class DocumentChunksRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /**
   * Of the version that searches see, in the order of the text. The statement itself asks which one that is: a replacement that ends meanwhile
   * never leaves half of the old one. Errors: `invalid` for a cursor that is no passage of this version.
   */
  async list(documentId: string, page: PageQuery): Promise<Page<DocumentChunk>> {
    if (page.after !== undefined && page.before !== undefined)
      throw AppError.field('invalid', 'before', 'after and before cannot be used together.');
    const upwards = (page.order === 'asc') === (page.before === undefined);
    const cursor = await this.ordinal(documentId, page);
    const beyond = cursor === undefined ? sql`` : sql` AND ordinal ${raw(upwards ? '>' : '<')} ${cursor}`;
    const rows = await this.postgres.query<DocumentChunk>(
      sql`SELECT id, ordinal, page, start_offset AS start, end_offset AS "end", heading, text, tokens FROM points
          WHERE ${shownOf(documentId)} AND kind = 'chunk'${beyond}
          ORDER BY ordinal ${raw(upwards ? 'ASC' : 'DESC')} LIMIT ${page.limit + 1}`,
    );
    return pageOf(rows, page);
  }

  private async ordinal(documentId: string, { after, before }: PageQuery): Promise<number | undefined> {
    const id = after ?? before;
    if (id === undefined) return undefined;
    const rows = await this.postgres.query<{ ordinal: number }>(
      sql`SELECT ordinal FROM points WHERE ${shownOf(documentId)} AND kind = 'chunk' AND id = ${id}`,
    );
    const ordinal = rows[0]?.ordinal;
    if (ordinal === undefined)
      throw AppError.field('invalid', after === undefined ? 'before' : 'after', 'is no chunk of the document as it is now.');
    return ordinal;
  }
}

function shownOf(documentId: string): Sql {
  return sql`document_id = ${documentId} AND document_version = (SELECT visible_version FROM documents WHERE id = ${documentId})`;
}
