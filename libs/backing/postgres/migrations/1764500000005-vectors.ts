import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Points that users bring: revisions for ETags, the order of pages, statistics of their texts, batches that wait to be embedded, and the
 * instant of an RFC 3339 string. Every statement may run again.
 */
export class Vectors1764500000005 implements MigrationInterface {
  readonly name = 'Vectors1764500000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
CREATE SEQUENCE IF NOT EXISTS vector_revisions;
ALTER TABLE collections ADD COLUMN IF NOT EXISTS revision bigint NOT NULL DEFAULT nextval('vector_revisions');
ALTER TABLE points ADD COLUMN IF NOT EXISTS revision bigint NOT NULL DEFAULT nextval('vector_revisions');
ALTER TABLE points ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
-- Pages of points go by the bytes of their ids, whatever the collation of the database.
CREATE INDEX IF NOT EXISTS points_page ON points (collection_id, id COLLATE "C") WHERE kind <> 'overview';
-- Counts of a user's texts for BM25, without reading the rows.
CREATE INDEX IF NOT EXISTS points_texts ON points (collection_id, language, lexeme_count) WHERE kind = 'point' AND text IS NOT NULL;
-- The points of a request that are to be embedded by a job; they go with the job.
CREATE TABLE IF NOT EXISTS point_batches (
  id uuid PRIMARY KEY,
  collection_id uuid NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
  points jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- The instant of an RFC 3339 date-time in seconds, exact to every digit; null for any other text. Offsets beyond those that PostgreSQL knows count too.
CREATE OR REPLACE FUNCTION rfc3339_instant(written text) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
  SELECT CASE WHEN pg_input_is_valid(parts[1], 'date') THEN
      extract(epoch FROM parts[1]::date::timestamp) + parts[2]::int * 3600 + parts[3]::int * 60 + parts[4]::int + coalesce(('0' || parts[5])::numeric, 0)
        - CASE WHEN parts[7] IS NULL THEN 0 ELSE (parts[7] || '1')::int * (parts[8]::int * 3600 + parts[9]::int * 60) END
    END
  FROM regexp_match(written, '^((?!0000)[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(\\.[0-9]+)?([Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$') AS parts
$body$;`);
  }

  async down(): Promise<void> {
    // The release before lives with these columns; dropping them would drop what users wrote since.
    throw new Error('This migration stays: the release before works with it.');
  }
}
