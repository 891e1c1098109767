import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What each embedding model's vectors look like, and which models were pulled under which licence. */
export class Ollama1764500000004 implements MigrationInterface {
  readonly name = 'Ollama1764500000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE IF NOT EXISTS space_fingerprints (
        model text PRIMARY KEY,
        -- What computed them.
        runtime text NOT NULL,
        digest text,
        -- The vectors of the fixed texts one after the other, float32 little-endian.
        vectors bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE IF NOT EXISTS model_pulls (
        model text PRIMARY KEY,
        runtime text NOT NULL,
        -- As the runtime calls it.
        name text NOT NULL,
        -- The last job that pulled it.
        job_id uuid NOT NULL,
        license text NOT NULL,
        license_accepted_by uuid NOT NULL,
        license_accepted_at timestamptz NOT NULL DEFAULT now(),
        digest text,
        bytes bigint,
        finished_at timestamptz
      );`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE IF EXISTS model_pulls; DROP TABLE IF EXISTS space_fingerprints');
  }
}
