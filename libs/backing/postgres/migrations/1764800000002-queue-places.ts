import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where a running job stands in the queue of a model: `{ epoch, position, eta_seconds }`. May run again. */
export class QueuePlaces1764800000002 implements MigrationInterface {
  readonly name = 'QueuePlaces1764800000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE jobs ADD COLUMN IF NOT EXISTS queue_place jsonb;');
  }

  async down(): Promise<void> {
    // The release before neither reads nor writes the column.
    throw new Error('This migration stays: the release before works with it.');
  }
}
