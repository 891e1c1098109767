import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Documents by address, and new contents for documents that people see. Every statement may run again. */
export class Documents1764500000002 implements MigrationInterface {
  readonly name = 'Documents1764500000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
-- Null until the content of an address has arrived.
ALTER TABLE documents ALTER COLUMN sha256 DROP NOT NULL;
ALTER TABLE documents ADD COLUMN IF NOT EXISTS source_url text;
ALTER TABLE documents ADD COLUMN IF NOT EXISTS title text;
-- As declared by the sender; the content may say otherwise.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS charset text;
-- False: nobody named it, so the content may.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS named boolean NOT NULL DEFAULT true;
-- Counts the changes that an ETag tells apart.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS revision int NOT NULL DEFAULT 1;
-- The last number given to an original: none is given twice.
ALTER TABLE documents ADD COLUMN IF NOT EXISTS content_seq int NOT NULL DEFAULT 1;
-- What a document will be once its version is ready; a failed one stays for another try.
CREATE TABLE IF NOT EXISTS document_replacements (
  document_id uuid PRIMARY KEY REFERENCES documents (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL,
  version int NOT NULL,
  content_version int NOT NULL,
  -- Null: as it is.
  name text,
  metadata jsonb,
  media_type text NOT NULL,
  charset text,
  bytes bigint NOT NULL,
  sha256 text,
  source_url text,
  created_at timestamptz NOT NULL DEFAULT now()
);
-- Originals that are being stored for a document and are nobody's yet.
CREATE TABLE IF NOT EXISTS document_uploads (
  document_id uuid NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
  workspace_id uuid NOT NULL,
  content_version int NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (document_id, content_version)
);`);
  }

  async down(): Promise<void> {
    // The release before lives with these columns; dropping them would drop what users wrote since.
    throw new Error('This migration stays: the release before works with it.');
  }
}
