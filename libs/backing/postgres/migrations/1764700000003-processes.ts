import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who is at work on this database: each process of the API and each worker says so every few seconds. */
export class Processes1764700000003 implements MigrationInterface {
  readonly name = 'Processes1764700000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE IF NOT EXISTS processes (
      -- As its data directory knows it: the same after a restart.
      id text PRIMARY KEY,
      role text NOT NULL,
      host text NOT NULL,
      pid int NOT NULL,
      version text NOT NULL,
      -- Contracts as kind@version that it can run; none where jobs run elsewhere.
      kinds text[] NOT NULL,
      started_at timestamptz NOT NULL DEFAULT now(),
      seen_at timestamptz NOT NULL DEFAULT now()
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE processes');
  }
}
