import { Injectable } from '@nestjs/common';
import { filterCondition, pointMetadata, PostgresClient, sql, visiblePoint } from '@backing/postgres';
import type { VectorFilter } from '@kernel/vectors';
import { FALLBACK_LANGUAGE } from '../text/analyse';
import type { Term } from '../text/question';
import { rankedTexts, type TextHit } from '../text/rank';

/** The texts of one collection, chunks and users' texts alike, for full text. */
@Injectable()
export class PointTexts {
  constructor(private readonly postgres: PostgresClient) {}

  async languages(collectionId: string): Promise<string[]> {
    const rows = await this.postgres.query<{ language: string }>(
      sql`SELECT DISTINCT coalesce(language, ${FALLBACK_LANGUAGE}) AS language FROM documents
          WHERE collection_id = ${collectionId} AND visible_version IS NOT NULL
          UNION SELECT DISTINCT coalesce(language, ${FALLBACK_LANGUAGE}) FROM points
          WHERE collection_id = ${collectionId} AND kind = 'point' AND text IS NOT NULL`,
    );
    return rows.map((row) => row.language);
  }

  /** The best by BM25 of those that fit the filter, and whatever their rank those of `also`; how rare a word is, all texts of the collection say. */
  async ranked(collectionId: string, terms: Term[], filter: VectorFilter, limit: number, also: string[]): Promise<TextHit[]> {
    if (terms.length === 0) return [];
    return this.postgres.query<TextHit>(
      rankedTexts({
        terms,
        limit,
        also,
        from: sql`points p LEFT JOIN documents d ON d.id = p.document_id`,
        where: sql`p.collection_id = ${collectionId} AND ${visiblePoint()}`,
        fitting: filterCondition(filter, pointMetadata()),
        totals: sql`SELECT sum(texts)::float8 AS texts, sum(lexemes)::float8 AS lexemes FROM (
            SELECT coalesce(sum(chunks), 0) AS texts, coalesce(sum(lexemes), 0) AS lexemes FROM documents
            WHERE collection_id = ${collectionId} AND visible_version IS NOT NULL
            UNION ALL SELECT count(*), coalesce(sum(lexeme_count), 0) FROM points
            WHERE collection_id = ${collectionId} AND kind = 'point' AND text IS NOT NULL) AS parts`,
      }),
    );
  }
}
