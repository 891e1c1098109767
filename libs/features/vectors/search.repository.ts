import { Injectable } from '@nestjs/common';
import { join, PostgresClient, sql, type Sql } from '@backing/postgres';
import type { Passage } from './passage';
import { FALLBACK_LANGUAGE } from './text/analyse';
import type { Term } from './text/question';
import { rankedTexts, type TextHit } from './text/rank';
import { vectorOf } from './vector-bytes';

/** A passage before it is scored. */
export type StoredPassage = Omit<Passage, 'score' | 'scores' | 'coverage' | 'found'> & {
  physicalId: string;
  spaceId: string;
  vector: Float32Array;
};

interface PassageRow {
  id: string;
  physical_id: string;
  space_id: string;
  collection_id: string;
  document_id: string;
  document: string;
  kind: 'chunk' | 'overview';
  ordinal: number;
  page: number | null;
  start_offset: number;
  end_offset: number;
  heading: string | null;
  text: string;
  language: string | null;
  vector: Buffer;
}

/** Only what a document shows: a version being ingested, and all of a failed or deleted document, has no such row. */
const VISIBLE = sql`JOIN documents d ON d.id = p.document_id AND d.visible_version = p.document_version`;

/** Reads the ledger for searches. */
@Injectable()
export class SearchRepository {
  constructor(private readonly postgres: PostgresClient) {}

  /** Languages of the documents that can be found. */
  async languages(collectionIds: string[]): Promise<string[]> {
    const rows = await this.postgres.query<{ language: string }>(
      sql`SELECT DISTINCT coalesce(language, ${FALLBACK_LANGUAGE}) AS language FROM documents
          WHERE collection_id = ANY(${collectionIds}::uuid[]) AND visible_version IS NOT NULL`,
    );
    return rows.map((row) => row.language);
  }

  /**
   * The best chunks by BM25 and, whatever their rank, those of `also` that hold a term. `coverage` is the idf weight of the words held
   * by that of all words; a word that no chunk holds weighs most.
   */
  async byText(collectionIds: string[], terms: Term[], limit: number, also: string[]): Promise<TextHit[]> {
    if (terms.length === 0) return [];
    return this.postgres.query<TextHit>(
      rankedTexts({
        terms,
        limit,
        also,
        from: sql`points p ${VISIBLE}`,
        where: sql`p.collection_id = ANY(${collectionIds}::uuid[]) AND p.kind = 'chunk'`,
        fitting: sql`true`,
        totals: sql`SELECT coalesce(sum(chunks), 0)::float8 AS texts, coalesce(sum(lexemes), 0)::float8 AS lexemes
          FROM documents WHERE collection_id = ANY(${collectionIds}::uuid[]) AND visible_version IS NOT NULL`,
      }),
    );
  }

  /** Visible chunks with those physical ids, in no order. */
  visible(physicalIds: string[]): Promise<StoredPassage[]> {
    return this.passages(sql`p.physical_id = ANY(${physicalIds}::uuid[]) AND p.kind = 'chunk'`);
  }

  byIds(collectionIds: string[], ids: string[]): Promise<StoredPassage[]> {
    return this.passages(sql`p.collection_id = ANY(${collectionIds}::uuid[]) AND p.id = ANY(${ids}::text[])`);
  }

  /** Overviews of the newest documents first. */
  overviews(collectionIds: string[], limit: number): Promise<StoredPassage[]> {
    return this.passages(
      sql`p.collection_id = ANY(${collectionIds}::uuid[]) AND p.kind = 'overview' ORDER BY p.document_id DESC LIMIT ${limit}`,
    );
  }

  documents(documentIds: string[], limit: number): Promise<StoredPassage[]> {
    return this.passages(
      sql`p.document_id = ANY(${documentIds}::uuid[]) AND p.kind = 'chunk' ORDER BY p.document_id, p.ordinal LIMIT ${limit}`,
    );
  }

  private async passages(condition: Sql): Promise<StoredPassage[]> {
    const columns = join(
      [
        'id',
        'physical_id',
        'space_id',
        'collection_id',
        'document_id',
        'kind',
        'ordinal',
        'page',
        'start_offset',
        'end_offset',
        'heading',
        'text',
        'language',
        'vector',
      ].map((column) => sql([`p.${column}`])),
    );
    const rows = await this.postgres.query<PassageRow>(
      sql`SELECT ${columns}, d.name AS document FROM points p ${VISIBLE} WHERE ${condition}`,
    );
    return rows.map((row) => ({
      id: row.id,
      physicalId: row.physical_id,
      spaceId: row.space_id,
      collectionId: row.collection_id,
      documentId: row.document_id,
      document: row.document,
      kind: row.kind,
      ordinal: row.ordinal,
      page: row.page,
      start: row.start_offset,
      end: row.end_offset,
      heading: row.heading,
      text: row.text,
      language: row.language,
      vector: vectorOf(row.vector),
    }));
  }
}
