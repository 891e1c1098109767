import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What stores outside the database must still learn of the ledger: one row for each point that changed, gone once the store has it. Every statement
 * may run again.
 */
export class StoreChanges1764700000004 implements MigrationInterface {
  readonly name = 'StoreChanges1764700000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
CREATE TABLE IF NOT EXISTS store_changes (
  space_id uuid NOT NULL REFERENCES spaces (id),
  physical_id uuid NOT NULL,
  -- The number of the point's last change, and the one that the store has.
  change bigint NOT NULL,
  applied bigint,
  -- Who brings it to the store now, and until when nobody else may.
  claim uuid,
  claimed_until timestamptz,
  -- A call ended without an answer: it may still arrive, and then the point must be brought again.
  doubtful boolean NOT NULL DEFAULT false,
  due_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (space_id, physical_id)
);
CREATE INDEX IF NOT EXISTS store_changes_due ON store_changes (space_id, due_at);`);
  }

  async down(): Promise<void> {
    // The release before knows no store outside the database: nothing of its own is in this table.
    throw new Error('This migration stays: the release before works with it.');
  }
}
