import { Injectable } from '@nestjs/common';
import { join, PostgresClient, sql, type Sql } from '@backing/postgres';
import type { Passage } from './passage';
import { FALLBACK_LANGUAGE } from './text/analyse';
import type { Term } from './text/question';
import { anyOf } from './text/tsvector';
import { vectorOf } from './vector-bytes';

/** BM25 (Robertson, Zaragoza 2009): saturation of the term frequency, and the weight of the length. */
const K1 = 1.2;
const B = 0.75;

export interface TextHit {
  id: string;
  score: number;
  coverage: number;
  /** From 1. */
  rank: number;
}

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
    return this.postgres.query<TextHit>(sql`
      WITH terms AS (SELECT word, lexeme FROM unnest(${terms.map((t) => t.word)}::int[], ${terms.map((t) => t.lexeme)}::text[]) AS t (word, lexeme)),
      totals AS (
        SELECT coalesce(sum(chunks), 0)::float8 AS chunks, greatest(coalesce(sum(lexemes), 0)::float8 / greatest(sum(chunks), 1), 1) AS average
        FROM documents WHERE collection_id = ANY(${collectionIds}::uuid[]) AND visible_version IS NOT NULL),
      hits AS MATERIALIZED (
        SELECT p.id, p.lexeme_count::float8 AS length, held.word, held.frequency FROM points p ${VISIBLE}
        CROSS JOIN LATERAL (
          SELECT terms.word, sum(cardinality(entry.positions))::float8 AS frequency
          FROM unnest(p.lexemes) AS entry JOIN terms ON terms.lexeme = entry.lexeme GROUP BY terms.word) AS held
        WHERE p.collection_id = ANY(${collectionIds}::uuid[]) AND p.kind = 'chunk' AND p.lexemes @@ ${anyOf(terms.map((t) => t.lexeme))}::tsquery),
      weights AS (
        SELECT words.word, ln(1 + (totals.chunks - count(hits.id) + 0.5) / (count(hits.id) + 0.5)) AS idf
        FROM (SELECT DISTINCT word FROM terms) AS words CROSS JOIN totals LEFT JOIN hits ON hits.word = words.word GROUP BY words.word, totals.chunks),
      scored AS (
        SELECT hits.id,
          sum(idf * frequency * ${K1 + 1}::float8 / (frequency + ${K1}::float8 * (1 - ${B}::float8 + ${B}::float8 * length / average))) AS score,
          sum(idf) / (SELECT sum(idf) FROM weights) AS coverage
        FROM hits JOIN weights ON weights.word = hits.word CROSS JOIN totals GROUP BY hits.id),
      ranked AS (SELECT id, score, coverage, row_number() OVER (ORDER BY score DESC, id COLLATE "C") AS rank FROM scored)
      SELECT id, score::float8 AS score, coverage::float8 AS coverage, rank::int AS rank FROM ranked WHERE rank <= ${limit} OR id = ANY(${also}::text[]) ORDER BY rank`);
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
