import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Tokens that API keys with `tokens_per_day` have used and reserved on each day (UTC), and who holds the reservations. */
export class Usage1764500000006 implements MigrationInterface {
  readonly name = 'Usage1764500000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE IF NOT EXISTS token_budgets (
        api_key_id uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
        day date NOT NULL,
        used bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
        -- The sum of the day's reservations that are neither settled nor expired.
        reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
        PRIMARY KEY (api_key_id, day)
      );
      CREATE TABLE IF NOT EXISTS token_reservations (
        id uuid PRIMARY KEY,
        api_key_id uuid NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
        day date NOT NULL,
        tokens bigint NOT NULL CHECK (tokens >= 0),
        -- Kept ahead by the process that makes the call; behind it the call is dead.
        lease_until timestamptz NOT NULL
      );
      CREATE INDEX IF NOT EXISTS token_reservations_expired ON token_reservations (api_key_id, lease_until);`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE IF EXISTS token_reservations; DROP TABLE IF EXISTS token_budgets');
  }
}
