import { sql, type Sql } from '@backing/postgres';
import type { Term } from './question';
import { anyOf } from './tsvector';

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

/** What is ranked. */
export interface RankedTexts {
  terms: Term[];
  /** `points p` and what it is joined with. */
  from: Sql;
  /** Which of them count: for the frequencies as for the result. */
  where: Sql;
  /** Of those that count, which may be in the result. */
  fitting: Sql;
  /** A statement of one row: `texts` and `lexemes` (float8) of all that counts. */
  totals: Sql;
  limit: number;
  /** Answered whatever their rank. */
  also: string[];
}

/**
 * The best texts by BM25. `coverage` is the idf weight of the words held by that of all words; a word that no text holds weighs most. Ties by
 * id in byte order.
 */
export function rankedTexts({ terms, from, where, fitting, totals, limit, also }: RankedTexts): Sql {
  return sql`
    WITH terms AS (SELECT word, lexeme FROM unnest(${terms.map((t) => t.word)}::int[], ${terms.map((t) => t.lexeme)}::text[]) AS t (word, lexeme)),
    totals AS (SELECT texts, greatest(lexemes / greatest(texts, 1), 1) AS average FROM (${totals}) AS counted),
    hits AS MATERIALIZED (
      SELECT p.id, p.lexeme_count::float8 AS length, held.word, held.frequency, ${fitting} AS fits FROM ${from}
      CROSS JOIN LATERAL (
        SELECT terms.word, sum(cardinality(entry.positions))::float8 AS frequency
        FROM unnest(p.lexemes) AS entry JOIN terms ON terms.lexeme = entry.lexeme GROUP BY terms.word) AS held
      WHERE ${where} AND p.lexemes @@ ${anyOf(terms.map((t) => t.lexeme))}::tsquery),
    weights AS (
      SELECT words.word, ln(1 + (totals.texts - count(hits.id) + 0.5) / (count(hits.id) + 0.5)) AS idf
      FROM (SELECT DISTINCT word FROM terms) AS words CROSS JOIN totals LEFT JOIN hits ON hits.word = words.word GROUP BY words.word, totals.texts),
    scored AS (
      SELECT hits.id,
        sum(idf * frequency * ${K1 + 1}::float8 / (frequency + ${K1}::float8 * (1 - ${B}::float8 + ${B}::float8 * length / average))) AS score,
        sum(idf) / (SELECT sum(idf) FROM weights) AS coverage
      FROM hits JOIN weights ON weights.word = hits.word CROSS JOIN totals WHERE hits.fits GROUP BY hits.id),
    ranked AS (SELECT id, score, coverage, row_number() OVER (ORDER BY score DESC, id COLLATE "C") AS rank FROM scored)
    SELECT id, score::float8 AS score, coverage::float8 AS coverage, rank::int AS rank FROM ranked WHERE rank <= ${limit} OR id = ANY(${also}::text[]) ORDER BY rank`;
}
