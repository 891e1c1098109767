import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What requests with an `Idempotency-Key` were answered, for as long as they may be repeated. Every statement may run again. */
export class IdempotencyKeys1764800000001 implements MigrationInterface {
  readonly name = 'IdempotencyKeys1764800000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
CREATE TABLE IF NOT EXISTS idempotency_keys (
  -- SHA-256 of who asked, of the route and of the key: the key itself may tell something, and is not kept.
  id bytea PRIMARY KEY,
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- SHA-256 of what was asked.
  fingerprint bytea NOT NULL,
  -- The answer; none where it held a secret, and none yet where the work that was accepted is watched or waited for.
  status int,
  headers jsonb,
  body bytea,
  -- What was accepted, where another answer can be made of it.
  accepted jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL))
);
CREATE INDEX IF NOT EXISTS idempotency_keys_created ON idempotency_keys (created_at);
CREATE INDEX IF NOT EXISTS idempotency_keys_workspace ON idempotency_keys (workspace_id);
CREATE INDEX IF NOT EXISTS idempotency_keys_user ON idempotency_keys (user_id);`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE idempotency_keys');
  }
}
