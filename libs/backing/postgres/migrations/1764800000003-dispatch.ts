import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Jobs are taken in turns between workspaces, messages know the version of their contract, and dead letters are listed. */
export class Dispatch1764800000003 implements MigrationInterface {
  readonly name = 'Dispatch1764800000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE outbox
      ADD COLUMN IF NOT EXISTS contract_version int NOT NULL DEFAULT 1,
      -- Published before, to arrive then: for transports that keep a message so long.
      ADD COLUMN IF NOT EXISTS due_at timestamptz,
      -- How often it could not be published, and why the last time.
      ADD COLUMN IF NOT EXISTS tries int NOT NULL DEFAULT 0,
      ADD COLUMN IF NOT EXISTS reason text`);
    await runner.query(`ALTER TABLE jobs
      -- Failed for a reason that is not its maker's, and not to be tried again by itself.
      ADD COLUMN IF NOT EXISTS dead_at timestamptz,
      ADD COLUMN IF NOT EXISTS redriven_at timestamptz`);
    // Who waits, by workspace; who is at work; who had the last turn. None of them grows with the jobs that have ended but the last, which is asked for its end only.
    await runner.query("CREATE INDEX IF NOT EXISTS jobs_queue ON jobs (kind, contract_version, workspace_id, id) WHERE status = 'queued'");
    await runner.query("CREATE INDEX IF NOT EXISTS jobs_at_work ON jobs (kind, workspace_id) WHERE status = 'running'");
    await runner.query('CREATE INDEX IF NOT EXISTS jobs_turns ON jobs (kind, workspace_id, started_at) WHERE started_at IS NOT NULL');
    await runner.query('CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (id) WHERE dead_at IS NOT NULL');
    await runner.query('CREATE INDEX IF NOT EXISTS jobs_retries ON jobs (retry_of) WHERE retry_of IS NOT NULL');
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const index of ['jobs_queue', 'jobs_at_work', 'jobs_turns', 'jobs_dead', 'jobs_retries'])
      await runner.query(`DROP INDEX ${index}`);
    await runner.query('ALTER TABLE outbox DROP COLUMN contract_version, DROP COLUMN due_at, DROP COLUMN tries, DROP COLUMN reason');
    await runner.query('ALTER TABLE jobs DROP COLUMN dead_at, DROP COLUMN redriven_at');
  }
}
